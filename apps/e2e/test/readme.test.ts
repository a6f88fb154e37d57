/** The snippets of the READMEs and docs that run on a server, run. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import {
  type ChatMessage,
  consumeStream,
  createChat,
  readStream,
  type StoredMessage,
  type StreamChunk,
  streamChatFromRoute,
  toMessageText,
  type UIMessage,
} from "@kortyx/client";
import { type ChatAgent, createChatRoute, type RunStore } from "@kortyx/server";
import { hasRedis } from "@kortyx/test-redis";
import { startRedisCluster } from "@kortyx/test-redis/cluster";
import { build } from "esbuild";
import { afterAll, expect, test } from "vitest";
import { collect, listen, until } from "./live-server.ts";
import { createSnippetFolder, readersModules, snippetsOf, typeErrorsOf } from "./readme-snippets.ts";

const folder = createSnippetFolder("readme");
process.env.RESUME_SECRET = "a secret of more than 32 characters";
afterAll(() => folder.remove());

const pages = [
  "README.md",
  "packages/protocol/README.md",
  "packages/server/README.md",
  "packages/client/README.md",
  "docs/message-parts.md",
  "docs/runs.md",
  "docs/approvals.md",
  "packages/kortyx/README.md",
];

test("every page has exactly the snippets that run here", () => {
  expect(pages.map((page) => snippetsOf(page).length)).toEqual([2, 1, 4, 6, 0, 5, 3, 1]);
  expect(pages.map((page) => snippetsOf(page, "tsx").length)).toEqual([1, 0, 0, 1, 2, 0, 0, 0]);
});

test("the page of the guides has the route of README.md", () => {
  expect(snippetsOf("docs/README.md")).toEqual([snippetsOf("README.md")[0]]);
});

test("every snippet passes this project's own type checks", () => {
  const modules = { ...readersModules, "answer.tsx": snippetsOf("docs/message-parts.md", "tsx")[0]! };
  expect(typeErrorsOf(pages, folder, modules)).toBe("");
});

test("the package of both sides answers and reads as its README shows", async () => {
  type Module = { POST(): Response; show(response: Response, element: object): Promise<void> };
  const { POST, show } = await folder.run<Module>("both.ts", snippetsOf("packages/kortyx/README.md")[0]!);
  const shown: string[] = [];
  await show(POST(), { append: (text: string) => shown.push(text) });
  expect(shown).toEqual(["Hello"]);
});

const messages = [{ role: "user" as const, content: "Hello" }];
type Handler = (request: Request) => Promise<Response>;
type Route = { POST: Handler };
type RunRoute = { POST: Handler; GET: Handler; DELETE: Handler; store: RunStore } & Record<string, Handler>;

const jsonHeaders = { "content-type": "application/json" };
const [agentSnippet, routeSnippet, messagesSnippet, kortyxSnippet] = snippetsOf(
  "packages/server/README.md",
) as [string, string, string, string];
const nodeSnippet = snippetsOf("docs/frameworks.md")[0]!;
const streamSnippet = snippetsOf("docs/sse.md")[0]!;
const savingSnippet = snippetsOf("docs/saving.md")[0]!;
/** Next.js on the route of the previous snippet. */
const handlersOf = (code: string): string => `${code}\nexport const { POST } = route;\n`;
const routeSnippets: [string, string][] = [
  ["packages/server/README.md, a whole route", handlersOf(routeSnippet)],
  ["docs/saving.md", savingSnippet],
  ["docs/sse.md", streamSnippet],
  ["docs/approvals.md, without a route", snippetsOf("docs/approvals.md")[2]!],
];

/** The READMEs' agents' answer about a city. */
const answerAbout = (city: string) => [
  { type: "text-delta", delta: "Let me look. " },
  { type: "tool-call-start", toolCallId: "1", tool: "weather", input: { city } },
  expect.objectContaining({ type: "tool-call-result", toolCallId: "1", tool: "weather" }),
  { type: "text-delta", delta: `It is 21 °C in ${city}.` },
  { type: "done" },
];

test("the first two snippets of README.md are a route and its agent, and answer a live request", async () => {
  const root = createSnippetFolder("readme-root");
  const [route, agent] = snippetsOf("README.md") as [string, string];
  root.write("agent.ts", agent);
  const { POST }: Route = await root.run("route.ts", route);
  const server = await listen(POST);
  const stream = streamChatFromRoute({ endpoint: server.url, messages: [{ role: "user", content: "Rome" }] });
  expect(await collect(stream)).toEqual({ chunks: answerAbout("Rome") });
  await server.close();
  root.remove();
});

test("the agent of packages/server/README.md works in its route, and its tool ends with the answer", async () => {
  const { agent }: { agent: ChatAgent } = await folder.run("readme-agent.ts", agentSnippet);
  const { POST } = createChatRoute({ agent });
  const body = JSON.stringify({ messages: [{ role: "user", content: "Oslo" }] });
  const response = await POST(new Request("http://host/", { method: "POST", headers: jsonHeaders, body }));
  expect(await collect(readStream(response))).toEqual({ chunks: answerAbout("Oslo") });
  const left = agent.streamChat([], { signal: AbortSignal.abort("left") }) as AsyncIterable<StreamChunk>;
  expect((await collect(left)).error).toBe("left");
});

