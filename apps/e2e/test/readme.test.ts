import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import {
  type ChatMessage,
  consumeStream,
  createChat,
  type StoredMessage,
  streamChatFromRoute,
  toMessageText,
  type UIMessage,
} from "@kortyx/client";
import type { RunStore } from "@kortyx/server";
import { build } from "esbuild";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasChromium, launchChromium } from "./chromium.ts";
import { listen, until } from "./live-server.ts";

const repository = fileURLToPath(new URL("../../../", import.meta.url));
/** Inside this package, so that the snippets find what they import. */
const folder = fileURLToPath(new URL("../.tmp/readme/", import.meta.url));

/** The TypeScript snippets of a README, as they stand there. */
function snippetsOf(readme: string, language: "ts" | "tsx" = "ts"): string[] {
  const text = readFileSync(join(repository, readme), "utf8");
  return [...text.matchAll(/^```(tsx?)\n([\s\S]*?)^```$/gm)]
    .filter(([, name]) => name === language)
    .map(([, , code]) => code!);
}

/** What the snippets call their agent: it repeats the question, letter by letter. */
const agentModule = `
import type { ChatAgent } from "@kortyx/server";
export const agent: ChatAgent = {
  async *streamChat(messages, { sessionId }) {
    yield { type: "session", sessionId: sessionId ?? "new" };
    for (const letter of messages.at(-1)?.content ?? "") yield { type: "text-delta", delta: letter };
    yield { type: "done" };
  },
};
`;

/** What the snippets call their route. */
const routeModule = `
import { createChatRoute } from "@kortyx/server";
import { agent } from "./agent.ts";
export const route = createChatRoute({ agent });
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
  writeFileSync(join(folder, "route.ts"), routeModule);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const pages = [
  "README.md",
  "packages/protocol/README.md",
  "packages/server/README.md",
  "packages/client/README.md",
  "docs/infrastructure.md",
  "docs/runs.md",
];

test("every page has as many snippets as are run here", () => {
  expect(pages.map((page) => snippetsOf(page).length)).toEqual([2, 1, 4, 4, 1, 2]);
  expect(pages.map((page) => snippetsOf(page, "tsx").length)).toEqual([0, 0, 0, 1, 0, 0]);
});

test("every snippet type-checks, as strictly as this project itself", () => {
  const checked = join(folder, "checked");
  mkdirSync(checked);
  for (const [name, module] of [
    ["agent.ts", agentModule],
    ["route.ts", routeModule],
  ] as const) {
    writeFileSync(join(checked, name), module);
  }
  for (const page of pages) {
    for (const language of ["ts", "tsx"] as const) {
      for (const [index, code] of snippetsOf(page, language).entries()) {
        writeFileSync(join(checked, `${page.replaceAll(/\W/g, "-")}-${index}.${language}`), code);
      }
    }
  }
  const compilerOptions = { types: ["node"], customConditions: [], jsx: "react-jsx" };
  const config = {
    extends: join(repository, "tsconfig.base.json"),
    compilerOptions,
    include: ["*.ts", "*.tsx"],
  };
  writeFileSync(join(checked, "tsconfig.json"), JSON.stringify(config));
  const tsc = join(repository, "node_modules/typescript/bin/tsc");
  const { stdout } = spawnSync(process.execPath, [tsc, "-p", checked], { encoding: "utf8" });
  expect(stdout).toBe("");
});

const messages = [{ role: "user" as const, content: "Hello" }];
type Handler = (request: Request) => Promise<Response>;
type Route = { POST: Handler };
type RunRoute = { POST: Handler; GET: Handler; DELETE: Handler; store: RunStore } & Record<string, Handler>;

const jsonHeaders = { "content-type": "application/json" };
const routeSnippets: [string, string][] = [
  ["README.md", snippetsOf("README.md")[0]!],
  ["packages/server/README.md, a whole route", snippetsOf("packages/server/README.md")[0]!],
  ["packages/server/README.md, saving conversations", snippetsOf("packages/server/README.md")[1]!],
  ["packages/server/README.md, one stream", snippetsOf("packages/server/README.md")[2]!],
];

for (const [index, [name, code]] of routeSnippets.entries()) {
  test(`the server snippet of ${name} answers a live request`, async () => {
    const { POST }: Route = await import(pathToFileURL(writeSnippet(`route-${index}.ts`, code)).href);
    const server = await listen(POST);
    let text = "";
    const stream = streamChatFromRoute({ endpoint: server.url, messages, headers: { cookie: "a=1" } });
    const outcome = await consumeStream(stream, {
      onText: (delta) => {
        text += delta;
      },
    });
    await server.close();
    expect(text).toBe("Hello");
    expect(outcome.outcome).toBe("done");
  });
}

for (const [index, [name, code]] of routeSnippets.slice(1).entries()) {
  test(`the server snippet of ${name} answers one buffered result, and a bad body in the parser's words`, async () => {
    const { POST }: Route = await import(pathToFileURL(writeSnippet(`buffered-${index}.ts`, code)).href);
    const headers = { ...jsonHeaders, cookie: "a=1" };
    const ask = (body: unknown) =>
      POST(new Request("http://host/", { method: "POST", headers, body: JSON.stringify(body) }));
    expect(await (await ask({ messages, stream: false })).json()).toMatchObject({ text: "Hello" });
    const bad = await ask({ messages: "Hello" });
    expect(bad.status).toBe(400);
    expect(await bad.json()).toMatchObject({
      error: "Invalid chat request: messages must be an array, got a string of 5 characters.",
      code: "invalid-request",
    });
  });
}

