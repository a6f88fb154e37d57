/** A Redis that restarts from its last snapshot, without later writes. At the default lease; about 10 s. */
import { type StreamChunk, streamFromRoute } from "@kortyx/client";
import { type RedisServer, startRedis } from "@kortyx/test-redis";
import { afterAll, beforeAll, expect, test } from "vitest";
import { until } from "../test/live-server.ts";
import type { StreamProgram } from "../test/stream-program.ts";
import { followSession, startRunServer } from "./run-server.ts";

const clientCount = 20;
const wordCount = 100;
const whole = Array.from({ length: wordCount }, (_, index) => `${index} `).join("");

let redis: RedisServer;
let producer: StreamProgram;
let other: StreamProgram;

beforeAll(async () => {
  redis = await startRedis();
  [producer, other] = await Promise.all([startRunServer(redis), startRunServer(redis)]);
});
afterAll(async () => {
  await Promise.all([producer.kill(), other.kill()]);
  await redis.close();
});

/** A client with default options, and what it has received. */
function read(sessionId: string) {
  const client = { text: "", last: undefined as StreamChunk | undefined, error: undefined as unknown };
  const over = (async () => {
    const body = {
      messages: [{ role: "user", content: `talk ${wordCount} 40` }],
      sessionId,
      idempotencyKey: sessionId,
    };
    try {
      for await (const chunk of streamFromRoute({ endpoint: producer.url, body, runs: true })) {
        client.last = chunk;
        if (chunk.type === "text-delta") client.text += chunk.delta;
      }
    } catch (error) {
      client.error = error;
    }
  })();
  return Object.assign(client, { over });
}

test("no client and no follower treats the remaining half of an answer as complete", async () => {
  const sessions = Array.from({ length: clientCount }, (_, index) => `s${index}`);
  const clients = sessions.map(read);
  await until(() => clients.every(({ text }) => text.includes("10 ")), "every answer has begun");
  const followers = await Promise.all(sessions.map((sessionId) => followSession(other.url, sessionId)));
  await redis.command("SAVE");
  await until(
    () => clients.every(({ text }) => text.includes("40 ")),
    "every answer has outgrown the snapshot",
  );
  await redis.restart();
  await Promise.all([...clients, ...followers].map(({ over }) => over));

  const endings = new Map<string, number>();
  for (const { text, last, error } of clients) {
    expect(text).not.toBe(whole);
    expect(whole.startsWith(text)).toBe(true);
    expect(error !== undefined || last?.type === "error").toBe(true);
    const ending = last?.type === "error" ? `${last.code}` : String(error);
    endings.set(ending, (endings.get(ending) ?? 0) + 1);
  }
  for (const { text } of followers) {
    expect(text).toMatch(
      /data: \{"type":"error","message":".*","code":"(run|producer)-lost","retryable":true\}\n\ndata: \[DONE\]\n\n$/,
    );
  }
  const counts = [...endings].map(([ending, count]) => `${count} ${ending}`);
  console.log(
    `Half answers reported as whole: 0 of ${clientCount}; endings of the clients: ${counts.join(", ")}`,
  );
});
