/** A client that leaves before it has an answer is not a failure, whatever server runs the route. */
import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import type { StreamChunk } from "@kortyx/protocol";
import express from "express";
import { serve as serveSrvx } from "srvx";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { toNodeHandler } from "../../src/node.ts";
import type { ChatRouteOptions } from "../../src/route/chat-route.ts";
import { createChatRoute } from "../../src/route/create-chat-route.ts";
import { createMemoryRunStore } from "../../src/stores/memory-run-store.ts";

const log = vi.spyOn(console, "error").mockImplementation(() => {});
beforeEach(() => log.mockClear());

type Handler = (request: Request) => Promise<Response>;
interface Running {
  port: number;
  close(): void;
}

async function listening(server: ReturnType<typeof createServer>): Promise<Running> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

const servers: [string, (handler: Handler) => Promise<Running>][] = [
  ["toNodeHandler", (handler) => listening(createServer(toNodeHandler(handler)))],
  ["Express", (handler) => listening(createServer(express().use(toNodeHandler(handler))))],
  [
    "Hono's server",
    (handler) => listening(createAdaptorServer({ fetch: handler }) as ReturnType<typeof createServer>),
  ],
  [
    "srvx",
    async (handler) => {
      const server = serveSrvx({ fetch: handler, port: 0, hostname: "127.0.0.1", silent: true });
      await server.ready();
      return { port: Number(new URL(server.url!).port), close: () => void server.close(true) };
    },
  ],
];

const clientCount = 50;

/** Waits until it is aborted, then fails as a model's client would. */
async function* failOnAbort(
  _messages: unknown,
  { signal }: { signal: AbortSignal },
): AsyncGenerator<StreamChunk> {
  await new Promise((resolve) => signal.addEventListener("abort", resolve));
  throw new Error("Request was aborted.");
}

const never = () => new Promise<never>(() => {});

/** What the server is waiting for when the client leaves. */
const stages: [string, { body?: object; isCut?: boolean; options: Partial<ChatRouteOptions> }][] = [
  ["during its upload", { isCut: true, options: {} }],
  ["before a stream has begun", { options: {} }],
  ["before a buffered answer", { body: { stream: false }, options: {} }],
  [
    "before or while its run is opened",
    { options: { authorize: "anonymous", runs: { store: createMemoryRunStore(), onStart: never } } },
  ],
  [
    "before the end of a run with a buffered answer",
    {
      body: { stream: false },
      options: { authorize: "anonymous", runs: { store: createMemoryRunStore(), onStart: never } },
    },
  ],
  [
    "while authorize waits on its signal",
    {
      options: {
        authorize: ({ signal }) =>
          new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
      },
    },
  ],
];

let running: Running | undefined;
afterEach(() => running?.close());

describe.each(servers)("on %s, a client that leaves", (_, serve) => {
  test.each(stages)("%s is not logged", async (_, { body, isCut = false, options }) => {
    let arrived = 0;
    let answered = 0;
    const route = createChatRoute({ agent: { streamChat: failOnAbort }, ...options });
    running = await serve(async (request) => {
      arrived++;
      try {
        return await route.fetch(request);
      } finally {
        answered++;
      }
    });
    const { port } = running;
    const text = JSON.stringify({ messages: [{ role: "user", content: "Hi" }], ...body });
    const sockets = await Promise.all(
      Array.from({ length: clientCount }, async () => {
        const socket = await new Promise<Socket>((resolve) => {
          const opened = connect(port, "127.0.0.1", () => resolve(opened));
        });
        socket.on("error", () => {});
        socket.write(
          `POST /api/chat HTTP/1.1\r\nhost: host\r\ncontent-type: application/json\r\ncontent-length: ${text.length}\r\n\r\n`,
        );
        socket.write(isCut ? text.slice(0, 10) : text);
        return socket;
      }),
    );
    await vi.waitFor(() => expect(arrived).toBe(clientCount), { interval: 5 });
    // Long enough for the steps after the upload, and short enough to come before most answers.
    await new Promise((resolve) => setTimeout(resolve, 10));
    for (const socket of sockets) socket.destroy();
    await vi.waitFor(() => expect(answered).toBe(clientCount), { interval: 5 });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(log.mock.calls).toEqual([]);
  });
});

test("a failure for another reason is logged, even if the client has left", async () => {
  const failure = new Error("The database does not answer.");
  const leaving = new AbortController();
  const route = createChatRoute({
    agent: { streamChat: failOnAbort },
    async authorize() {
      leaving.abort();
      throw failure;
    },
  });
  const response = await route.POST(
    new Request("http://host/", { method: "POST", body: "{}", signal: leaving.signal }),
  );
  expect(response.status).toBe(500);
  expect(log.mock.calls).toEqual([[expect.stringContaining("internal"), failure]]);
});

test("a body that Node's request lost is not logged, although no signal is aborted", async () => {
  const body = new ReadableStream({
    pull: (controller) => controller.error(Object.assign(new Error("aborted"), { code: "ECONNRESET" })),
  });
  const route = createChatRoute({ agent: { streamChat: failOnAbort } });
  const response = await route.POST(
    new Request("http://host/", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
      duplex: "half",
    } as RequestInit),
  );
  expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([
    400,
    "incomplete-body",
  ]);
  expect(log).not.toHaveBeenCalled();
});
