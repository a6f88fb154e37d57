/**
 * Prints the async contexts in which a source, its callbacks and a run store are called, for one request, "A": its
 * stream is read slowly and cancelled from outside that context, and its run is followed and stopped from elsewhere.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { createChatRoute, createMemoryRunStore, type StreamChunk, toSSE } from "@kortyx/server";

const requests = new AsyncLocalStorage<string>();
const seen: Record<string, string[]> = {};
function note(what: string): void {
  const where = requests.getStore() ?? "none";
  seen[what] ??= [];
  if (!seen[what].includes(where)) seen[what].push(where);
}
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function* answer(signal: AbortSignal): AsyncGenerator<StreamChunk> {
  signal.addEventListener("abort", () => note("abort"));
  try {
    for (let step = 0; step < 1000 && !signal.aborted; step++) {
      note("step");
      if (step % 10 === 0) await pause(1);
      yield { type: "message", content: "x".repeat(20_000) };
    }
  } finally {
    note("finally");
  }
}

const onFinish = () => note("onFinish");
const stream = requests.run("A", () => toSSE(({ signal }) => answer(signal), { onFinish }).body!);
const reader = stream.getReader();
for (let piece = 0; piece < 50; piece++) {
  await reader.read();
  await pause(1);
}
await reader.cancel();

const memory = createMemoryRunStore({ leaseMs: 600 });
const store = {
  ...memory,
  wait: (...values: Parameters<typeof memory.wait>) => {
    note("wait");
    return memory.wait(...values);
  },
  renew: (runId: string) => {
    note("renew");
    return memory.renew(runId);
  },
};
const route = createChatRoute({
  agent: {
    async *streamChat(_, { signal }) {
      yield { type: "text-delta", delta: "Hello" };
      while (!signal?.aborted) {
        note("step");
        await pause(1);
        if (seen.renew !== undefined) yield { type: "message", content: "x".repeat(1000) };
      }
    },
  },
  authorize: () => "ann",
  runs: { store, onFinish },
});
const url = "http://host/?session=s";
const init = {
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ sessionId: "s", messages: [{ role: "user", content: "Hi" }] }),
};
const posted = await requests.run("A", () => route.fetch(new Request("http://host/", init)));
const followed = await requests.run("B", () => route.fetch(new Request(url)));
const texts = [posted, followed].map((response) => response.text());
while (seen.renew === undefined) await pause(10);
await pause(50);
await requests.run("C", () => route.fetch(new Request(url, { method: "DELETE" })));
await Promise.all(texts);
await pause(10);
console.log(JSON.stringify(seen));
