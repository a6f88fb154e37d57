import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createChatRoute } from "../src/create-chat-route.ts";
import { createMemoryRunStore } from "../src/memory-run-store.ts";
import { createRedisRunStore } from "../src/redis.ts";
import type { RunStore } from "../src/run-store.ts";
import { createSqliteRunStore } from "../src/sqlite.ts";
import { hasRedis, type RedisServer, startRedis } from "./redis-server.ts";

/** One batch window: what a token may wait for company. */
const flushWindowMs = 15;
const rounds = 40;

const agent = {
  async *streamChat() {
    await new Promise((resolve) => setImmediate(resolve));
    yield { type: "text-delta" as const, delta: "first" };
    yield { type: "done" as const };
  },
};

type Route = ReturnType<typeof createChatRoute>;

/** From the request to the first token in the client's hands, in milliseconds. */
async function timeFirstToken({ POST }: Route): Promise<number> {
  const startedAt = performance.now();
  const response = await POST(
    new Request("http://host/", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ messages: [{ role: "user", content: "Hello" }] }),
    }),
  );
  const reader = response.body!.getReader();
  const decoder = new TextDecoder();
  let text = "";
  let elapsedMs = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return elapsedMs;
    text += decoder.decode(value, { stream: true });
    if (elapsedMs === 0 && text.includes('"first"')) elapsedMs = performance.now() - startedAt;
  }
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

let folder: string;
let redis: RedisServer | undefined;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "kortyx-first-token-"));
  redis = hasRedis() ? await startRedis() : undefined;
});
afterAll(async () => {
  await redis?.close();
  rmSync(folder, { recursive: true });
});

test("the first durable token comes within one batch window of the plain one, in every store", async () => {
  const stores = new Map<string, RunStore>([
    ["memory", createMemoryRunStore()],
    ["SQLite", createSqliteRunStore({ path: join(folder, "runs.db") })],
  ]);
  if (redis !== undefined) stores.set("Redis", createRedisRunStore({ client: await redis.connect() }));
  const routes = new Map<string, Route>([["plain", createChatRoute({ agent })]]);
  for (const [name, store] of stores) {
    routes.set(name, createChatRoute({ agent, runs: { store }, authorize: () => "owner" }));
  }
  const times = new Map([...routes.keys()].map((name) => [name, [] as number[]]));
  for (let round = 0; round < rounds; round++) {
    for (const [name, route] of routes) times.get(name)!.push(await timeFirstToken(route));
  }
  const plainMs = median(times.get("plain")!);
  for (const name of stores.keys()) {
    const addedMs = median(times.get(name)!) - plainMs;
    console.info(`First token: ${plainMs.toFixed(2)} ms plain, ${addedMs.toFixed(2)} ms more in ${name}`);
    expect(addedMs).toBeLessThan(flushWindowMs);
  }
  for (const store of stores.values()) await store.close();
});
