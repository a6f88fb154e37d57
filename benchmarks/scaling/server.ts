/**
 * What streams cost a server process, by its store: CPU, heap and bytes, for a chunk, an answer, a follower and a silent
 * stream. Each store has a server process of its own; this process has the clients, and is not measured.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { startRedis } from "../workloads/redis-server.ts";
import type { ServerReport, Shape, StoreKind } from "./server-process.ts";

/** Sockets of each measurement. */
const connections = 200;
const idleConnections = 1000;
const windowMs = 3000;
/** More than one heartbeat of each stream. */
const idleWindowMs = 9000;
const answers = 600;

export const storeKinds = ["plain", "memory", "sqlite", "redis"] as const satisfies StoreKind[];
export const shapeNames = ["short", "long", "object"] as const satisfies Shape[];

/** What one server process costs, in microseconds of its CPU time or in bytes. */
export type ServerCosts = Record<string, number>;

class ServerProcess {
  readonly #child: ChildProcess;
  readonly #sockets: Socket[] = [];
  #port = 0;
  #bytes = 0;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async start(kind: StoreKind, redisUrl: string): Promise<ServerProcess> {
    const child = fork(new URL("server-process.ts", import.meta.url), [kind, redisUrl], {
      execArgv: ["--expose-gc", "--disable-warning=ExperimentalWarning"],
    });
    const server = new ServerProcess(child);
    [server.#port] = await once(child, "message");
    return server;
  }

  async report(question: "heap" | "counts" | "timers"): Promise<ServerReport & { clientBytes: number }> {
    this.#child.send(question);
    const [report] = await once(this.#child, "message");
    return { ...report, clientBytes: this.#bytes };
  }

  /** Opens a stream. @returns its run, if it has one, after the first text has arrived; or once it is over. */
  async open(head: string, body: string, until: RegExp): Promise<string> {
    const socket = connect({ port: this.#port, host: "127.0.0.1" });
    this.#sockets.push(socket);
    await once(socket, "connect");
    socket.write(
      `${head}\r\nhost: localhost\r\naccept: text/event-stream\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    return new Promise((resolve, reject) => {
      let text: string | undefined = "";
      socket.on("error", reject);
      socket.on("data", (data) => {
        this.#bytes += data.length;
        if (text === undefined) return;
        text += data.toString("latin1");
        if (!until.test(text)) return;
        resolve(/"runId":"([^"]+)"/.exec(text)?.[1] ?? "");
        text = undefined;
      });
    });
  }

  post(content: string, until = /"text-delta"|"structured-data"/): Promise<string> {
    const body = JSON.stringify({ messages: [{ role: "user", content }] });
    return this.open("POST / HTTP/1.1\r\ncontent-type: application/json", body, until);
  }

  /** Closes the connections, and stops the agents. */
  async closeAll(): Promise<void> {
    for (const socket of this.#sockets.splice(0)) socket.destroy();
    this.#child.send("stop");
    await once(this.#child, "message");
  }

  async stop(): Promise<void> {
    this.#child.disconnect();
    await once(this.#child, "exit");
  }
}

type Report = Awaited<ReturnType<ServerProcess["report"]>>;

async function watch(server: ServerProcess, ms: number): Promise<[before: Report, after: Report]> {
  const before = await server.report("counts");
  await sleep(ms);
  return [before, await server.report("counts")];
}

const inBatches = async <Item>(count: number, open: () => Promise<Item>): Promise<Item[]> => {
  const items: Item[] = [];
  while (items.length < count) {
    const missing = Math.min(100, count - items.length);
    items.push(...(await Promise.all(Array.from({ length: missing }, open))));
  }
  return items;
};

/** Answers of paced chunks, each with this number of readers. @returns the CPU for each chunk that reaches a reader. */
async function measurePaced(server: ServerProcess, shape: Shape, readers: number): Promise<ServerCosts> {
  const runIds = await inBatches(connections / readers, () => server.post(shape));
  const follow = (index: number) => {
    const runId = runIds[index % runIds.length]!;
    return server.open(`GET /?run=${runId} HTTP/1.1`, "", /\ndata: /);
  };
  let next = 0;
  await inBatches(connections - runIds.length, () => follow(next++));
  await sleep(1500);
  const [before, after] = await watch(server, windowMs);
  await server.closeAll();
  const delivered = (after.chunks - before.chunks) * readers;
  return {
    cpuUs: (after.cpuUs - before.cpuUs) / delivered,
    bytes: (after.clientBytes - before.clientBytes) / delivered,
  };
}

/** The CPU of the agents' own timers for each chunk, without a route. */
async function measureTimers(server: ServerProcess): Promise<number> {
  const before = await server.report("timers");
  await sleep(1500);
  const [start, end] = await watch(server, windowMs);
  await server.closeAll();
  if (end.chunks === before.chunks) throw new Error("No timers ran.");
  return (end.cpuUs - start.cpuUs) / (end.chunks - start.chunks);
}

async function measureIdle(server: ServerProcess): Promise<ServerCosts> {
  await inBatches(200, () => server.post("silent"));
  await server.closeAll();
  await sleep(500);
  const closed = await server.report("heap");
  await inBatches(idleConnections, () => server.post("silent"));
  await sleep(500);
  const open = await server.report("heap");
  const [before, after] = await watch(server, idleWindowMs);
  await server.closeAll();
  return {
    idleHeapBytes: (open.heapBytes - closed.heapBytes) / idleConnections,
    idleUsPerSecond: (after.cpuUs - before.cpuUs) / idleConnections / (idleWindowMs / 1000),
  };
}

async function measureAnswers(server: ServerProcess): Promise<number> {
  const answer = () => server.post("answer", /\[DONE\]/);
  await inBatches(200, answer);
  const before = await server.report("counts");
  await inBatches(answers, answer);
  const after = await server.report("counts");
  await server.closeAll();
  return (after.cpuUs - before.cpuUs) / answers;
}

async function measureStore(kind: StoreKind, redisUrl: string): Promise<ServerCosts> {
  const server = await ServerProcess.start(kind, redisUrl);
  const baseBytes = (await server.report("heap")).rssBytes;
  // A long-running server has compiled its hot code.
  await measurePaced(server, "short", 1);
  const timersUs = await measureTimers(server);
  const costs: ServerCosts = { baseBytes, timersUs };
  for (const shape of shapeNames) {
    const { cpuUs, bytes } = await measurePaced(server, shape, 1);
    Object.assign(costs, { [`${shape}Us`]: cpuUs! - timersUs, [`${shape}Bytes`]: bytes });
  }
  if (kind !== "plain") {
    for (const readers of [10, 100]) {
      const { cpuUs } = await measurePaced(server, "short", readers);
      costs[`readers${readers}Us`] = cpuUs! - timersUs / readers;
    }
  }
  costs.answerUs = await measureAnswers(server);
  Object.assign(costs, await measureIdle(server));
  await server.stop();
  return costs;
}

/** One round: each store once. @returns the costs, by store and name. */
export async function measureServer(): Promise<Record<string, ServerCosts>> {
  const redis = await startRedis();
  const measured: Record<string, ServerCosts> = {};
  for (const kind of storeKinds) measured[kind] = await measureStore(kind, redis.url);
  redis.stop();
  return measured;
}
