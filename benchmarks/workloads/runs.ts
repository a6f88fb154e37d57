/**
 * The cost of a log in each store: `runs <store>`. The first token compared with the same route without runs; appends
 * in the batches that 50 tokens a second in 200 runs form, and in batches of 32; replay of 5,000 chunks; 100 followers
 * of one run.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { StreamChunk } from "../../packages/protocol/dist/index.js";
import {
  type ChatRoute,
  createChatRoute,
  createMemoryRunStore,
  type RunStore,
} from "../../packages/server/dist/index.js";
import type { Job, Measures } from "../harness/run-rounds.ts";
import { median } from "../harness/statistics.ts";
import { textChunks } from "./chunks.ts";
import { createSource } from "./sources.ts";

const pacedRuns = 200;
const paceMs = 20;
const batchedRuns = 30;
const replayChunks = 5000;
const followers = 100;
const deliveries = 8;

async function openStore(kind: string): Promise<{ store: RunStore; release: () => void }> {
  if (kind === "memory") return { store: createMemoryRunStore(), release: () => {} };
  if (kind === "sqlite") {
    const { createSqliteRunStore } = await import("../../packages/server/dist/sqlite.js");
    const folder = mkdtempSync(join(tmpdir(), "kortyx-runs-"));
    return {
      store: createSqliteRunStore({ path: join(folder, "runs.db") }),
      release: () => rmSync(folder, { recursive: true }),
    };
  }
  const [{ createRedisRunStore }, { createClient }, { startRedis }] = await Promise.all([
    import("../../packages/server/dist/redis.js"),
    import("redis"),
    import("./redis-server.ts"),
  ]);
  const { url, stop } = await startRedis();
  const client = await createClient({ url }).connect();
  return {
    store: createRedisRunStore({ client }),
    release: () => {
      client.destroy();
      stop();
    },
  };
}

const cpuUs = (before?: NodeJS.CpuUsage): number => {
  const { user, system } = process.cpuUsage(before);
  return user + system;
};

const post = (route: ChatRoute): Promise<Response> =>
  route.fetch(
    new Request("http://localhost/", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ messages: [{ role: "user", content: "Hello" }] }),
    }),
  );

const follow = (route: ChatRoute, runId: string): Promise<Response> =>
  route.fetch(new Request(`http://localhost/?run=${runId}`));

/** Reads until `text` has arrived. @returns everything received. */
async function readUntil(response: Response, text: string): Promise<string> {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let all = "";
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    all += read.value;
    if (all.includes(text)) break;
  }
  await reader.cancel();
  return all;
}

export async function measure({ variant: [kind], budgetMs }: Job): Promise<Measures> {
  const { store, release } = await openStore(kind!);
  let open: () => AsyncIterable<StreamChunk> = () => createSource([], "sync");
  const agent = { streamChat: () => open() };
  const authorize = "anonymous";
  // This owner has more open runs than the default limit allows.
  const durable = createChatRoute({ agent, authorize, runs: { store, maxOpenRuns: 10_000 } });
  const plain = createChatRoute({ agent });

  const chunks = textChunks(replayChunks);
  open = () => createSource(chunks.slice(0, 1), "sync");
  const firstTokenMs = async (route: ChatRoute): Promise<number> => {
    const startedAt = performance.now();
    const text = await readUntil(await post(route), '"text-delta"');
    if (!text.includes('"text-delta"')) throw new Error(`No token in ${text}`);
    return performance.now() - startedAt;
  };
  const durableMs: number[] = [];
  const plainMs: number[] = [];
  for (let times = 0; times < 150; times++) {
    durableMs.push(await firstTokenMs(durable));
    plainMs.push(await firstTokenMs(plain));
  }
  // The first ones warm up the compiler.
  const firstTokenExtraMs = median(durableMs.slice(50)) - median(plainMs.slice(50));

  const entries = chunks.map((chunk) => JSON.stringify(chunk));
  let batchedUs = 0;
  for (let times = 0; times < batchedRuns; times++) {
    const runId = crypto.randomUUID();
    const opened = {
      owner: "bench",
      sessionId: undefined,
      key: undefined,
      bodyHash: "",
      allowActiveRun: true,
    };
    await store.open({ runId, maxOpenRuns: 10_000, ...opened });
    const before = process.cpuUsage();
    for (let at = 0; at < entries.length; at += 32) {
      if ((await store.append(runId, at, entries.slice(at, at + 32))) !== "ok")
        throw new Error("Not appended.");
    }
    batchedUs += cpuUs(before);
    await store.end(runId, { type: "done" });
  }

  // Each run has its own tokens and no follower. The cost of the timers alone is subtracted.
  let sent = 0;
  let isOver = false;
  async function* pace(): AsyncGenerator<StreamChunk> {
    await sleep(Math.random() * paceMs);
    for (let index = 0; !isOver; index++) {
      sent++;
      yield chunks[index % chunks.length]!;
      await sleep(paceMs);
    }
  }
  const perChunkUs = async (): Promise<number> => {
    await sleep(500);
    const before = process.cpuUsage();
    const sentBefore = sent;
    await sleep(budgetMs * 2);
    return cpuUs(before) / (sent - sentBefore);
  };
  const drained = Promise.all(
    Array.from({ length: pacedRuns }, async () => {
      for await (const chunk of pace()) void chunk;
    }),
  );
  const timersUs = await perChunkUs();
  isOver = true;
  await drained;
  isOver = false;
  open = pace;
  await Promise.all(Array.from({ length: pacedRuns }, async () => (await post(durable)).body!.cancel()));
  const appendUs = (await perChunkUs()) - timersUs;
  isOver = true;
  await sleep(200);

  open = () => createSource(chunks, "burst16");
  const whole = await (await post(durable)).text();
  const runId = /"runId":"([^"]+)"/.exec(whole)![1]!;
  let replays = 0;
  const before = process.cpuUsage();
  for (const until = performance.now() + budgetMs; performance.now() < until; replays++) {
    const text = await (await follow(durable, runId)).text();
    if (text.split("\ndata: ").length < replayChunks) throw new Error(`Replayed ${text.length} characters.`);
  }
  const replayUs = cpuUs(before) / (replays * replayChunks);

  // 1,000 tokens to one reader and then to many: the difference is the cost of the others.
  open = () => createSource(chunks.slice(0, 1000), "burst16");
  const deliver = async (count: number): Promise<number> => {
    const before = process.cpuUsage();
    const first = await post(durable);
    const id = await runIdOf(first.clone());
    const others = await Promise.all(Array.from({ length: count - 1 }, () => follow(durable, id)));
    const texts = await Promise.all([first, ...others].map((response) => response.text()));
    for (const text of texts) if (!text.endsWith("[DONE]\n\n")) throw new Error("A follower was cut.");
    return cpuUs(before);
  };
  await deliver(followers);
  let addedUs = 0;
  for (let times = 0; times < deliveries; times++) {
    const oneUs = await deliver(1);
    addedUs += (await deliver(followers)) - oneUs;
  }
  const followerUs = addedUs / deliveries / (followers - 1) / 1000;

  await store.close();
  release();
  return {
    firstTokenExtraMs,
    appendUs,
    batchUs: batchedUs / (batchedRuns * entries.length),
    replayUs,
    followerUs,
  };
}

const runIdOf = async (response: Response): Promise<string> =>
  /"runId":"([^"]+)"/.exec(await readUntil(response, '"runId"'))![1]!;
