/**
 * What runs cost Redis, on one node and on three: each script alone, and whole answers through the route. CPU is that of
 * Redis's main thread, because this is what limits a node.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type ChatRoute, createChatRoute, type RunStore } from "../../packages/server/dist/index.js";
import { createRunId } from "../../packages/server/src/stores/run-id.ts";
import { textChunks } from "../workloads/chunks.ts";
import { type NodeWork, openSite, type RedisSite, workFor } from "./redis-site.ts";

const runs = 300;
/** Calls in flight, for each node: a busy node takes several commands from its socket at once. */
const concurrency = 20;
/** For each node. */
const pacedRuns = 60;
export const paceMs = 50;
const windowMs = 3000;
const answers = 400;
const balancedRuns = 3000;

const chunks = textChunks(1000);
const entries = chunks.map((chunk) => JSON.stringify(chunk));
const jsonBytes = entries.join("").length / entries.length;

export type RedisCosts = Record<string, number>;

/** In Redis, for one call each. */
export const scripts = ["open", "append1", "append8", "read1", "read8", "renew", "end"] as const;

async function spread(
  { nodeCount }: RedisSite,
  count: number,
  call: (index: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const work = async () => {
    while (next < count) await call(next++);
  };
  await Promise.all(Array.from({ length: concurrency * nodeCount }, work));
}

const request = (index: number, owner = `user-${index}`, key = crypto.randomUUID()) => ({
  runId: createRunId(owner, key),
  owner,
  sessionId: crypto.randomUUID(),
  key,
  bodyHash: "0".repeat(64),
  maxOpenRuns: 1000,
  allowActiveRun: false,
});

type Opening = ReturnType<typeof request>;

/** Each script by itself, in many runs. */
async function measureScripts(site: RedisSite): Promise<RedisCosts> {
  const [store, reader] = [await site.openStore(), await site.openStore()];
  // Loads the scripts into each node.
  await spread(site, 30, async (index) => {
    const opening = request(-1 - index);
    await writeRun(store, opening, 2);
    await store.renew(opening.runId);
    await reader.read(opening.runId, -1, 1);
  });

  const openings = Array.from({ length: runs }, (_, index) => request(index));
  const costs: RedisCosts = {};
  const watch = async (
    name: (typeof scripts)[number],
    times: number,
    call: (run: Opening, time: number) => Promise<unknown>,
  ) => {
    const nodes = await site.watch(async () => {
      for (let time = 0; time < times; time++)
        await spread(site, runs, (index) => call(openings[index]!, time));
    });
    const { cpuUs, bytesIn, bytesOut } = workFor(runs * times, nodes);
    Object.assign(costs, { [`${name}Us`]: cpuUs, [`${name}In`]: bytesIn, [`${name}Out`]: bytesOut });
  };
  await watch("open", 1, (run) => store.open(run));
  const times = 10;
  await watch("append1", times, ({ runId }, time) =>
    store.append(runId, time, entries.slice(time, time + 1)),
  );
  await watch("append8", times, ({ runId }, time) =>
    store.append(runId, times + time * 8, entries.slice(0, 8)),
  );
  await watch("read1", times, ({ runId }, time) => reader.read(runId, time - 1, 1));
  await watch("read8", times, ({ runId }, time) => reader.read(runId, times + time * 8 - 1, 8));
  await watch("renew", times, ({ runId }) => store.renew(runId));
  await watch("end", 1, ({ runId }) => store.end(runId, { type: "done" }, times * 9 - 1));
  await site.clear();
  return costs;
}

async function writeRun(store: RunStore, opening: Opening, count: number): Promise<void> {
  await store.open(opening);
  for (let seq = 0; seq < count; seq++) await store.append(opening.runId, seq, [entries[seq]!]);
  await store.end(opening.runId, { type: "done" });
}

/** What Redis keeps. */
async function measureMemory(site: RedisSite): Promise<RedisCosts> {
  const store = await site.openStore();
  // Each node takes memory for its first run that others do not.
  await spread(site, 30, (index) => writeRun(store, request(-1 - index), 1));
  const keep = async (count: number, length: number) =>
    workFor(
      count,
      await site.watch(() => spread(site, count, (index) => writeRun(store, request(index), length))),
    );
  const small = await keep(runs, 1);
  const large = await keep(20, entries.length);
  await site.clear();
  const perChunk = (large.memoryBytes - small.memoryBytes) / (entries.length - 1);
  return { runBytes: small.memoryBytes, chunkBytes: perChunk, chunkExtraBytes: perChunk - jsonBytes };
}

interface Talk {
  route: ChatRoute;
  /** Of all runs of this route. */
  sent: { chunks: number };
  stop(): void;
}

/** The agent of a route: it talks until it is stopped, is silent until then, or has one chunk. */
type Agent = "talking" | "silent" | "brief";

function createTalk(store: RunStore, agent: Agent): Talk {
  const sent = { chunks: 0 };
  const over = new AbortController();
  async function* streamChat() {
    yield chunks[0]!;
    if (agent === "brief") return;
    await sleep(Math.random() * paceMs);
    if (agent === "silent") await sleep(60_000, undefined, { signal: over.signal }).catch(() => {});
    while (!over.signal.aborted) {
      sent.chunks++;
      yield chunks[sent.chunks % chunks.length]!;
      await sleep(paceMs);
    }
  }
  const authorize = (request: Request) => request.headers.get("x-user");
  const route = createChatRoute({ agent: { streamChat }, authorize, runs: { store } });
  return { route, sent, stop: () => over.abort() };
}

const post = (route: ChatRoute, index: number): Promise<Response> =>
  route.fetch(
    new Request("http://localhost/", {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "x-user": `user-${index}`,
        "idempotency-key": crypto.randomUUID(),
      },
      body: JSON.stringify({
        messages: [{ role: "user", content: "Hello" }],
        sessionId: crypto.randomUUID(),
      }),
    }),
  );

