/**
 * Another process that serves a chat route with a store of the same runs. Its parent lets it POST to itself. Its agent
 * yields a text and then waits in a tool, and the process reports when the agent's signal is aborted.
 */
import { createClient } from "redis";
import { createRedisRunStore } from "../../src/redis.ts";
import { createChatRoute } from "../../src/route/create-chat-route.ts";
import { createSqliteRunStore } from "../../src/sqlite.ts";

const { path, socketPath, prefix } = JSON.parse(process.argv[2]);
// Without polls and renewals, a stop must arrive by its announcement.
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
      // The result of a tool that finished despite the abort.
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
