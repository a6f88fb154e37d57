/** The package `kortyx`: both sides under one name, imported as on Kortyx's own page. Compiled and run. */
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import type { StreamChunk } from "kortyx";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bundleForBrowser } from "./bundle-for-browser.ts";
import { launchChromium } from "./chromium.ts";
import { type LiveServer, listen } from "./live-server.ts";
import { createSnippetFolder } from "./readme-snippets.ts";
import { openScriptPage } from "./script-page.ts";

const { resolve } = createRequire(import.meta.url);
const folder = createSnippetFolder("umbrella");
let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(async () => {
  folder.remove();
  await browser.close();
});

/** Agents that a reader may have. Each repeats the question and names its session. */
const agents: Record<string, string> = {
  "of our type": `
import type { ChatAgent } from "kortyx";
export const agent: ChatAgent = {
  async *streamChat(messages, { sessionId }) {
    yield { type: "session", sessionId: sessionId ?? "new" };
    yield { type: "text-delta", delta: messages.at(-1)?.content ?? "" };
    yield { type: "done" };
  },
};
`,
  "that is an object with its own options type": `
import type { StreamChunk } from "kortyx";
export const agent = {
  async *streamChat(
    messages: { role: "user" | "assistant" | "system"; content: string }[],
    options: { sessionId?: string | undefined } = {},
  ): AsyncIterable<StreamChunk> {
    yield { type: "session", sessionId: options.sessionId ?? "new" };
    yield { type: "text-delta", delta: messages.at(-1)?.content ?? "" };
    yield { type: "done" };
  },
};
`,
  "that resolves to a Node stream": `
import { PassThrough } from "node:stream";
import type { StreamChunk } from "kortyx";
type Message = { role: "user" | "assistant" | "system"; content: string; metadata?: Record<string, unknown> | undefined };
export const agent = {
  streamChat: async (messages: Message[], options?: { sessionId?: string | undefined }): Promise<AsyncIterable<StreamChunk>> => {
    const stream = new PassThrough({ objectMode: true });
    stream.write({ type: "session", sessionId: options?.sessionId ?? "new" });
    stream.write({ type: "text-delta", delta: messages.at(-1)?.content ?? "" });
    stream.end({ type: "done" });
    return stream;
  },
};
`,
};

const route = `
import { parseChatRequestBody, toSSE } from "kortyx";
import { agent } from "./agent.ts";

export async function POST(request: Request): Promise<Response> {
  const { messages, sessionId } = parseChatRequestBody(await request.json());
  return toSSE(agent.streamChat(messages, { sessionId }));
}
`;

const plainRoute = `
import { toSSE } from "kortyx";
import { agent } from "./agent.ts";

export async function POST(request: Request): Promise<Response> {
  const { messages, sessionId } = await request.json();
  return toSSE(agent.streamChat(messages, { sessionId }));
}
`;

const client = `
import { consumeStream, streamChatFromRoute } from "kortyx";

export async function ask(endpoint: string): Promise<string> {
  let text = "";
  await consumeStream(
    streamChatFromRoute({ endpoint, sessionId: "s", messages: [{ role: "user", content: "Hello" }] }),
    {
      onChunk: (chunk) => {
        if (chunk.type === "text-delta") text += chunk.delta;
      },
      onError: (error) => {
        text = error.message;
      },
    },
  );
  return text;
}
`;

const manualFetch = `
import { readStream } from "kortyx";

export async function ask(endpoint: string): Promise<string> {
  const response = await fetch(endpoint, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ sessionId: "s", messages: [{ role: "user", content: "Hello" }] }),
  });
  let text = "";
  for await (const chunk of readStream(response.body)) {
    if (chunk.type === "text-delta") text += chunk.delta;
    if (chunk.type === "done") break;
  }
  return text;
}
`;

const buffered = `
import { collectBufferedStream } from "kortyx";
import { agent } from "./agent.ts";

export async function POST(request: Request): Promise<Response> {
  const { messages, sessionId } = await request.json();
  const stream = await agent.streamChat(messages, { sessionId });
  return Response.json(await collectBufferedStream(stream));
}
`;

const lowLevel = `
import { createStreamResponse, type StreamChunk } from "kortyx";

async function* answer(): AsyncGenerator<StreamChunk> {
  yield { type: "session", sessionId: "s" };
  yield { type: "text-delta", delta: "Hello" };
  yield { type: "done" };
}

export const POST = (_request: Request): Response => createStreamResponse(answer());
`;

