/** A connection that dies halfway without being closed, as when a NAT forgets it. About 30 s. */
import { streamFromRoute } from "@kortyx/client";
import { createChatRoute, createMemoryRunStore, type StreamChunk } from "@kortyx/server";
import { type SilentProxy, startSilentProxy } from "@kortyx/test-redis/silent-proxy";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type LiveServer, listen, until } from "../test/live-server.ts";

let server: LiveServer;
let proxy: SilentProxy;

beforeAll(async () => {
  const route = createChatRoute({
    agent: {
      async *streamChat(): AsyncGenerator<StreamChunk> {
        for (let index = 0; index < 600; index++) {
          yield { type: "text-delta", delta: `${index} ` };
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
        yield { type: "done" };
      },
    },
    runs: { store: createMemoryRunStore() },
    authorize: () => "ann",
  });
  server = await listen(route.fetch);
  proxy = await startSilentProxy({ host: "127.0.0.1", port: Number(new URL(server.url).port) });
});
afterAll(async () => {
  await proxy.close();
  await server.close();
});

test("an answer in progress is resumed 26 s after its connection falls silent", async () => {
  let text = "";
  const endpoint = `http://127.0.0.1:${proxy.port}`;
  const body = { messages: [{ role: "user", content: "Hi" }], sessionId: "s", idempotencyKey: "k" };
  const reading = (async () => {
    for await (const chunk of streamFromRoute({ endpoint, body, runs: true })) {
      if (chunk.type === "text-delta") text += chunk.delta;
    }
  })();
  await until(() => text.includes("20 "), "the answer is streaming");
  const silentAt = performance.now();
  proxy.silence();
  await reading;
  const noticedMs = proxy.connections.find(({ openedAt }) => openedAt > silentAt)!.openedAt - silentAt;
  console.log(`Silent connection detected and resumed after ${(noticedMs / 1000).toFixed(1)} s`);
  // Three heartbeats and 2 s, then the delay of a first attempt; without the announcement it would take 60 s.
  expect(noticedMs).toBeLessThan(45_000);
  expect(text).toBe(Array.from({ length: 600 }, (_, index) => `${index} `).join(""));
});
