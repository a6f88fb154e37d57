/**
 * Every way for a stream to leave a Node process: the bridge of `src/node.ts` on Node's own servers, in Express and in
 * Fastify, and a plain `Response` on servers that have their own bridge. Starts servers, and tests nothing.
 */
import { createServer } from "node:http";
import { createSecureServer } from "node:http2";
import type { AddressInfo, Server } from "node:net";
import { serve as serveHono } from "@hono/node-server";
import compression from "compression";
import express from "express";
import Fastify from "fastify";
import { Hono } from "hono";
import { serve as serveSrvx } from "srvx";
import { toSSE } from "../../src/index.ts";
import { type NodeRequest, type NodeResponse, sendStream, toNodeHandler } from "../../src/node.ts";
import type { StreamSource } from "../../src/stream/source.ts";
import type { StreamResponseOptions } from "../../src/stream/to-sse.ts";
import { selfSignedCertificate } from "./self-signed-certificate.ts";

/** The answer of a server to a request. */
export interface Answer {
  source: StreamSource;
  options?: StreamResponseOptions | undefined;
}

/** Called for each request; `request` is set for handlers that have one. */
type Answerer = (request?: Request) => Answer | Promise<Answer>;

export interface RunningTarget {
  /** The origin, on a port chosen by the system. */
  origin: string;
  /** The certificate that a client must trust; only for `https:`. */
  certificate?: string | undefined;
  server: Server;
  /** The number of calls of `sendStream` or of a handler's listener that have not resolved yet. */
  unresolved(): number;
  close(): Promise<void>;
}

export interface Target {
  name: string;
  protocol: "http1" | "http2";
  /** The `compression` middleware is mounted. */
  isCompressed: boolean;
  /** The code that writes to the socket. `framework`: the framework itself, from a plain `Response`. */
  bridge: "sendStream" | "toNodeHandler" | "framework";
  start(answer: Answerer): Promise<RunningTarget>;
}

type Listener = (req: NodeRequest, res: NodeResponse) => Promise<void>;

/** A route that writes to the Node response. */
const streamListener =
  (answer: Answerer): Listener =>
  async (req, res) => {
    const { source, options } = await answer();
    return sendStream(req, res, source, options);
  };

/** A route that returns a `Response`. It handles HEAD itself, because `toSSE` would open the source. */
const handle =
  (answer: Answerer) =>
  async (request: Request): Promise<Response> => {
    const headers = { "content-type": "text/event-stream", "cache-control": "no-cache" };
    if (request.method === "HEAD") return new Response(null, { headers });
    const { source, options } = await answer(request);
    return toSSE(source, options);
  };

const handlerListener = (answer: Answerer): Listener => toNodeHandler(handle(answer));

/** Counts the calls of a listener that have not resolved yet. */
function counted(listener: Listener) {
  let count = 0;
  return {
    async listener(req: NodeRequest, res: NodeResponse): Promise<void> {
      count++;
      await listener(req, res);
      count--;
    },
    unresolved: () => count,
  };
}

const host = "127.0.0.1";
const portOf = (server: Server) => (server.address() as AddressInfo).port;
const untilClosed = (server: Server) =>
  new Promise<void>((resolve, reject) => {
    server.close((error) => (error ? reject(error) : resolve()));
  });

async function listening(server: Server): Promise<number> {
  server.listen(0, host);
  await new Promise((resolve) => server.once("listening", resolve));
  return portOf(server);
}

async function startHttp1(listener: Listener): Promise<RunningTarget> {
  const { unresolved, listener: onRequest } = counted(listener);
  const server = createServer(onRequest);
  const origin = `http://${host}:${await listening(server)}`;
  return { origin, server, unresolved, close: () => untilClosed(server) };
}

async function startHttp2(listener: Listener): Promise<RunningTarget> {
  const { unresolved, listener: onRequest } = counted(listener);
  const { key, cert } = await selfSignedCertificate();
  const server = createSecureServer({ key, cert, allowHTTP1: false }, onRequest);
  const origin = `https://${host}:${await listening(server)}`;
  return { origin, certificate: cert, server, unresolved, close: () => untilClosed(server) };
}

