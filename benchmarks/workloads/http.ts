/**
 * A server in this process, its clients in another: `http full`, one client at full speed; `http paced`, 500 clients
 * with 20 chunks a second each; `http idle`, 2,000 streams that wait. `<implementation>/hono` sends a `Response` on
 * Hono's Node server, `/node` writes to a response of `node:http`, `/bridge` is our own bridge.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Job, Measures } from "../harness/run-rounds.ts";
import { median, percentile } from "../harness/statistics.ts";
import type { Implementation, Source } from "../implementations/implementation.ts";
import type { LoadAnswer, LoadRequest } from "./http-load.ts";
import { shapes } from "./shapes.ts";
import { createSource } from "./sources.ts";

const pacedClients = 500;
const paceMs = 50;
const idleStreams = 2000;

export async function measure({ variant: [scenario], name, budgetMs, load }: Job): Promise<Measures> {
  const implementation = await load();
  let createNextSource: () => Source = () => createSource([], "sync");
  const server = await listen(implementation, name, () => createNextSource());
  const { port } = server.address() as AddressInfo;
  const clients = fork(new URL("http-load.ts", import.meta.url), {
    execArgv: ["--disable-warning=ExperimentalWarning"],
  });
  const ask = async (request: Omit<LoadRequest, "port"> | { close: true }): Promise<LoadAnswer> => {
    clients.send({ ...request, port });
    return (await once(clients, "message"))[0] as LoadAnswer;
  };
  const prepare = (count: number): unknown[] => {
    const original = shapes.id!(count);
    // The limit writes frames that are already printed.
    if (name.startsWith("limit")) return original.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`);
    return implementation.translate?.(original) ?? original;
  };

  if (scenario === "full") {
    const chunks = prepare(10_000);
    createNextSource = () => createSource(chunks, "burst16");
    const { bytes } = await ask({ connections: 1, waitFor: "end" });
    if (bytes < 20 * chunks.length) throw new Error(`Only ${bytes} bytes for ${chunks.length} chunks.`);
    await ask({ connections: 1, waitFor: "end" });
    const before = process.cpuUsage();
    let streams = 0;
    for (const until = performance.now() + budgetMs * 1.5; performance.now() < until; streams++) {
      await ask({ connections: 1, waitFor: "end" });
    }
    return { cpuUs: cpuSince(before) / (streams * chunks.length) };
  }

  if (scenario === "paced") {
    // A long-running server has already compiled its hot code.
    const many = prepare(10_000);
    createNextSource = () => createSource(many, "alone");
    for (let times = 0; times < 3; times++) await ask({ connections: 2, waitFor: "end" });
    const chunks = prepare(3);
    createNextSource = () => createIdleSource(chunks);
    const waves: number[][] = [];
    for (let wave = 0; wave < 5; wave++) {
      waves.push((await ask({ connections: pacedClients, waitFor: "first" })).firstMs);
      await ask({ close: true });
    }
    waves.splice(0, 2);

    let sent = 0;
    createNextSource = () => createPacedSource(chunks, () => sent++);
    await ask({ connections: pacedClients, waitFor: "first" });
    await sleep(500);
    // Collects the garbage of the waves first, because it is not part of the cost of a chunk.
    heapBytes();
    const before = process.cpuUsage();
    const sentBefore = sent;
    await sleep(budgetMs * 5);
    return {
      cpuUs: cpuSince(before) / (sent - sentBefore),
      firstP50Ms: median(waves.map((wave) => percentile(wave, 0.5))),
      firstP99Ms: median(waves.map((wave) => percentile(wave, 0.99))),
    };
  }

  const chunks = prepare(3);
  createNextSource = () => createIdleSource(chunks);
  // Fills pools and compiles code.
  for (let wave = 0; wave < 2; wave++) {
    await ask({ connections: 500, waitFor: "first" });
    await ask({ close: true });
  }
  const before = await heapAfterClose(server);
  await ask({ connections: idleStreams, waitFor: "first" });
  await sleep(300);
  const open = heapBytes();
  await ask({ close: true });
  const after = await heapAfterClose(server);
  return { heapKB: (open - before) / idleStreams / 1024, leftKB: (after - before) / idleStreams / 1024 };
}

const cpuSince = (before: NodeJS.CpuUsage): number => {
  const { user, system } = process.cpuUsage(before);
  return user + system;
};

async function* createIdleSource(chunks: unknown[]): AsyncGenerator<unknown> {
  // Includes the opening chunks before the first text.
  for (const chunk of chunks) yield chunk;
  await new Promise(() => {});
}

async function* createPacedSource(chunks: unknown[], onChunk: () => void): AsyncGenerator<unknown> {
  for (const chunk of chunks) yield chunk;
  await sleep(Math.random() * paceMs);
  for (;;) {
    onChunk();
    yield chunks[1];
    await sleep(paceMs);
  }
}

function heapBytes(): number {
  for (let times = 0; times < 3; times++) globalThis.gc!();
  return process.memoryUsage().heapUsed;
}

async function heapAfterClose(server: Server): Promise<number> {
  const count = () => new Promise<number>((resolve) => server.getConnections((_, open) => resolve(open)));
  while ((await count()) > 0) await sleep(50);
  // Gives late handlers of closed connections time to run.
  await sleep(500);
  heapBytes();
  await sleep(100);
  return heapBytes();
}

async function listen(implementation: Implementation, name: string, next: () => Source): Promise<Server> {
  const via = name.split("/")[1];
  let server: Server;
  if (via === "hono") {
    const { createAdaptorServer } = await import("@hono/node-server");
    const { Hono } = await import("hono");
    const app = new Hono().get("*", () => implementation.encode!(next()));
    server = createAdaptorServer({ fetch: app.fetch }) as Server;
  } else if (via === "bridge") {
    const { toNodeHandler } = await import("../../packages/server/dist/node.js");
    server = createServer(toNodeHandler(async () => implementation.encode!(next())));
  } else {
    server = createServer((req, res) => void implementation.serve!(next(), req, res));
  }
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}
