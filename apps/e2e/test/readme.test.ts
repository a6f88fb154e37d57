import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { consumeStream, streamChatFromRoute } from "@kortyx/client";
import { build } from "esbuild";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasChromium, launchChromium } from "./chromium.ts";
import { listen } from "./live-server.ts";

const repository = fileURLToPath(new URL("../../../", import.meta.url));
/** Inside this package, so that the snippets find what they import. */
const folder = fileURLToPath(new URL("../.tmp/readme/", import.meta.url));

/** The TypeScript snippets of a README, as they stand there. */
function snippetsOf(readme: string): string[] {
  const text = readFileSync(join(repository, readme), "utf8");
  return [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code]) => code!);
}

/** What the snippets call their agent: it repeats the question, letter by letter. */
const agentModule = `
export const agent = {
  async *streamChat(messages, { sessionId }) {
    yield { type: "session", sessionId: sessionId ?? "new" };
    for (const letter of messages.at(-1).content) yield { type: "text-delta", delta: letter };
    yield { type: "done" };
  },
};
`;

/** Writes a snippet beside the agent that it imports. @returns its path. */
function writeSnippet(name: string, code: string): string {
  const file = join(folder, name);
  writeFileSync(file, code);
  return file;
}

beforeAll(() => {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "agent.ts"), agentModule);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("every README has as many snippets as are run here", () => {
  const counts = [
    "README.md",
    "packages/protocol/README.md",
    "packages/server/README.md",
    "packages/client/README.md",
  ].map((readme) => snippetsOf(readme).length);
  expect(counts).toEqual([2, 1, 1, 1]);
});

const messages = [{ role: "user" as const, content: "Hello" }];
type Route = { POST: (request: Request) => Promise<Response> };

for (const readme of ["README.md", "packages/server/README.md"]) {
  test(`the server snippet of ${readme} answers a live request`, async () => {
    const file = writeSnippet(`${readme.replaceAll(/\W/g, "-")}.ts`, snippetsOf(readme)[0]!);
    const { POST }: Route = await import(pathToFileURL(file).href);
    const server = await listen(POST);
    let text = "";
    const outcome = await consumeStream(streamChatFromRoute({ endpoint: server.url, messages }), {
      onText: (delta) => {
        text += delta;
      },
    });
    await server.close();
    expect(text).toBe("Hello");
    expect(outcome.outcome).toBe("done");
  });
}

test("the server snippet of packages/server/README.md answers one buffered result, and a bad body in the parser's words", async () => {
  const file = writeSnippet("buffered.ts", snippetsOf("packages/server/README.md")[0]!);
  const { POST }: Route = await import(pathToFileURL(file).href);
  const ask = (body: unknown) =>
    POST(new Request("http://host/", { method: "POST", body: JSON.stringify(body) }));
  expect(await (await ask({ messages, stream: false })).json()).toMatchObject({ text: "Hello" });
  const bad = await ask({ messages: "Hello" });
  expect(bad.status).toBe(400);
  expect(await bad.json()).toMatchObject({
    error: "Invalid chat request: messages must be an array, got a string of 5 characters.",
  });
});

test("the snippet of packages/protocol/README.md runs, and its assertions hold", async () => {
  const code = snippetsOf("packages/protocol/README.md")[0]!;
  expect(code.match(/console\.assert/g)).toHaveLength(2);
  const strict = code.replaceAll("console.assert", "(globalThis as any).strictAssert");
  Object.assign(globalThis, { strictAssert: (condition: boolean) => expect(condition).toBe(true) });
  await import(pathToFileURL(writeSnippet("protocol.ts", strict)).href);
  expect.assertions(3);
});

describe.skipIf(!hasChromium())("in Chromium", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser?.close());

  const clientSnippets: [string, string, string][] = [
    ["README.md", snippetsOf("README.md")[1]!, "done"],
    ["packages/client/README.md", snippetsOf("packages/client/README.md")[0]!, "complete"],
    [
      "the smallest consumer",
      `import { consumeStream, streamChatFromRoute } from "@kortyx/client";
       const messages = [{ role: "user" as const, content: "Hello" }];
       const stream = streamChatFromRoute({ endpoint: "/api/chat", messages });
       const answer = document.querySelector("#answer")!;
       const { outcome } = await consumeStream(stream, { onChunk: (chunk) => { if (chunk.type === "text-delta") { answer.append(chunk.delta); } } });
       answer.setAttribute("data-outcome", outcome);`,
      "done",
    ],
  ];
  for (const [name, code, outcome] of clientSnippets) {
    test(`the client snippet of ${name} shows the streamed answer`, async () => {
      const { outputFiles } = await build({
        stdin: { contents: code, resolveDir: folder, loader: "ts" },
        bundle: true,
        format: "esm",
        platform: "browser",
        write: false,
        logLevel: "error",
      });
      const { POST }: Route = await import(
        pathToFileURL(writeSnippet("route.ts", snippetsOf("README.md")[0]!)).href
      );
      const server = await listen((request) => {
        const { pathname } = new URL(request.url);
        if (pathname === "/api/chat") return POST(request);
        if (pathname === "/client.js") {
          return new Response(outputFiles[0]!.text, { headers: { "content-type": "text/javascript" } });
        }
        return new Response(
          '<!doctype html><p id="answer"></p><script type="module" src="/client.js"></script>',
          {
            headers: { "content-type": "text/html", "content-security-policy": "default-src 'self'" },
          },
        );
      });
      const page = await browser.newPage();
      const complaints: string[] = [];
      page.on("pageerror", (error) => complaints.push(error.message));
      await page.goto(server.url);
      await page.locator(`#answer[data-outcome=${outcome}]`).waitFor();
      const question = /content: "([^"]*)"/.exec(code)?.[1];
      expect(await page.locator("#answer").textContent()).toBe(question);
      expect(complaints).toEqual([]);
      await page.close();
      await server.close();
    });
  }
});
