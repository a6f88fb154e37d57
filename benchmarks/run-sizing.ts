/**
 * The resources of runs, for the section "Sizing" of docs/runs.md: `node benchmarks/run-sizing.ts` prints it in about a
 * minute. Each store is measured in a separate server process; this one sends the requests. Needs a build and
 * redis-server.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createChatRoute, createMemoryRunStore, type RunStore } from "../packages/server/dist/index.js";
import { toNodeHandler } from "../packages/server/dist/node.js";
import { median } from "./harness/statistics.ts";
import { countCommands } from "./redis-commands.ts";
import { textChunks } from "./workloads/chunks.ts";
import { startRedis } from "./workloads/redis-server.ts";

const tokens = textChunks(1000).map((chunk) => JSON.stringify(chunk));
const jsonBytes = tokens.join("").length;
/** The number of runs written to measure the size of one. */
const runCounts = { small: 400, large: 20 };
const requests = 150;
const paceMs = 50;
/** A step of the ramp has this many times the runs of the previous one. */
const growth = 1.4;
const firstStep = 200;
const maxRuns = 2000;
/** Runs count as carried if the agent can yield this share of their chunks within `paceMs`. */
const carriedShare = 0.95;

const stores = ["memory", "sqlite", "redis"] as const;
type Kind = "plain" | (typeof stores)[number];

/** A store, and a measurement of its size. */
interface OpenStore {
  store: RunStore;
  measureBytes(): Promise<number>;
  remove(): void;
}

async function openStore(kind: Kind, redisUrl: string): Promise<OpenStore> {
  if (kind === "sqlite") {
    const { DatabaseSync } = await import("node:sqlite");
    const { createSqliteRunStore } = await import("../packages/server/dist/sqlite.js");
    const folder = mkdtempSync(join(tmpdir(), "kortyx-sizing-"));
    const path = join(folder, "runs.db");
    const store = createSqliteRunStore({ path });
    const database = new DatabaseSync(path);
    const read = (pragma: string) => Number(Object.values(database.prepare(`PRAGMA ${pragma}`).get()!)[0]);
    return {
      store,
      measureBytes: async () => read("page_count") * read("page_size"),
      remove: () => rmSync(folder, { recursive: true }),
    };
  }
  if (kind === "redis") {
    const { createClient } = await import("redis");
    const { createRedisRunStore } = await import("../packages/server/dist/redis.js");
    const client = await createClient({ url: redisUrl }).connect();
    return {
      store: createRedisRunStore({ client }),
      measureBytes: async () => Number(/used_memory:(\d+)/.exec(await client.info("memory"))![1]),
      remove: () => client.destroy(),
    };
  }
  const measureBytes = async () => {
    for (let times = 0; times < 3; times++) globalThis.gc!();
    return process.memoryUsage().heapUsed;
  };
  return { store: createMemoryRunStore(), measureBytes, remove: () => {} };
}

/** @returns the bytes of a finished run whose chunks came one at a time, like those of a model. */
async function measureRun(
  { store, measureBytes }: OpenStore,
  entries: string[],
  runs: number,
): Promise<number> {
  const write = async () => {
    const runId = crypto.randomUUID();
    const sessionId = crypto.randomUUID();
    const request = { runId, owner: "ann", sessionId, key: runId, bodyHash: "0".repeat(64) };
    await store.open({ ...request, maxOpenRuns: runs, allowActiveRun: false });
    for (const [seq, entry] of entries.entries()) {
      if ((await store.append(runId, seq, [entry])) !== "ok") throw new Error("Not appended.");
    }
    await store.end(runId, { type: "done" });
  };
  // The first run also pays for the parts that all runs share.
  await write();
  const before = await measureBytes();
  await Promise.all(Array.from({ length: runs }, write));
  return ((await measureBytes()) - before) / runs;
}

