/**
 * Connections to Redis that fall silent without being closed, as after the death of a node or a NAT, at default
 * settings. Both tests wait in parallel: about 25 s.
 */
import { type ChatRoute, createChatRoute, type RunStore, type StreamChunk } from "@kortyx/server";
import { createRedisRunStore } from "@kortyx/server/redis";
import { type RedisServer, startRedis } from "@kortyx/test-redis";
import { type SilentProxy, startSilentProxy } from "@kortyx/test-redis/silent-proxy";
import { createClient } from "redis";
import { afterAll, beforeAll, expect, test } from "vitest";
import { until } from "../test/live-server.ts";
import { type Follower, follow } from "./run-server.ts";

const words = Array.from({ length: 400 }, (_, index) => `${index} `);
const agent = {
  async *streamChat(): AsyncGenerator<StreamChunk> {
    for (const delta of words) {
      yield { type: "text-delta", delta };
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    yield { type: "done" };
  },
};

let redis: RedisServer;
const proxies: SilentProxy[] = [];
const stores: RunStore[] = [];
const clients: { destroy(): void }[] = [];
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(async () => {
  await Promise.all(stores.map((store) => store.close()));
  for (const client of clients) client.destroy();
  for (const proxy of proxies) await proxy.close();
  await redis.close();
});

async function startProxy(): Promise<SilentProxy> {
  const proxy = await startSilentProxy({ path: redis.socketPath });
  proxies.push(proxy);
  return proxy;
}

/** Counts the commands that Redis did not answer in time. */
function countUnanswered(store: RunStore): { count: number } {
  const unanswered = { count: 0 };
  for (const method of ["open", "append", "read"] as const) {
    const call = store[method] as (...values: unknown[]) => Promise<unknown>;
    Object.assign(store, {
      [method]: (...values: unknown[]) =>
        call(...values).catch((error) => {
          if (String(error).includes("did not reply within")) unanswered.count++;
          throw error;
        }),
    });
  }
  return unanswered;
}

/** A route whose runs are in Redis, as in another process: connected as in the documentation. */
async function createRoute(port: number) {
  const client = createClient({ url: `redis://127.0.0.1:${port}` });
  client.on("error", () => {});
  clients.push(client);
  await client.connect();
  const store = createRedisRunStore({ client });
  stores.push(store);
  const unanswered = countUnanswered(store);
  const { fetch } = createChatRoute({ agent, authorize: () => "ann", runs: { store, maxOpenRuns: 100 } });
  return { fetch, unanswered };
}
type Route = Pick<ChatRoute, "fetch">;

const post = (route: Route, sessionId: string): Promise<Response> =>
  route.fetch(
    new Request("http://host/", {
      method: "POST",
      headers: { "content-type": "application/json", accept: "text/event-stream" },
      body: JSON.stringify({ messages: [{ role: "user", content: "Hi" }], sessionId }),
    }),
  );
const get = (route: Route, sessionId: string): Promise<Response> =>
  route.fetch(new Request(`http://host/?session=${sessionId}`));

const deltasOf = ({ text }: Follower) =>
  Array.from(text.matchAll(/"delta":"([^"]*)"/g), ([, delta]) => delta).join("");

test.concurrent("when all fall silent, answers and their followers lose nothing, and new questions are answered", async () => {
  const [near, far] = [await startProxy(), await startProxy()];
  const [writer, reader] = [await createRoute(near.port), await createRoute(far.port)];
  const sessions = Array.from({ length: 10 }, (_, index) => `silent-${index}`);
  const own = await Promise.all(sessions.map(async (session) => follow(await post(writer, session))));
  const others = await Promise.all(sessions.map(async (session) => follow(await get(reader, session))));
  const followers = [...own, ...others];
  await until(() => followers.every(({ text }) => text.includes('"20 "')), "the answers are streaming");
  near.silence();
  far.silence();
  const silentAt = performance.now();
  let refusals = 0;
  for (;;) {
    const response = await post(writer, "new");
    if (response.status === 200) {
      void response.body?.cancel();
      break;
    }
    expect(response.status).toBe(503);
    refusals++;
  }
  const answeredMs = performance.now() - silentAt;
  console.log(
    `New questions answered ${(answeredMs / 1000).toFixed(1)} s later, after ${refusals} refusals (503)`,
  );
  // A command without a reply (2 s), a new connection, and a margin for the machine: less than a lease.
  expect(answeredMs).toBeLessThan(12_000);
  expect(writer.unanswered.count).toBeGreaterThan(0);
  expect(reader.unanswered.count).toBeGreaterThan(0);
  await Promise.all(followers.map(({ over }) => over));
  for (const follower of followers) {
    expect(deltasOf(follower)).toBe(words.join(""));
    expect(follower.text.slice(-60)).toContain('{"type":"done"}');
    expect(follower.text.slice(-20)).toContain("data: [DONE]");
  }
});

test.concurrent("when only the subscribed one falls silent, chunks arrive one by one again", async () => {
  const far = await startProxy();
  const writer = await createRoute((await startProxy()).port);
  const reader = await createRoute(far.port);
  void follow(await post(writer, "listening"));
  const { body } = await get(reader, "listening");
  let text = "";
  let pieces = 0;
  let isSilent = false;
  const decoder = new TextDecoder();
  for await (const piece of body!) {
    text += decoder.decode(piece, { stream: true });
    // Not before the reader has been subscribed for a while.
    if (!isSilent && text.includes('"40 "')) {
      expect(far.connections.filter(({ isSubscriber }) => isSubscriber).length).toBe(1);
      far.silence("subscribers");
      isSilent = true;
    }
    // 10 s after the silence began.
    if (text.includes('"240 "')) pieces++;
  }
  console.log(`The last ${words.length - 240} chunks came in ${pieces} pieces`);
  // Over 8 s; with the tick alone they would arrive in about 8 pieces.
  expect(pieces).toBeGreaterThan(40);
  expect(text).toContain('{"type":"done"}');
});