const snippets = { route, plainRoute, client, manualFetch, buffered, lowLevel };

type Handler = (request: Request) => Promise<Response>;

const said: StreamChunk[] = [
  { type: "session", sessionId: "s" },
  { type: "text-delta", delta: "Hello" },
  { type: "done" },
];

describe.each(Object.entries(agents))("with an agent %s", (name, agent) => {
  const id = name.replaceAll(" ", "-");
  const withAgent = (code: string) => code.replace("./agent.ts", `./agent-${id}.ts`);
  const load = (snippet: keyof typeof snippets) =>
    folder.run<{ POST: Handler }>(`${snippet}-${id}.ts`, withAgent(snippets[snippet]));
  beforeAll(() => void folder.write(`agent-${id}.ts`, agent));

  test.each(["typescript", "typescript-5"])(
    "every snippet compiles in the strictest mode with %s",
    (compiler) => {
      const names = Object.entries(snippets).map(([snippet, code]) => {
        folder.write(`${snippet}-${id}.ts`, withAgent(code));
        return `${snippet}-${id}.ts`;
      });
      const compilerOptions = {
        target: "es2022",
        module: "nodenext",
        allowImportingTsExtensions: true,
        strict: true,
        exactOptionalPropertyTypes: true,
        noUncheckedIndexedAccess: true,
        skipLibCheck: false,
        noEmit: true,
        types: ["node"],
        lib: ["es2023", "dom", "dom.iterable"],
      };
      folder.write("tsconfig.json", JSON.stringify({ compilerOptions, files: names }));
      const tsc = join(dirname(resolve(`${compiler}/package.json`)), "bin/tsc");
      const { stdout } = spawnSync(process.execPath, [tsc, "-p", folder.path], { encoding: "utf8" });
      expect(stdout.split("\n").filter((line) => line !== "" && !line.includes("node_modules/"))).toEqual([]);
    },
  );

  test.each(["route", "plainRoute"] as const)(
    "the %s streams to both clients, in Node and in Chromium",
    async (snippet) => {
      const { POST } = await load(snippet);
      const server = await listen(POST);
      const headers = await headersOf(server);
      expect(headers).toMatchObject({
        "cache-control": "no-cache",
        "content-type": "text/event-stream",
        "x-accel-buffering": "no",
      });
      for (const code of [client, manualFetch]) {
        const { ask } = await folder.run<{ ask(endpoint: string): Promise<string> }>(
          `${code === client ? "client" : "manualFetch"}-node.ts`,
          code,
        );
        expect(await ask(server.url)).toBe("Hello");
        const opened = await openScriptPage(browser, `${code}\nObject.assign(globalThis, { ask });`, POST);
        expect(await opened.page.evaluate("ask('/api/chat')")).toBe("Hello");
        expect(opened.complaints).toEqual([]);
        await opened.close();
      }
      await server.close();
    },
  );

  test("the buffered answer is complete", async () => {
    const { POST } = await load("buffered");
    expect(await (await POST(question())).json()).toEqual({ chunks: said, text: "Hello", structured: [] });
  });
});

test("the low-level response streams", async () => {
  const { POST } = await folder.run<{ POST(request: Request): Response }>("low-level.ts", lowLevel);
  const frames = said.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join("");
  expect(await POST(question()).text()).toBe(`${frames}data: [DONE]\n\n`);
});

const question = () =>
  new Request("http://host/", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ sessionId: "s", messages: [{ role: "user", content: "Hello" }] }),
  });

async function headersOf({ url }: LiveServer): Promise<Record<string, string>> {
  const response = await fetch(url, question());
  await response.body?.cancel();
  return Object.fromEntries(response.headers);
}

test.each(["readStream", "consumeStream, streamChatFromRoute", "createChat"])(
  "a page that imports %s from it contains no code from the server or from zod",
  async (names) => {
    const bundleOf = (from: string) =>
      bundleForBrowser(`import { ${names} } from "${from}"; globalThis.use = [${names}];`);
    const [split, both] = [await bundleOf("@kortyx/client"), await bundleOf("kortyx")];
    const bytes = ({ text }: { text: string }) => gzipSync(text, { level: 9 }).length;
    expect(Math.abs(bytes(both) - bytes(split))).toBeLessThanOrEqual(16);
    expect(both.bytesOf(/\/zod[@/]|packages\/server\//)).toBe(0);
  },
);