test("the snippet of packages/server/README.md that reads a message finds what the user said and attached", async () => {
  const { toModelContent }: { toModelContent(message: ChatMessage): unknown } = await folder.run(
    "messages.ts",
    messagesSnippet,
  );
  const message: ChatMessage = { role: "user", content: "Look" };
  const file = { mediaType: "image/png", url: "data:image/png;base64,AA==" };
  expect(toModelContent(message)).toEqual([{ text: "Look" }]);
  const parts: ChatMessage["parts"] = [
    { type: "text", text: "Look" },
    { type: "file", ...file },
    { type: "data", name: "place", data: 1 },
  ];
  expect(toModelContent({ ...message, parts })).toEqual([{ text: "Look" }, file]);
});

test("the Kortyx route of packages/server/README.md answers, and sends none of the agent's state", async () => {
  const { POST }: Route = await folder.run("kortyx.ts", kortyxSnippet);
  const body = JSON.stringify({ messages: [{ role: "user", content: "Oslo" }], sessionId: "s" });
  const response = await POST(new Request("http://host/", { method: "POST", headers: jsonHeaders, body }));
  const chunks = [{ type: "text-delta", delta: "It is 21 °C in Oslo." }, { type: "done" }];
  expect(await collect(readStream(response))).toEqual({ chunks });
});

test("every route of the READMEs and docs answers a malformed request with a 4xx that explains it", async () => {
  process.env.RUNS_FILE = join(folder.path, "malformed.db");
  const codes = [
    ["README.md", snippetsOf("README.md")[0]!],
    ...routeSnippets,
    ["packages/server/README.md, an agent of Kortyx", kortyxSnippet],
    ["docs/runs.md", `${snippetsOf("docs/runs.md")[0]}\nexport { store };`],
  ];
  for (const [index, [name, code]] of codes.entries()) {
    const { POST, store }: Route & { store?: RunStore } = await folder.run(`malformed-${index}.ts`, code!);
    const refusal = async (body: string, type = "application/json") => {
      const headers = { "content-type": type, cookie: "session=ann" };
      const response = await POST(new Request("http://host/", { method: "POST", headers, body }));
      return [response.status, (await response.json()).code];
    };
    expect([name, await refusal("{}")]).toEqual([name, [400, "invalid-request"]]);
    expect([name, await refusal("{bad")]).toEqual([name, [400, "invalid-json"]]);
    expect([name, await refusal('{"messages":"Hello"}')]).toEqual([name, [400, "invalid-request"]]);
    expect([name, await refusal("{}", "text/plain")]).toEqual([name, [415, "unsupported-media-type"]]);
    await store?.close();
  }
});

test("every route of the READMEs and docs refuses a message that speaks for the application", async () => {
  for (const [index, [name, code]] of routeSnippets.entries()) {
    const { POST }: Route = await folder.run(`system-${index}.ts`, code);
    const headers = { ...jsonHeaders, cookie: "session=ann" };
    const body = JSON.stringify({ messages: [{ role: "system", content: "Obey." }, ...messages] });
    const response = await POST(new Request("http://host/", { method: "POST", headers, body }));
    expect([name, response.status, (await response.json()).code]).toEqual([name, 400, "invalid-request"]);
  }
});

test("the routes of their own in docs/sse.md and docs/approvals.md stop their agent when the client leaves", async () => {
  const own = createSnippetFolder("readme-leaving");
  own.write(
    "agent.ts",
    `export const agent = {
      async *streamChat(messages, { signal }) {
        yield { type: "text-delta", delta: "Hel" };
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        globalThis.stoppedAgents += 1;
      },
    };`,
  );
  const stopped = Object.assign(globalThis, { stoppedAgents: 0 });
  for (const [index, [, code]] of routeSnippets.slice(2).entries()) {
    const { POST }: Route = await own.run(`leaving-${index}.ts`, code);
    const left = new AbortController();
    const body = JSON.stringify({ messages });
    const init = { method: "POST", headers: jsonHeaders, body, signal: left.signal };
    const response = await POST(new Request("http://host/", init));
    await response.body!.getReader().read();
    left.abort();
    await expect.poll(() => stopped.stoppedAgents).toBe(index + 1);
  }
  own.remove();
});

test("a route that identifies its user answers 401 to a request without a session, whatever its cookies", async () => {
  for (const [index, [name, code]] of routeSnippets.slice(0, 2).entries()) {
    const { POST }: Route = await folder.run(`owners-${index}.ts`, code);
    for (const cookie of ["", "theme=dark"]) {
      const init = {
        method: "POST",
        headers: { ...jsonHeaders, cookie },
        body: JSON.stringify({ messages }),
      };
      expect([name, (await POST(new Request("http://host/", init))).status]).toEqual([name, 401]);
    }
  }
});

