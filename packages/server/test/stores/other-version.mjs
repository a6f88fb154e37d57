/**
 * Another process that serves a chat route, with a store of the given version on the same runs. Its parent sends it bodies
 * to POST. Its agent yields one chunk, and another when the parent allows it.
 */
import { createChatRoute } from "../../src/route/create-chat-route.ts";
import { createStoreOf } from "./store-of-version.ts";

const { version, address } = JSON.parse(process.argv[2]);
const kept = await createStoreOf(version, address);
// The routes of that version minted ids without a place.
const open = (request) => kept.open({ ...request, runId: crypto.randomUUID() });
const store = version === "1" ? { ...kept, open } : kept;
// An outdated version must have used the runs before the present one does.
await store.latest("ann", "s");

/** Functions that let the agents of sessions yield their second chunk. */
const proceed = new Map();

const route = createChatRoute({
  agent: {
    async *streamChat(_, { sessionId, signal }) {
      signal.addEventListener("abort", () => process.send({ sessionId }));
      const allowed = new Promise((resolve) => proceed.set(sessionId, resolve));
      yield { type: "text-delta", delta: "One" };
      await allowed;
      yield { type: "text-delta", delta: ", two" };
      yield { type: "done" };
    },
  },
  authorize: () => "ann",
  runs: { store },
});

process.on("message", async ({ body, proceed: sessionId }) => {
  if (body === undefined) return proceed.get(sessionId)();
  const headers = { "content-type": "application/json", accept: "text/event-stream" };
  const response = await route.POST(
    new Request("http://host/", { method: "POST", body: JSON.stringify(body), headers }),
  );
  process.send({ sessionId: body.sessionId, text: await response.text() });
});
process.once("disconnect", () => process.exit());
process.send("ready");
