/** Adapters and wires are paid for by those who import them: in bundles here, of the packed files in `packages.test.ts`. */
import { expect, test } from "vitest";
import { bundleForBrowser } from "./bundle-for-browser.ts";
import { ofAdapters } from "./import-graph.ts";

/** The files of adapters and wires from which a bundle has code. */
async function filesIn(code: string): Promise<string[]> {
  const { files } = await bundleForBrowser(code, ["zod"], ["@kortyx/source"]);
  return files.flatMap((file) => ofAdapters(file.replace(/^.*\/packages\/(\w+)\/src\//, "$1/"))).sort();
}

const everythingIn = (entry: string): Promise<string[]> =>
  filesIn(`import * as all from "${entry}"; globalThis.use = all;`);

test("the whole client contains nothing of an adapter or of another protocol", async () => {
  expect(await everythingIn("@kortyx/client")).toEqual([]);
});

test("the whole protocol package contains nothing of another protocol", async () => {
  expect(await everythingIn("@kortyx/protocol")).toEqual([]);
});

test("the whole server contains only what all providers and all wires share", async () => {
  expect(await everythingIn("@kortyx/server")).toEqual([
    "server/adapters/describe-provider-error.ts",
    "server/adapters/loose-values.ts",
    "server/adapters/model-stream.ts",
    "server/adapters/retry-after.ts",
    "server/wires/find-wire.ts",
    "server/wires/translate-response.ts",
  ]);
});

test("a route contains only what all wires share", async () => {
  const code = 'import { createChatRoute } from "@kortyx/server"; globalThis.use = createChatRoute;';
  expect(await filesIn(code)).toEqual(["server/wires/find-wire.ts", "server/wires/translate-response.ts"]);
});

test.each([
  ["ag-ui", "ai-sdk anthropic langchain langgraph openai"],
  ["ai-sdk", "ag-ui anthropic langchain langgraph openai"],
  ["anthropic", "ag-ui ai-sdk langchain langgraph openai"],
  ["langgraph", "ag-ui ai-sdk anthropic openai"],
  ["openai", "ag-ui ai-sdk anthropic langchain langgraph"],
])("the whole of @kortyx/server/%s contains nothing of: %s", async (entry, others) => {
  const files = await everythingIn(`@kortyx/server/${entry}`);
  const ofOthers = new RegExp(`/(?:${others.replaceAll(" ", "|")})(?:-|\\.ts)`);
  expect(files.some((file) => file.includes(`/${entry}`))).toBe(true);
  expect(files.filter((file) => ofOthers.test(file))).toEqual([]);
});