test("what the snippet of packages/server/README.md saves is a conversation that a chat goes on with", async () => {
  const file = writeSnippet("saving.ts", snippetsOf("packages/server/README.md")[1]!);
  const { POST, loadMessages }: Route & { loadMessages: (sessionId: string) => StoredMessage[] } =
    await import(pathToFileURL(file).href);
  const sent: string[] = [];
  const server = await listen(async (request) => {
    sent.push(await request.clone().text());
    return POST(request);
  });
  for (const question of ["Hello", "Again"]) {
    // As after a reload: JSON from the server is all that the page has.
    const initialMessages: StoredMessage[] = JSON.parse(JSON.stringify(loadMessages("s")));
    const chat = createChat({ endpoint: server.url, sessionId: "s", initialMessages });
    expect(chat.getSnapshot().messages).toEqual(initialMessages);
    await chat.send(question);
    expect(chat.getSnapshot()).toMatchObject({ status: "ready", error: undefined });
  }
  await server.close();
  const said = [
    ["user", "Hello"],
    ["assistant", "Hello"],
    ["user", "Again"],
    ["assistant", "Again"],
  ];
  const saved = loadMessages("s") as UIMessage[];
  expect(saved.map((message) => [message.role, toMessageText(message)])).toEqual(said);
  expect(new Set(saved.map(({ id }) => id)).size).toBe(4);
  const { messages } = JSON.parse(sent[1]!);
  expect(messages.map(({ role, content }: ChatMessage) => [role, content])).toEqual(said.slice(0, 3));
});