type Question = "sizes" | "progress";
interface Sizes {
  smallBytes: number;
  runBytes: number;
}
interface Progress {
  /** Only chunks in time. */
  chunks: number;
  atMs: number;
}

/** In a child: a route without runs at /plain, one with runs at every other path, and the progress of their chunks. */
async function serve(kind: Kind, redisUrl: string): Promise<void> {
  const opened = await openStore(kind, redisUrl);
  let chunks = 0;
  const agent = {
    async *streamChat([message]: { content?: unknown }[], { signal }: { signal?: AbortSignal | undefined }) {
      yield { type: "text-delta", delta: "Hello " } as const;
      if (message!.content !== "talk") return;
      // Spread out, like the runs of many users.
      let dueAt = performance.now() + Math.random() * paceMs;
      while (!signal?.aborted) {
        await sleep(Math.max(0, dueAt - performance.now()));
        // A store that is too slow makes the agent wait.
        if (performance.now() < dueAt + paceMs) chunks++;
        dueAt += paceMs;
        yield { type: "text-delta", delta: "word " } as const;
      }
    },
  };
  const plain = toNodeHandler(createChatRoute({ agent }).fetch);
  const durable = toNodeHandler(
    createChatRoute({ agent, authorize: "anonymous", runs: { store: opened.store } }).fetch,
  );
  const server = createServer((req, res) => void (req.url === "/plain" ? plain : durable)(req, res));
  await once(server.listen(0, "127.0.0.1"), "listening");
  process.on("message", async (question: Question) => {
    if (question === "sizes") {
      const smallBytes = await measureRun(opened, tokens.slice(0, 1), runCounts.small);
      const runBytes = await measureRun(opened, tokens, runCounts.large);
      process.send!({ smallBytes, runBytes } satisfies Sizes);
    } else {
      process.send!({ chunks, atMs: performance.now() } satisfies Progress);
    }
  });
  process.on("disconnect", () => {
    opened.remove();
    process.exit();
  });
  process.send!((server.address() as AddressInfo).port);
}

interface ServerProcess {
  port: number;
  ask<Answer>(question: Question): Promise<Answer>;
  stop(): Promise<unknown>;
}

async function startServer(kind: Kind, redisUrl: string): Promise<ServerProcess> {
  const child: ChildProcess = fork(fileURLToPath(import.meta.url), [kind, redisUrl], {
    execArgv: ["--expose-gc", "--disable-warning=ExperimentalWarning"],
  });
  const receive = async () => (await once(child, "message"))[0];
  return {
    port: await receive(),
    ask(question) {
      child.send(question);
      return receive();
    },
    stop() {
      child.disconnect();
      return once(child, "exit");
    },
  };
}

const headers = { "content-type": "application/json", accept: "text/event-stream" };
const bodyOf = (content: string) => JSON.stringify({ messages: [{ role: "user", content }] });

/** @returns the time to the first text with runs, divided by the time without. */
async function measureFirstText({ port }: ServerProcess): Promise<{ plainMs: number; ratio: number }> {
  const times = { plain: [] as number[], durable: [] as number[] };
  for (let count = 0; count < requests; count++) {
    for (const path of ["plain", "durable"] as const) {
      const startedAt = performance.now();
      const response = await fetch(`http://127.0.0.1:${port}/${path}`, {
        method: "POST",
        headers,
        body: bodyOf("greet"),
      });
      let text = "";
      let firstMs = Number.NaN;
      const decoder = new TextDecoder();
      for await (const piece of response.body!) {
        text += decoder.decode(piece, { stream: true });
        if (Number.isNaN(firstMs) && text.includes('"text-delta"')) firstMs = performance.now() - startedAt;
      }
      if (!text.endsWith("[DONE]\n\n")) throw new Error(`No answer: ${text}`);
      times[path].push(firstMs);
    }
  }
  // The first third warms up the compiler.
  const [plainMs, durableMs] = [times.plain, times.durable].map((all) => median(all.slice(requests / 3)));
  return { plainMs: plainMs!, ratio: durableMs! / plainMs! };
}

