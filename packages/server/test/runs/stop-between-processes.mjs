/**
 * Another process that serves a chat route with runs in a store of the same runs. Answers POSTs that it is told to make
 * to itself, with an agent that says a few words and then sits in a tool, and tells when the agent's signal is aborted.
 */
import { createClient } from "redis";
import { createRedisRunStore } from "../../src/redis.ts";
import { createChatRoute } from "../../src/route/create-chat-route.ts";
import { createSqliteRunStore } from "../../src/sqlite.ts";

const { path, socketPath, prefix } = JSON.parse(process.argv[2]);
// A stop is announced, and need be found neither by a look every second nor when the lease is renewed.
const leaseMs = 3_600_000;
if (socketPath !== undefined) globalThis.setInterval = () => undefined;
let client;
if (socketPath !== undefined) {
  client = createClient({ socket: { path: socketPath } });
  client.on("error", () => {});
  await client.connect();
}
const store = client
  ? createRedisRunStore({ client, prefix, leaseMs })
  : createSqliteRunStore({ path, leaseMs });

const route = createChatRoute({
  agent: {
    async *streamChat(_, { sessionId, signal }) {
      const aborted = new Promise((resolve) => signal.addEventListener("abort", resolve));
      signal.addEventListener("abort", () => {
        process.send({ sessionId, isAborted: true });
      });
      yield { type: "text-delta", delta: "Looking" };
      yield { type: "tool-call-start", tool: "search", toolCallId: "c", input: {} };
      await aborted;
      // A tool that has been done all the same.
      yield { type: "tool-call-result", tool: "search", toolCallId: "c", content: "late" };
      yield { type: "done" };
    },
  },
  authorize: () => "ann",
  runs: { store, maxOpenRuns: 1000 },
});

process.on("message", async ({ sessionId }) => {
  const body = JSON.stringify({ messages: [{ role: "user", content: "Hi" }], sessionId });
  const headers = { "content-type": "application/json", accept: "text/event-stream" };
  const response = await route.POST(new Request("http://host/", { method: "POST", body, headers }));
  process.send({ sessionId, text: await response.text() });
});
process.send("ready");
