/**
 * A program that does one thing with a response, chosen by its first argument, and nothing else. Prints the result that it
 * waited for.
 */
import { createChatRoute, createMemoryRunStore, drain, toSSE } from "../../src/index.ts";
import { createSqliteRunStore } from "../../src/sqlite.ts";

const delta = { type: "text-delta", delta: "x" };
async function* answer() {
  for (let count = 0; count < 200; count++) yield delta;
  yield { type: "done" };
}
const hang = () => ({ [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }) });
const post = () =>
  new Request("http://host/", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"messages":[{"role":"user","content":"Hello"}]}',
  });
const routeOf = (source, store, options) =>
  createChatRoute({
    agent: { streamChat: source },
    ...(store && { runs: { store }, authorize: "anonymous" }),
    ...options,
  });

const programs = {
  "leaves an answer unread": () => toSSE(answer()),
  "leaves a source that never yields": () => toSSE(hang()),
  "leaves a source function that never yields": () => toSSE(hang),
  "leaves a route's answer": () => routeOf(answer).POST(post()),
  "leaves a route's agent that never yields": () => routeOf(hang).POST(post()),
  "leaves a run": () => routeOf(answer, createMemoryRunStore()).POST(post()),
  "leaves a run that never ends": () => routeOf(hang, createMemoryRunStore()).POST(post()),
  "leaves a run that never ends, in a file": () =>
    routeOf(hang, createSqliteRunStore({ path: ":memory:" })).POST(post()),
  "leaves an answer that it has begun to read": () => toSSE(answer()).body.getReader().read(),
  "cancels an answer": () => toSSE(hang()).body.cancel(),
  "reads an answer that is given up": () => toSSE(hang, { maxDurationMs: 300 }).text(),
  "reads an answer whose agent is silent": () => toSSE(hang, { sourceIdleTimeoutMs: 300 }).text(),
  "reads an answer late": async () => {
    const response = toSSE(hang, { maxDurationMs: 500 });
    await new Promise((resolve) => setTimeout(resolve, 100));
    return response.text();
  },
  "reads a run that takes too long": async () => {
    const store = createMemoryRunStore();
    const response = await createChatRoute({
      agent: { streamChat: hang },
      runs: { store, maxRunDurationMs: 300 },
      authorize: "anonymous",
    }).POST(post());
    return response.text();
  },
  "drains an unread answer": async () => {
    toSSE(hang());
    const counts = await drain({ deadlineMs: 300 });
    return JSON.stringify(counts);
  },
};

const result = await programs[process.argv[2]]();
if (typeof result === "string") console.log(result);