async function startExpress(listener: Listener): Promise<RunningTarget> {
  const { unresolved, listener: onRequest } = counted(listener);
  const app = express();
  app.use(compression());
  app.get("/", onRequest);
  const server = createServer(app);
  const origin = `http://${host}:${await listening(server)}`;
  return { origin, server, unresolved, close: () => untilClosed(server) };
}

async function startFastify(listener: Listener): Promise<RunningTarget> {
  const { unresolved, listener: onRequest } = counted(listener);
  const fastify = Fastify();
  fastify.route({
    method: ["GET", "HEAD"],
    url: "/",
    handler(request, reply) {
      reply.hijack();
      return onRequest(request.raw, reply.raw);
    },
  });
  const origin = await fastify.listen({ port: 0, host });
  return { origin, server: fastify.server, unresolved, close: () => fastify.close() };
}

async function startHono(answer: Answerer, overrideGlobalObjects: boolean): Promise<RunningTarget> {
  const { Request, Response } = globalThis;
  const app = new Hono().get("/", (context) => handle(answer)(context.req.raw));
  const server = await new Promise<Server>((resolve) => {
    const starting = serveHono({ fetch: app.fetch, port: 0, hostname: host, overrideGlobalObjects }, () =>
      resolve(starting as Server),
    );
  });
  return {
    origin: `http://${host}:${portOf(server)}`,
    server,
    unresolved: () => 0,
    async close() {
      await untilClosed(server);
      Object.assign(globalThis, { Request, Response });
    },
  };
}

async function startSrvx(answer: Answerer): Promise<RunningTarget> {
  const running = serveSrvx({
    fetch: handle(answer),
    port: 0,
    hostname: host,
    silent: true,
    gracefulShutdown: false,
  });
  await running.ready();
  const server = running.node!.server as Server;
  return {
    origin: `http://${host}:${portOf(server)}`,
    server,
    unresolved: () => 0,
    close: () => running.close(),
  };
}

export const targets: Target[] = [
  {
    name: "node:http with sendStream",
    protocol: "http1",
    isCompressed: false,
    bridge: "sendStream",
    start: (answer) => startHttp1(streamListener(answer)),
  },
  {
    name: "node:http with toNodeHandler",
    protocol: "http1",
    isCompressed: false,
    bridge: "toNodeHandler",
    start: (answer) => startHttp1(handlerListener(answer)),
  },
  {
    name: "node:http2 with sendStream",
    protocol: "http2",
    isCompressed: false,
    bridge: "sendStream",
    start: (answer) => startHttp2(streamListener(answer)),
  },
  {
    name: "node:http2 with toNodeHandler",
    protocol: "http2",
    isCompressed: false,
    bridge: "toNodeHandler",
    start: (answer) => startHttp2(handlerListener(answer)),
  },
  {
    name: "Express with compression and sendStream",
    protocol: "http1",
    isCompressed: true,
    bridge: "sendStream",
    start: (answer) => startExpress(streamListener(answer)),
  },
  {
    name: "Express with compression and toNodeHandler",
    protocol: "http1",
    isCompressed: true,
    bridge: "toNodeHandler",
    start: (answer) => startExpress(handlerListener(answer)),
  },
  {
    name: "Fastify with sendStream",
    protocol: "http1",
    isCompressed: false,
    bridge: "sendStream",
    start: (answer) => startFastify(streamListener(answer)),
  },
  {
    name: "Hono with a plain Response",
    protocol: "http1",
    isCompressed: false,
    bridge: "framework",
    start: (answer) => startHono(answer, false),
  },
  {
    name: "Hono by default, with its own Response class",
    protocol: "http1",
    isCompressed: false,
    bridge: "framework",
    start: (answer) => startHono(answer, true),
  },
  {
    name: "srvx with a plain Response",
    protocol: "http1",
    isCompressed: false,
    bridge: "framework",
    start: startSrvx,
  },
];
