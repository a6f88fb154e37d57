/** The measured server, in a process of its own: `node server-process.ts <store> <url of Redis>`. */
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createChatRoute, createMemoryRunStore, type RunStore } from "../../packages/server/dist/index.js";
import { toNodeHandler } from "../../packages/server/dist/node.js";

export type StoreKind = "plain" | "memory" | "sqlite" | "redis";
/** Text of 6 characters 20 times a second, of 200 characters 20 times a second, or an object of 4 KB twice a second. */
export type Shape = "short" | "long" | "object";

/** What the process has used so far. */
export interface ServerReport {
  cpuUs: number;
  heapBytes: number;
  rssBytes: number;
  /** Yielded by the agents. */
  chunks: number;
}

const text = (delta: string) => ({ chunk: { type: "text-delta", delta } as const, paceMs: 50 });
const shapes = {
  short: text("hello "),
  long: text("word ".repeat(40)),
  object: {
    chunk: {
      type: "structured-data",
      kind: "set",
      streamId: "s1",
      dataType: "recipe",
      path: "step",
      value: Array.from({ length: 40 }, (_, index) => ({
        id: `item-${index}`,
        name: "x".repeat(60),
        amount: index,
      })),
    } as const,
    paceMs: 500,
  },
};

let chunks = 0;
/** Each `stop` ends the agents that have begun before it. */
let over = Promise.withResolvers<void>();

async function* pace(shape: Shape) {
  const { chunk, paceMs } = shapes[shape];
  let isOver = false;
  void over.promise.then(() => {
    isOver = true;
  });
  yield chunk;
  // Spread out, like the answers of many users.
  await sleep(Math.random() * paceMs);
  while (!isOver) {
    chunks++;
    yield chunk;
    await sleep(paceMs);
  }
}

async function* streamChat([message]: { content?: unknown }[]) {
  const content = message!.content as Shape | "answer" | "silent";
  if (content !== "answer" && content !== "silent") return yield* pace(content);
  yield shapes.short.chunk;
  if (content === "silent") await over.promise;
}

async function openStore(kind: StoreKind, redisUrl: string): Promise<RunStore | undefined> {
  if (kind === "plain") return undefined;
  if (kind === "memory") return createMemoryRunStore();
  if (kind === "sqlite") {
    const { createSqliteRunStore } = await import("../../packages/server/dist/sqlite.js");
    const folder = mkdtempSync(join(tmpdir(), "kortyx-scaling-"));
    process.once("exit", () => rmSync(folder, { recursive: true }));
    return createSqliteRunStore({ path: join(folder, "runs.db") });
  }
  const { createClient } = await import("redis");
  const { createRedisRunStore } = await import("../../packages/server/dist/redis.js");
  return createRedisRunStore({ client: await createClient({ url: redisUrl }).connect() });
}

function report(): ServerReport {
  const { user, system } = process.cpuUsage();
  const { heapUsed, external, rss } = process.memoryUsage();
  return { cpuUs: user + system, heapBytes: heapUsed + external, rssBytes: rss, chunks };
}

const [kind, redisUrl] = process.argv.slice(2) as [StoreKind, string];
const store = await openStore(kind, redisUrl);
const route = createChatRoute({
  agent: { streamChat },
  ...(store && { authorize: "anonymous" as const, runs: { store } }),
});
const server = createServer(toNodeHandler(route.fetch));
await once(server.listen(0, "127.0.0.1"), "listening");

async function answer(question: "heap" | "counts" | "timers" | "stop"): Promise<ServerReport> {
  if (question === "heap") for (let times = 0; times < 3; times++) globalThis.gc!();
  if (question === "timers") {
    for (let index = 0; index < 200; index++) {
      void (async () => {
        for await (const chunk of pace("short")) void chunk;
      })();
    }
  }
  if (question === "stop") {
    over.resolve();
    over = Promise.withResolvers();
    // Until the agents have ended, and the runs with them.
    await sleep(1500);
  }
  return report();
}

process.on("message", async (question: Parameters<typeof answer>[0]) =>
  process.send!(await answer(question)),
);
process.on("disconnect", () => process.exit());
process.send!((server.address() as AddressInfo).port);