test("the Node snippet of packages/server/README.md serves a route and a stream", async () => {
  const file = writeSnippet("node.ts", snippetsOf("packages/server/README.md")[3]!);
  const { server }: { server: Server } = await import(pathToFileURL(file).href);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  for (const path of ["/api/chat", "/other"]) {
    const body = JSON.stringify({ messages });
    const response = await fetch(url + path, {
      method: "POST",
      headers: { ...jsonHeaders, cookie: "a=1" },
      body,
    });
    expect(await response.text()).toContain('data: {"type":"done"}\n\ndata: [DONE]\n\n');
  }
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

test("the route of docs/runs.md keeps an answer that can be followed and stopped, by its owner alone", async () => {
  process.env.RUNS_FILE = join(folder, "runs.db");
  const file = writeSnippet("runs.ts", snippetsOf("docs/runs.md")[0]!);
  const { POST, GET, DELETE, store }: RunRoute = await import(pathToFileURL(file).href);
  const ask = (method: string, query: string, user: string, body?: unknown) => {
    const handler = { POST, GET, DELETE }[method]!;
    const headers = { ...jsonHeaders, cookie: `user=${user}` };
    const init = { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) };
    return handler(new Request(`http://host/${query}`, init));
  };
  /** The events; a comment may have come before the agent was ready. */
  const eventsOf = async (response: Response) => (await response.text()).replaceAll(/^:.*\n\n/gm, "");
  const first = await eventsOf(await ask("POST", "", "ann", { messages, sessionId: "s" }));
  expect(first).toMatch(/^id: [0-9a-f]{32}\.0\ndata: {"type":"run-start"/);
  expect(await eventsOf(await ask("GET", "?session=s", "ann"))).toBe(first);
  expect((await ask("GET", "?session=s", "bob")).status).toBe(204);
  expect(await (await ask("DELETE", "?session=s", "ann")).json()).toMatchObject({
    terminal: { type: "done" },
  });
  await store.close();
});

test("the program of docs/infrastructure.md drains on SIGTERM and ends in order", async () => {
  const file = join(folder, "program.mjs");
  await build({
    stdin: { contents: snippetsOf("docs/infrastructure.md")[0]!, resolveDir: folder, loader: "ts" },
    bundle: true,
    format: "esm",
    platform: "node",
    outfile: file,
    logLevel: "error",
  });
  const port = 30_000 + Math.floor(Math.random() * 2000);
  const child = spawn(process.execPath, [file], {
    env: { ...process.env, PORT: String(port) },
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    let output = "";
    child.stdout.on("data", (data) => {
      output += data;
    });
    const exited = once(child, "exit");
    const ask = () =>
      fetch(`http://127.0.0.1:${port}/`, {
        method: "POST",
        headers: { ...jsonHeaders, cookie: "a=1" },
        body: JSON.stringify({ messages }),
      }).then(
        (response) => response.text(),
        () => "",
      );
    let text = "";
    await until(() => {
      void ask().then((answer) => {
        text = answer;
      });
      return text !== "";
    }, "the program answers");
    child.kill("SIGTERM");
    expect(await exited).toEqual([0, null]);
    expect(output).toBe('0 streams finished, 0 were ended with abort "shutdown".\n');
  } finally {
    child.kill("SIGKILL");
  }
});

test("the snippet of packages/protocol/README.md runs, and its assertions hold", async () => {
  const code = snippetsOf("packages/protocol/README.md")[0]!;
  expect(code.match(/console\.assert/g)).toHaveLength(2);
  const strict = code.replaceAll("console.assert", "globalThis.strictAssert");
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

  /** Shows a page with `code` as its only script, beside the README's route, and closes it. */
  async function withPage(code: string, look: (page: Page) => Promise<void>): Promise<void> {
    const { outputFiles } = await build({
      stdin: { contents: code, resolveDir: folder, loader: "tsx" },
      bundle: true,
      format: "esm",
      platform: "browser",
      jsx: "automatic",
      define: { "process.env.NODE_ENV": '"production"' },
      write: false,
      logLevel: "error",
    });
    const { POST }: Route = await import(
      pathToFileURL(writeSnippet("page-route.ts", snippetsOf("README.md")[0]!)).href
    );
    const server = await listen((request) => {
      const { pathname } = new URL(request.url);
      if (pathname === "/api/chat") return POST(request);
      if (pathname === "/client.js") {
        return new Response(outputFiles[0]!.text, { headers: { "content-type": "text/javascript" } });
      }
      return new Response(
        '<!doctype html><p id="answer"></p><p id="status"></p><div id="root"></div><script type="module" src="/client.js"></script>',
        { headers: { "content-type": "text/html", "content-security-policy": "default-src 'self'" } },
      );
    });
    const page = await browser.newPage();
    const complaints: string[] = [];
    page.on("pageerror", (error) => complaints.push(error.message));
    try {
      await page.goto(server.url);
      await look(page);
      expect(complaints).toEqual([]);
    } finally {
      await page.close();
      await server.close();
    }
  }

  const clientReadme = "packages/client/README.md";
  const clientSnippets: [string, string, string][] = [
    ["README.md", snippetsOf("README.md")[1]!, "done"],
    [clientReadme, snippetsOf(clientReadme)[0]!, "complete"],
    [
      "the smallest consumer",
      `import {
  type ChatMessage,
  consumeStream,
  createChat,
  type StoredMessage,
  streamChatFromRoute,
  toMessageText,
  type UIMessage,
} from "@kortyx/client";
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
      await withPage(code, async (page) => {
        await page.locator(`#answer[data-outcome=${outcome}]`).waitFor();
        const question = /content: "([^"]*)"/.exec(code)?.[1];
        expect(await page.locator("#answer").textContent()).toBe(question);
      });
    });
  }

  test(`the conversation of ${clientReadme} shows both sides and its status`, async () => {
    await withPage(snippetsOf(clientReadme)[1]!, async (page) => {
      await page.getByText("ready", { exact: true }).waitFor();
      expect(await page.locator("#answer").textContent()).toBe("user: Hello\nassistant: Hello");
    });
  });

  test(`the component of ${clientReadme} asks and shows the answer`, async () => {
    writeFileSync(join(folder, "chat.tsx"), snippetsOf(clientReadme, "tsx")[0]!);
    const code = `import { createRoot } from "react-dom/client";
      import { Chat } from "./chat.tsx";
      createRoot(document.querySelector("#root")!).render(<Chat />);`;
    await withPage(code, async (page) => {
      await page.getByRole("textbox").fill("Hello");
      await page.getByRole("button", { name: "Send" }).click();
      await page.locator("form > p:nth-child(2)", { hasText: "Hello" }).waitFor();
      await page.getByRole("button", { name: "Send" }).waitFor();
      expect(await page.locator("form > p").allTextContents()).toEqual(["Hello", "Hello"]);
    });
  });

  const show = 'messages.map(toMessageText).join("|") + " " + status';
  const frameworks: [name: string, code: string][] = [
    [
      "Vue",
      `import { toMessageText } from "@kortyx/client";
       import { createApp, h } from "vue";
       import { useChat } from "./vue.ts";
       createApp({
         setup() {
           const { state, send } = useChat({ endpoint: "/api/chat" });
           void send("Hello");
           return () => { const { messages, status } = state.value; return h("p", ${show}); };
         },
       }).mount("#root");`,
    ],
    [
      "Solid",
      `import { toMessageText } from "@kortyx/client";
       import { createEffect } from "solid-js";
       import { render } from "solid-js/web";
       import { useChat } from "./solid.ts";
       render(() => {
         const { state, send } = useChat({ endpoint: "/api/chat" });
         void send("Hello");
         const line = document.createElement("p");
         createEffect(() => { const { messages, status } = state(); line.textContent = ${show}; });
         return line;
       }, document.querySelector("#root")!);`,
    ],
  ];
  for (const [index, [name, code]] of frameworks.entries()) {
    test(`the ${name} recipe of ${clientReadme} follows the chat`, async () => {
      writeSnippet(`${name.toLowerCase()}.ts`, snippetsOf(clientReadme)[2 + index]!);
      await withPage(code, async (page) => {
        await page.getByText("Hello|Hello ready", { exact: true }).waitFor();
      });
    });
  }
});