/**
 * The answers of a window of time, with followers in this number of processes.
 *
 * @returns the costs of a chunk; of a second of an answer if the agent is silent.
 */
async function measureOpen(site: RedisSite, agent: Agent, followingProcesses: number): Promise<RedisCosts> {
  const { route, sent, stop } = createTalk(await site.openStore(), agent);
  const others: ChatRoute[] = [];
  for (let index = 1; index < followingProcesses; index++) {
    others.push(createTalk(await site.openStore(), agent).route);
  }
  const texts: Promise<unknown>[] = [];
  const start = async (index: number) => {
    const response = await post(route, index);
    const [head, rest] = response.body!.tee();
    const runId = await readRunId(head);
    if (followingProcesses === 0) await rest.cancel();
    else texts.push(new Response(rest).arrayBuffer());
    for (const other of others) {
      const headers = { "x-user": `user-${index}` };
      const followed = await other.fetch(new Request(`http://localhost/?run=${runId}`, { headers }));
      texts.push(followed.arrayBuffer());
    }
  };
  const count = pacedRuns * site.nodeCount;
  await Promise.all(Array.from({ length: count }, (_, index) => start(index)));
  await sleep(1000);
  const before = sent.chunks;
  const nodes = await site.watch(() => sleep(windowMs));
  const work = workFor(agent === "silent" ? (count * windowMs) / 1000 : sent.chunks - before, nodes);
  const subscriptions = (await site.countSubscriptions()) / count;
  stop();
  await Promise.all(texts);
  // Until runs without readers have ended, too.
  await sleep(1000);
  await site.clear();
  return { ...perChunk(work), subscriptions };
}

const perChunk = ({ cpuUs, scripts, bytesIn, bytesOut }: NodeWork): RedisCosts => ({
  cpuUs,
  scripts,
  bytesIn,
  bytesOut,
});

async function readRunId(body: ReadableStream<Uint8Array>): Promise<string> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    text += decoder.decode(read.value, { stream: true });
    const runId = /"runId":"([^"]+)"/.exec(text)?.[1];
    if (runId === undefined) continue;
    // Settles only when the other branch is cancelled, too.
    void reader.cancel();
    return runId;
  }
  throw new Error(`No run in ${text}`);
}

/** Whole answers of one chunk: what an answer costs in addition to its chunks. */
async function measureAnswers(site: RedisSite): Promise<RedisCosts> {
  const { route } = createTalk(await site.openStore(), "brief");
  const answer = async (index: number) => {
    const text = await (await post(route, index)).text();
    if (!text.endsWith("[DONE]\n\n")) throw new Error(`No answer: ${text}`);
  };
  await spread(site, 20, answer);
  const work = workFor(answers, await site.watch(() => spread(site, answers, answer)));
  await site.clear();
  return perChunk(work);
}

/** @returns the share of the busiest node in the runs of as many users, and of as many visitors without an account. */
async function measureBalance(site: RedisSite): Promise<RedisCosts> {
  const share = async (owner: (index: number) => string) => {
    const store = await site.openStore();
    const nodes = await site.watch(() =>
      spread(site, balancedRuns, (index) => store.open(request(index, owner(index)))),
    );
    await site.clear();
    return (
      Math.max(...nodes.map(({ scripts }) => scripts)) / nodes.reduce((sum, { scripts }) => sum + scripts, 0)
    );
  };
  return { users: await share((index) => `user-${index}`), anonymous: await share(() => "") };
}

/** One round, one node and three in turns. @returns the costs, by part and name. */
export async function measureRedis(): Promise<Record<string, RedisCosts>> {
  const [one, three] = [await openSite(1), await openSite(3)];
  try {
    return {
      scripts: await measureScripts(one),
      "cluster.scripts": await measureScripts(three),
      answer: await measureAnswers(one),
      "cluster.answer": await measureAnswers(three),
      followed1: await measureOpen(one, "talking", 1),
      "cluster.followed1": await measureOpen(three, "talking", 1),
      followed0: await measureOpen(one, "talking", 0),
      followed2: await measureOpen(one, "talking", 2),
      silent: await measureOpen(one, "silent", 1),
      memory: await measureMemory(one),
      "cluster.memory": await measureMemory(three),
      balance: await measureBalance(three),
    };
  } finally {
    for (const site of [one, three]) await site.close();
  }
}
