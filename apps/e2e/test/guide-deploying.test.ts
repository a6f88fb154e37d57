/** The recipes of docs/deploying.md, with the calls of their platforms. The program is in `readme.test.ts`. */

import { spawnSync } from "node:child_process";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect, createServer } from "node:net";
import { PassThrough } from "node:stream";
import { pathToFileURL } from "node:url";
import { readStream, reduceMessage } from "@kortyx/client";
import { hasRedis, type RedisServer, startRedis } from "@kortyx/test-redis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { collect, until } from "./live-server.ts";
import { createSnippetFolder, snippetsOf } from "./readme-snippets.ts";

const folder = createSnippetFolder("guide-deploying");
afterAll(() => folder.remove());
const [, next, vercel, lambda] = snippetsOf("docs/deploying.md") as [string, string, string, string];

const body = JSON.stringify({ messages: [{ role: "user", content: "Hello" }], sessionId: "s" });
const headers = { "content-type": "application/json", accept: "text/event-stream", cookie: "session=ann" };

test("Next.js: with its variable, the program ends by itself on SIGTERM, and otherwise the signal is left to Next.js", () => {
  const file = pathToFileURL(folder.write("instrumentation.ts", next)).href;
  const program = `const { register } = await import(${JSON.stringify(file)});
    await register();
    setInterval(() => {}, 1000);
    process.kill(process.pid, "SIGTERM");`;
  const endWith = (env: Record<string, string>) => {
    const options = { env: { ...process.env, NEXT_RUNTIME: "nodejs", ...env } };
    const { status, signal } = spawnSync(process.execPath, ["--input-type=module", "-e", program], options);
    return [status, signal];
  };
  expect(endWith({ NEXT_MANUAL_SIG_HANDLE: "true" })).toEqual([0, null]);
  expect(endWith({ NEXT_MANUAL_SIG_HANDLE: "" })).toEqual([null, "SIGTERM"]);
  expect(endWith({ NEXT_MANUAL_SIG_HANDLE: "true", NEXT_RUNTIME: "edge" })).toEqual([null, "SIGTERM"]);
});

describe.skipIf(!hasRedis())("Vercel", () => {
  let redis: RedisServer;
  beforeAll(async () => {
    const probe = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => probe.once("listening", resolve));
    const { port } = probe.address() as AddressInfo;
    await new Promise((resolve) => probe.close(resolve));
    redis = await startRedis({ port: `${port}`, bind: "127.0.0.1" });
    process.env.REDIS_URL = `redis://127.0.0.1:${port}`;
  });
  afterAll(() => redis?.close());

  test("the function is kept alive until its answer is complete, also without its page", async () => {
    const kept: Promise<unknown>[] = [];
    Object.assign(globalThis, { keepAlive: (promise: Promise<unknown>) => kept.push(promise) });
    folder.write("functions.ts", "export const waitUntil = (promise) => globalThis.keepAlive(promise);");
    folder.write(
      "agent.ts",
      `export const agent = {
        async *streamChat() {
          yield { type: "text-delta", delta: "Hel" };
          await globalThis.pageHasLeft;
          yield { type: "text-delta", delta: "lo" };
          yield { type: "done" };
        },
      };`,
    );
    const left = Promise.withResolvers<void>();
    Object.assign(globalThis, { pageHasLeft: left.promise });
    type Route = Record<"POST" | "GET", (request: Request) => Promise<Response>>;
    const { POST, GET } = await folder.run<Route>(
      "vercel.ts",
      vercel.replace("@vercel/functions", "./functions.ts"),
    );
    const leaving = new AbortController();
    const { signal } = leaving;
    const response = await POST(new Request("http://host/", { method: "POST", headers, body, signal }));
    await response.body!.getReader().read();
    leaving.abort();
    left.resolve();
    await until(() => kept.length > 0, "the function is kept alive");
    await Promise.all(kept);
    const { chunks } = await collect(
      readStream(await GET(new Request("http://host/?session=s", { headers }))),
    );
    expect(reduceMessage(chunks)).toMatchObject({ status: "done", parts: [{ type: "text", text: "Hello" }] });
  });
});

test("Vercel: loading the route, as a build does, opens no connection to Redis", async () => {
  const build = createSnippetFolder("guide-deploying-build");
  let connections = 0;
  const redis = createServer((socket) => {
    connections += 1;
    socket.destroy();
  }).listen(0, "127.0.0.1");
  await once(redis, "listening");
  const { port } = redis.address() as AddressInfo;
  process.env.REDIS_URL = `redis://127.0.0.1:${port}`;
  build.write("functions.ts", "export const waitUntil = () => {};");
  await build.run("vercel.ts", vercel.replace("@vercel/functions", "./functions.ts"));
  // Arrives after one that loading has opened.
  await once(connect(port, "127.0.0.1"), "close");
  expect(connections).toBe(1);
  redis.close();
  build.remove();
});

test("AWS Lambda streams an answer through its writable", async () => {
  const sent: { statusCode: number; headers: Record<string, string> }[] = [];
  Object.assign(globalThis, {
    awslambda: {
      streamifyResponse: (handler: unknown) => handler,
      HttpResponseStream: {
        from(stream: PassThrough, head: (typeof sent)[number]) {
          sent.push(head);
          return stream;
        },
      },
    },
  });
  const own = createSnippetFolder("guide-deploying-lambda");
  type Handler = (event: object, stream: PassThrough, context: object) => Promise<void>;
  const { handler } = await own.run<{ handler: Handler }>("lambda.ts", lambda);
  const stream = new PassThrough();
  const http = { method: "POST", path: "/api/chat" };
  const event = { version: "2.0", rawPath: "/api/chat", rawQueryString: "", headers, body };
  await handler(
    { ...event, requestContext: { domainName: "host", http }, isBase64Encoded: false },
    stream,
    {},
  );
  expect(sent).toMatchObject([{ statusCode: 200, headers: { "content-type": "text/event-stream" } }]);
  const { chunks } = await collect(readStream(stream));
  expect(reduceMessage(chunks)).toMatchObject({ status: "done", parts: [{ type: "text", text: "Hello" }] });
  own.remove();
});
