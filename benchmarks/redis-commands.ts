/**
 * The cost of a run for Redis: `node benchmarks/redis-commands.ts` prints the commands per appended batch (with a chunk
 * every 20 ms), and per second of a silent run. Followers run in separate processes. Needs a build and redis-server.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createClient } from "redis";
import { type ChatRoute, createChatRoute } from "../packages/server/dist/index.js";
import { createRedisRunStore } from "../packages/server/dist/redis.js";
import { startRedis } from "./workloads/redis-server.ts";

const chunkCount = 200;
const paceMs = 20;
const silentMs = 10_000;

async function openRoute(url: string): Promise<ChatRoute> {
  const client = createClient({ url, disableOfflineQueue: true });
  const store = createRedisRunStore({ client: (await client.connect()) as never });
  async function* streamChat(messages: { content?: unknown }[]) {
    yield { type: "text-delta", delta: "Hello " } as const;
    if (messages[0]!.content === "silent") await sleep(silentMs + 2000);
    else {
      for (let index = 0; index < chunkCount; index++) {
        await sleep(paceMs);
        yield { type: "text-delta", delta: "word " } as const;
      }
    }
  }
  return createChatRoute({
    agent: { streamChat },
    authorize: () => "ann",
    runs: { store, maxOpenRuns: 1000 },
  });
}

/** In a child: follows a run with the requested number of followers. */
async function followAsChild(url: string, runId: string, followers: number): Promise<void> {
  const route = await openRoute(url);
  const get = () => route.fetch(new Request(`http://localhost/?run=${runId}`));
  const responses = await Promise.all(Array.from({ length: followers }, get));
  const texts = Promise.all(responses.map((response) => response.text()));
  process.send!("following");
  await texts;
  process.exit(0);
}

async function readOn(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  while (!(await reader.read()).done);
}

async function readRunId(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  for (let text = ""; ; ) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`No run in ${text}`);
    text += decoder.decode(value, { stream: true });
    // The first piece may be a heartbeat.
    const runId = /"runId":"([^"]+)"/.exec(text)?.[1];
    if (runId !== undefined) return runId;
  }
}

/** Starts a run and processes that follow it. @returns the commands that Redis executed in `measuredMs`. */
export async function countCommands(
  url: string,
  words: "talk" | "silent",
  [own, processes, followers]: [boolean, number, number],
  measuredMs: number,
): Promise<{ appends: number; evalsha: number; within: number }> {
  const route = await openRoute(url);
  const body = JSON.stringify({
    messages: [{ role: "user", content: words }],
    sessionId: crypto.randomUUID(),
  });
  const headers = { "content-type": "application/json", accept: "text/event-stream" };
  const response = await route.fetch(new Request("http://localhost/", { method: "POST", headers, body }));
  const reader = response.body!.getReader();
  const runId = await readRunId(reader);
  if (own) void readOn(reader);
  else await reader.cancel();
  const children: ChildProcess[] = [];
  for (let index = 0; index < processes; index++) {
    children.push(fork(fileURLToPath(import.meta.url), [url, runId, String(followers)]));
  }
  // A finished run has no followers left.
  const exits = children.map((child) => once(child, "exit"));
  await Promise.all(children.map((child) => once(child, "message")));
  const client = await createClient({ url }).connect();
  await client.sendCommand(["CONFIG", "RESETSTAT"]);
  await sleep(measuredMs);
  const stats = String(await client.sendCommand(["INFO", "commandstats"]));
  client.destroy();
  // Otherwise the commands of this case would count in the next one.
  await route.fetch(new Request(`http://localhost/?run=${runId}`, { method: "DELETE" }));
  await Promise.all(exits);
  const calls = new Map(
    [...stats.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)].map((line) => [line[1], Number(line[2])]),
  );
  const evalsha = calls.get("evalsha") ?? 0;
  const all = [...calls.values()].reduce((sum, value) => sum + value, 0);
  // Every append is announced.
  return { appends: calls.get("publish") ?? 0, evalsha, within: all - evalsha };
}

async function main(): Promise<void> {
  const { url, stop } = await startRedis();
  const cases: [string, [boolean, number, number]][] = [
    ["no follower", [false, 0, 0]],
    ["its own reader", [true, 0, 0]],
    ["and 1 follower in another process", [true, 1, 1]],
    ["and 20 followers in another process", [true, 1, 20]],
    ["and 20 followers in each of two", [true, 2, 20]],
  ];
  const row = (what: string, { evalsha, within }: { evalsha: number; within: number }, per: number) =>
    console.log(`| ${what} | ${(evalsha / per).toFixed(2)} | ${(within / per).toFixed(1)} |`);
  console.log("| a run | EVALSHA | commands within |\n| --- | --- | --- |");
  for (const [name, following] of cases) {
    const counted = await countCommands(url, "talk", following, 3000);
    row(`${name}, per append`, counted, counted.appends);
  }
  for (const [name, following] of cases.slice(1)) {
    row(
      `silent, ${name}, per second`,
      await countCommands(url, "silent", following, silentMs),
      silentMs / 1000,
    );
  }
  stop();
  process.exit(0);
}

if (import.meta.main) {
  const [url, runId, followers] = process.argv.slice(2);
  if (url === undefined) await main();
  else await followAsChild(url, runId!, Number(followers));
}
