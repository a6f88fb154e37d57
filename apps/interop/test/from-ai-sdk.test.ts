/** docs/from-ai-sdk.md: the names of the AI SDK exist in its version, and its stored messages become those of a chat. */
import { readFileSync } from "node:fs";
import { createChat, toMessageText } from "@kortyx/client";
import type { UIMessage } from "ai";
import { afterAll, describe, expect, test, vi } from "vitest";
import { isInstalled } from "../install.ts";
import { finishPart, textParts } from "./kit/ai-sdk-model.ts";
import { createGuideFolder, snippetsOf } from "./kit/guide.ts";
import { endFrames, textFrames } from "./kit/openai-chat-frames.ts";
import { serveProvider } from "./kit/provider-server.ts";

type Route = { POST(request: Request): Promise<Response> };

describe.skipIf(!isInstalled())("docs/from-ai-sdk.md", () => {
  const folder = createGuideFolder("from-ai-sdk");
  const [before, after, stored] = snippetsOf("docs/from-ai-sdk.md") as [string, string, string];
  afterAll(() => {
    folder[Symbol.dispose]();
    vi.unstubAllEnvs();
  });

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

  test("the route before and the route after stream and save the same answer", async () => {
    const server = await serveProvider(() => ({
      pieces: [...textFrames("Hel", "lo"), ...endFrames("stop")],
    }));
    vi.stubEnv("OPENAI_BASE_URL", server.url);
    vi.stubEnv("OPENAI_API_KEY", "key");
    folder.write(
      "database.ts",
      `export const saved: unknown[] = [];
export const saveConversation = (_id: string, messages: unknown[]): void => void saved.push(messages.at(-1));
export const saveExchange = ({ message }: { message?: unknown }): void => void saved.push(message);
`,
    );
    folder.write("session.ts", 'export const verifySession = (_request: Request): string => "ann";\n');
    const old = await folder.run<Route>("before.ts", before);
    const now = await folder.run<Route>("after.ts", after);
    const { saved } = await folder.run<{ saved: unknown[] }>(
      "saved.ts",
      'export { saved } from "./database.ts";\n',
    );
    const fetchOf =
      ({ POST }: Route) =>
      (input: RequestInfo | URL, init?: RequestInit) =>
        POST(new Request(new URL(String(input), "http://localhost"), init));
    const { Chat } = await import("@ai-sdk/react");
    const { DefaultChatTransport } = await import("ai");
    const oldChat = new Chat({
      transport: new DefaultChatTransport({ fetch: fetchOf(old) as typeof fetch }),
    });
    await oldChat.sendMessage({ text: "Hi" });
    const chat = createChat({ endpoint: "http://localhost/api/chat", fetch: fetchOf(now), runs: true });
    await chat.send("Hi");
    expect(oldChat.lastMessage?.metadata).toEqual({ plan: "free" });
    expect(chat.getSnapshot().messages.at(-1)).toMatchObject({ metadata: { plan: "free" } });
    expect(oldChat.lastMessage?.parts).toContainEqual({ type: "data-quota", id: "quota", data: { left: 9 } });
    expect(chat.getSnapshot().messages.at(-1)!.parts).toContainEqual(
      expect.objectContaining({ type: "data", name: "quota", data: { left: 9 } }),
    );
    await vi.waitFor(() => expect(saved).toHaveLength(2));
    for (const message of saved) {
      expect(message).toMatchObject({
        parts: expect.arrayContaining([expect.objectContaining({ type: "text", text: "Hello" })]),
      });
    }
    await server.close();
  });

  test("neither route sends what the model thought", async () => {
    const file = { mediaType: "image/png", data: { type: "data", data: "AAAA" } };
    const step = [
      { type: "reasoning-start", id: "1" },
      { type: "reasoning-delta", id: "1", delta: "A thought." },
      { type: "reasoning-end", id: "1" },
      { type: "reasoning-file", ...file },
      { type: "file", ...file },
      ...textParts("Hello"),
      finishPart("stop"),
    ];
    folder.write(
      "model.ts",
      `import { scriptModel } from "../../test/kit/ai-sdk-model.ts";
export const openai = { chat: (_name: string) => scriptModel(${JSON.stringify(step)} as never).model };
`,
    );
    for (const [name, code] of [
      ["before", before],
      ["after", after],
    ] as const) {
      const { POST } = await folder.run<Route>(
        `thinking-${name}.ts`,
        code.replace('"@ai-sdk/openai"', '"./model.ts"'),
      );
      const message = { id: "1", role: "user", content: "Hi", parts: [{ type: "text", text: "Hi" }] };
      const headers = { "content-type": "application/json" };
      const body = JSON.stringify({ id: "s", messages: [message] });
      const text = await (
        await POST(new Request("http://localhost/api/chat", { method: "POST", headers, body }))
      ).text();
      expect(text.match(/"type":"(?:reasoning|file)[^"]*"|isReasoning|A thought/g), name).toEqual([
        '"type":"file"',
      ]);
      expect(text).toContain("Hello");
    }
  });

  test("its function makes stored messages those of a chat, with their files and calls", async () => {
    type Module = { toStoredMessages(messages: UIMessage[]): [] };
    const { toStoredMessages } = await folder.run<Module>("stored.ts", stored);
    expect(folder.check()).toBe("");
    const call = { type: "tool-weather", toolCallId: "1", input: { city: "Rome" }, output: 21 } as const;
    const file = { type: "file", mediaType: "image/png", url: "https://host/a.png" } as const;
    const messagesOfChat = toStoredMessages([
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
    const chat = createChat({
      endpoint: "/api/chat",
      initialMessages: JSON.parse(JSON.stringify(messagesOfChat)),
    });
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