async function startTalk(port: number, path: string): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1" });
  await once(socket, "connect");
  const body = bodyOf("talk");
  const lines = Object.entries({ host: "localhost", ...headers, "content-length": String(body.length) });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  socket.write(`POST /${path} HTTP/1.1\r\n${head}\r\n${body}`);
  await once(socket, "data");
  return socket.resume();
}

/** @returns whether the chunks are in time in one of two windows. */
async function areInTime(server: ServerProcess, runs: number): Promise<boolean> {
  for (let windows = 0; windows < 2; windows++) {
    await sleep(300);
    const before = await server.ask<Progress>("progress");
    await sleep(500);
    const after = await server.ask<Progress>("progress");
    const due = (runs * (after.atMs - before.atMs)) / paceMs;
    if (after.chunks - before.chunks >= due * carriedShare) return true;
  }
  return false;
}

/** Raises the number of runs, each with a reader, until their chunks are late. @returns the number carried. */
async function measureCapacity(server: ServerProcess, path: string): Promise<string> {
  const sockets: Socket[] = [];
  let carried = `under ${firstStep}`;
  for (let runs = firstStep; runs <= maxRuns; runs = Math.round(runs * growth)) {
    const added = Array.from({ length: runs - sockets.length }, () => startTalk(server.port, path));
    sockets.push(...(await Promise.all(added)));
    if (!(await areInTime(server, runs))) break;
    carried = String(runs);
  }
  for (const socket of sockets) socket.destroy();
  return carried;
}

const kibibytes = (bytes: number): string => `${(bytes / 1024).toFixed(0)} KiB`;

async function main(): Promise<void> {
  const redis = await startRedis();
  const columns: string[][] = [];
  let plainMs = Number.NaN;
  for (const kind of stores) {
    const server = await startServer(kind, redis.url);
    const { smallBytes, runBytes } = await server.ask<Sizes>("sizes");
    const firstText = await measureFirstText(server);
    plainMs = firstText.plainMs;
    const carried = await measureCapacity(server, "durable");
    await server.stop();
    columns.push([
      kibibytes(runBytes),
      ((runBytes - smallBytes - jsonBytes) / tokens.length).toFixed(0),
      smallBytes.toFixed(0),
      firstText.ratio.toFixed(2),
      carried,
    ]);
  }
  const server = await startServer("plain", redis.url);
  const plain = await measureCapacity(server, "plain");
  await server.stop();
  const [memory, sqlite, redisColumn] = columns;
  const rows: [string, string][] = [
    [`a finished run of ${tokens.length.toLocaleString("en")} chunks (${kibibytes(jsonBytes)} of JSON)`, ""],
    ["of that, each chunk in addition to its JSON, bytes", ""],
    ["a finished run of one chunk, bytes", ""],
    [`from POST to first text, as a ratio to a plain stream (${plainMs.toFixed(1)} ms)`, "1"],
    [`runs of ${1000 / paceMs} chunks a second that one process carries`, plain],
  ];
  console.log("| | plain stream | memory | SQLite | Redis |\n| --- | --- | --- | --- | --- |");
  for (const [index, [what, without]] of rows.entries()) {
    console.log(`| ${what} | ${without} | ${memory![index]} | ${sqlite![index]} | ${redisColumn![index]} |`);
  }
  for (const [processes, name] of [
    [0, "with its own reader"],
    [1, "and 20 followers in another process"],
  ] as const) {
    const { appends, evalsha } = await countCommands(redis.url, "talk", [true, processes, 20], 3000);
    console.log(`Commands to Redis for each append, ${name}: ${(evalsha / appends).toFixed(2)}`);
  }
  redis.stop();
  process.exit(0);
}

const [kind, redisUrl] = process.argv.slice(2);
if (kind === undefined) await main();
else await serve(kind as Kind, redisUrl!);