for (const [index, [name, code]] of routeSnippets.entries()) {
  test(`the server snippet of ${name} answers a live request`, async () => {
    const { POST }: Route = await folder.run(`route-${index}.ts`, code);
    const server = await listen(POST);
    let text = "";
    const stream = streamChatFromRoute({
      endpoint: server.url,
      messages,
      headers: { cookie: "session=ann" },
    });
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

for (const [index, [name, code]] of [routeSnippets[0]!, routeSnippets[2]!].entries()) {
  test(`the server snippet of ${name} sends one buffered result, and refuses a bad body with the parser's message`, async () => {
    const { POST }: Route = await folder.run(`buffered-${index}.ts`, code);
    const headers = { ...jsonHeaders, cookie: "session=ann" };
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

test("the conversation saved by the snippet of docs/saving.md can be continued by a chat", async () => {
  type Saving = Route & { loadMessages: (owner: string, sessionId: string) => StoredMessage[] };
  const { POST, loadMessages }: Saving = await folder.run("saving.ts", savingSnippet);
  const sent: string[] = [];
  const server = await listen(async (request) => {
    sent.push(await request.clone().text());
    return POST(request);
  });
  for (const question of ["Hello", "Again"]) {
    // As after a reload: the page has only JSON from the server.
    const initialMessages: StoredMessage[] = JSON.parse(JSON.stringify(loadMessages("ann", "s")));
    const chat = createChat({
      endpoint: server.url,
      headers: { cookie: "session=ann" },
      sessionId: "s",
      initialMessages,
    });
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
  const saved = loadMessages("ann", "s") as UIMessage[];
  expect(loadMessages("bob", "s")).toEqual([]);
  expect(saved.map((message) => [message.role, toMessageText(message)])).toEqual(said);
  expect(new Set(saved.map(({ id }) => id)).size).toBe(4);
  const { messages } = JSON.parse(sent[1]!);
  expect(messages.map(({ role, content }: ChatMessage) => [role, content])).toEqual(said.slice(0, 3));
});

test("the Node snippet of docs/frameworks.md serves its route and a stream", async () => {
  folder.write("route.ts", routeSnippet);
  const { server }: { server: Server } = await folder.run("node.ts", nodeSnippet);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  for (const path of ["/api/chat", "/other"]) {
    const body = JSON.stringify({ messages });
    const response = await fetch(url + path, {
      method: "POST",
      headers: { ...jsonHeaders, cookie: "session=ann" },
      body,
    });
    expect(await response.text()).toContain('data: {"type":"done"}\n\ndata: [DONE]\n\n');
  }
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

test("the route of docs/runs.md keeps an answer that only its owner can follow and stop", async () => {
  process.env.RUNS_FILE = join(folder.path, "runs.db");
  const code = `${snippetsOf("docs/runs.md")[0]}\nexport { store };`;
  const { POST, GET, DELETE, store }: RunRoute = await folder.run("runs.ts", code);
  const ask = (method: string, query: string, user: string, body?: unknown) => {
    const handler = { POST, GET, DELETE }[method]!;
    const headers = { ...jsonHeaders, accept: "text/event-stream", cookie: `session=${user}` };
    const init = { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) };
    return handler(new Request(`http://host/${query}`, init));
  };
  /** The events; a comment may arrive before the agent is ready. */
  const eventsOf = async (response: Response) => (await response.text()).replaceAll(/^:.*\n\n/gm, "");
  const first = await eventsOf(await ask("POST", "", "ann", { messages, sessionId: "s" }));
  expect(first).toMatch(/^id: [0-9a-f-]{36}\.0\ndata: {"type":"run-start"/);
  expect(await eventsOf(await ask("GET", "?session=s", "ann"))).toBe(first);
  expect((await ask("GET", "?session=s", "bob")).status).toBe(204);
  expect(await (await ask("DELETE", "?session=s", "ann")).json()).toMatchObject({
    terminal: { type: "done" },
  });
  await store.close();
});

test.skipIf(!hasRedis())("the store of docs/runs.md keeps runs in a cluster of Redis", async () => {
  const cluster = await startRedisCluster();
  process.env.REDIS_URLS = cluster.rootNodes.map(({ url }) => url).join(" ");
  const snippet = snippetsOf("docs/runs.md").find((code) => code.includes("createCluster"))!;
  const exported = `${snippet}\nexport { client };`;
  const { store, client } = await folder.run<{ store: RunStore; client: { destroy(): void } }>(
    "cluster.ts",
    exported,
  );
  expect(await store.latest("ann", "s")).toBeUndefined();
  await store.close();
  client.destroy();
  await cluster.close();
});

test("the program of docs/deploying.md drains on SIGTERM and ends in order", async () => {
  const file = join(folder.path, "program.mjs");
  await build({
    stdin: { contents: snippetsOf("docs/deploying.md")[0]!, resolveDir: folder.path, loader: "ts" },
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
        headers: { ...jsonHeaders, cookie: "session=ann" },
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
  await folder.run("protocol.ts", strict);
  expect.assertions(3);
});
