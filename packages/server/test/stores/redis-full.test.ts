import { hasRedis, type RedisServer, startRedis } from "@kortyx/test-redis";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createRedisRunStore } from "../../src/redis.ts";
import { createChatRoute } from "../../src/route/create-chat-route.ts";
import type { RunStore } from "../../src/stores/run-store.ts";
import { logOf, opening, openRun } from "../../src/testing/contract/run-store-calls.ts";

const entry = JSON.stringify("x".repeat(10_000));

describe.skipIf(!hasRedis())("a full Redis", () => {
  let redis: RedisServer;
  let client: Awaited<ReturnType<RedisServer["connect"]>>;
  let store: RunStore;
  beforeEach(async () => {
    redis = await startRedis({ maxmemory: "0", "maxmemory-policy": "noeviction" });
    client = await redis.connect();
    store = createRedisRunStore({ client });
  });
  afterEach(async () => {
    await store.close();
    await redis.close();
  });

  /** Sets a limit below the memory in use, but above it once the large key is removed. Redis's own buffers vary. */
  const limit = () => client.configSet("maxmemory", "5mb");
  /** Takes the remaining memory with an ordinary key. */
  async function fill(): Promise<void> {
    await client.setRange("ballast", 8 * 1024 * 1024, "x");
    await limit();
  }
  const empty = () => client.del("ballast");

  test("refuses new runs and entries, ends and renews existing runs, and accepts new ones once there is room", async () => {
    const runId = await openRun(store, { key: "k", sessionId: "s" });
    const expired = createRedisRunStore({ client, leaseMs: 1 });
    const abandoned = await openRun(expired);
    await store.append(runId, 0, [entry]);
    await fill();
    expect(await store.open(opening({ key: "l" }))).toEqual({ status: "store-full" });
    expect(await store.append(runId, 1, [entry])).toBe("full");
    // Neither left anything, and an entry that is already in the log takes no memory.
    expect(await store.append(runId, 0, [entry])).toBe("ok");
    expect(await store.renew(runId)).toBe("ok");
    expect(await logOf(store, runId)).toEqual([entry]);
    expect((await store.open(opening({ key: "k" }))).status).toBe("attached");
    expect((await store.latest("ann", "s"))?.runId).toBe(runId);
    expect(await store.endIfLeaseExpired(abandoned)).toMatchObject({ code: "producer-lost" });
    expect(await store.stopKey("ann", "early")).toBe(undefined);
    expect(await store.end(runId, { type: "done" })).toEqual({ type: "done" });
    expect(await logOf(store, runId)).toEqual([entry, '{"type":"done"}']);
    await empty();
    expect(await store.open(opening({ key: "early" }))).toMatchObject({
      status: "created",
      run: { terminal: { type: "abort", reason: "stopped" } },
    });
  });

  test("does not prevent a new process from reading", async () => {
    await fill();
    await client.scriptFlush();
    expect(await store.read("r", -1, 1)).toBe(undefined);
    await empty();
    await openRun(store);
  });

  test("makes a route return 503 store-full, end its answers, and serve again after runs have expired", async () => {
    const log = vi.spyOn(console, "error").mockImplementation(() => {});
    let next = Promise.withResolvers<void>();
    const agent = {
      streamChat: async function* () {
        yield { type: "text-delta" as const, delta: "x".repeat(4 * 1024 * 1024) };
        await next.promise;
        yield { type: "text-delta" as const, delta: "more" };
        yield { type: "done" as const };
      },
    };
    const route = createChatRoute({ agent, runs: { store }, authorize: () => "ann" });
    const send = (method: string, query = "") =>
      route.fetch(
        new Request(`http://host/${query}`, {
          method,
          headers: { "content-type": "application/json", accept: "text/event-stream" },
          ...(method === "POST" && { body: '{"messages":[{"role":"user","content":"Hi"}]}' }),
        }),
      );
    const [failing, stopped] = [await send("POST"), await send("POST")];
    const stoppedId = await runIdOf(stopped);
    await vi.waitFor(async () => expect((await logOf(store, stoppedId)).length).toBe(2));
    await limit();

    const refused = await send("POST");
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "5"]);
    expect(await refused.json()).toMatchObject({ code: "store-full" });
    expect((await send("GET", `?run=${stoppedId}`)).status).toBe(200);
    const stop = await send("DELETE", `?run=${stoppedId}`);
    expect([stop.status, await stop.json()]).toEqual([
      200,
      { runId: stoppedId, terminal: { type: "abort", reason: "stopped" } },
    ]);
    expect((await send("DELETE", "?key=k")).status).toBe(202);
    next.resolve();
    const text = await failing.text();
    expect(text.slice(-200)).toContain('"code":"store-full"');
    expect(text.slice(-20)).toContain("[DONE]");

    next = Promise.withResolvers();
    next.resolve();
    expect((await send("POST")).status).toBe(503);
    // As if the 15 minutes of retention had passed.
    for (const key of await client.keys("kortyx:*:log:*")) await client.pExpire(key, 1);
    await expect.poll(async () => (await send("POST")).status, { interval: 100 }).toBe(200);
    expect(log).not.toHaveBeenCalled();
    log.mockRestore();
  });
});

/** The run id of a response, from its beginning. */
async function runIdOf({ body }: Response): Promise<string> {
  const reader = body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const found = /"runId":"([^"]+)"/.exec(text);
    if (found !== null) return found[1]!;
    text += (await reader.read()).value ?? "";
  }
}
