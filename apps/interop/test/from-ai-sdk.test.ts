/** docs/from-ai-sdk.md: the names of the AI SDK exist in its version, and its stored messages become those of a chat. */
import { readFileSync } from "node:fs";
import { createChat, toMessageText } from "@kortyx/client";
import type { UIMessage } from "ai";
import { afterAll, describe, expect, test } from "vitest";
import { isInstalled } from "../install.ts";
import { createGuideFolder, snippetsOf } from "./kit/guide.ts";

describe.skipIf(!isInstalled())("docs/from-ai-sdk.md", () => {
  const folder = createGuideFolder("from-ai-sdk");
  afterAll(() => folder[Symbol.dispose]());

  test("every name of the AI SDK in its tables exists", () => {
    const read = (file: string) => readFileSync(new URL(`../node_modules/${file}`, import.meta.url), "utf8");
    const declared = new Set(
      `${read("ai/dist/index.d.ts")}${read("@ai-sdk/react/dist/index.d.ts")}`.match(/\w+(?:-\w+)*/g),
    );
    const rows = read("../../../docs/from-ai-sdk.md").matchAll(/^\| (.*?) \|/gm);
    const names = [...rows].flatMap(([, cell]) =>
      [...cell!.matchAll(/`([^`]+)`/g)].flatMap(([, code]) => code!.match(/[a-z]\w{2,}(?:-\w+)*/gi) ?? []),
    );
    expect(names.length).toBeGreaterThan(50);
    // Of the examples, of Vercel and of `resumable-stream`, which the SDK's documentation uses.
    const others = /^(?:data-weather|tool-weather|weather|maxDuration|resumable-stream|activeStreamId|new)$/;
    expect(names.filter((name) => !declared.has(name) && !others.test(name))).toEqual([]);
  });

  test("its function makes stored messages those of a chat, with their files and calls", async () => {
    type Module = { toStoredMessages(messages: UIMessage[]): [] };
    const { toStoredMessages } = await folder.run<Module>("stored.ts", snippetsOf("docs/from-ai-sdk.md")[0]!);
    expect(folder.check()).toBe("");
    const call = { type: "tool-weather", toolCallId: "1", input: { city: "Rome" }, output: 21 } as const;
    const file = { type: "file", mediaType: "image/png", url: "https://host/a.png" } as const;
    const stored = toStoredMessages([
      { id: "1", role: "user", parts: [{ type: "text", text: "Rome?" }, file] },
      {
        id: "2",
        role: "assistant",
        parts: [
          { ...call, state: "output-available" },
          { type: "text", text: "21 °C" },
        ],
      },
    ]);
    const chat = createChat({ endpoint: "/api/chat", initialMessages: JSON.parse(JSON.stringify(stored)) });
    const { messages } = chat.getSnapshot();
    expect(messages.map((message) => [message.id, message.role, toMessageText(message)])).toEqual([
      ["1", "user", "Rome?"],
      ["2", "assistant", "21 °C"],
    ]);
    expect(messages[0]!.parts).toContainEqual(expect.objectContaining(file));
    expect(messages[1]!.parts).toContainEqual(
      expect.objectContaining({ type: "tool-call", tool: "weather", state: "done", content: 21 }),
    );
  });
});
