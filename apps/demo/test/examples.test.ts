/** The questions that the demo suggests, asked about this repository as it is. */
import { fileURLToPath } from "node:url";
import { collectStream } from "@kortyx/server";
import { expect, test } from "vitest";
import { createDocumentationAgent } from "../src/documentation-agent.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));

test.each([
  ["What happens when the client leaves?", ["tool-call-result", "structured-data", "source"], "stop"],
  ["What is Kortyx?", ["tool-call-result", "interrupt"], "interrupt"],
  ["How does it work?", ["interrupt"], "interrupt"],
  [
    "How does a stream end? in:nowhere",
    ["tool-call-error", "tool-call-result", "structured-data", "source"],
    "stop",
  ],
])("%s", async (content, shown, finishReason) => {
  const agent = createDocumentationAgent({ root, tokensPerSecond: 0 });
  const chunks = await collectStream(agent.streamChat([{ role: "user", content }], {}));
  const types = new Set<string>(chunks.map(({ type }) => type));
  for (const type of ["session", "status", "tool-call-start", "text-delta", "done"]) types.delete(type);
  expect([...types]).toEqual(shown);
  expect(chunks.at(-1)).toMatchObject({ type: "done", finishReason });
});
