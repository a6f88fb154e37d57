import type { StreamChunk } from "@kortyx/protocol";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createChatRoute } from "../../src/route/create-chat-route.ts";
import { drain } from "../../src/shutdown/drain.ts";
import { createMemoryRunStore } from "../../src/stores/memory-run-store.ts";
import type { RunStore } from "../../src/stores/run-store.ts";
import { toSSE } from "../../src/stream/to-sse.ts";

const log = vi.spyOn(console, "error").mockImplementation(() => {});
/** A process that drains cannot stop draining, so tests drop the registry instead. */
const forget = () => Reflect.deleteProperty(globalThis, Symbol.for("@kortyx/server/streams"));
beforeEach(() => log.mockClear());
afterEach(forget);

/** A store that opens runs only after `letThrough`. */
function slowStore() {
  const store = createMemoryRunStore();
  const gate = Promise.withResolvers<void>();
  const open = vi.fn(async (request: Parameters<RunStore["open"]>[0]) => {
    await gate.promise;
    return store.open(request);
  });
  return { store: { ...store, open }, open, letThrough: gate.resolve };
}

function routeOn(store: RunStore | undefined) {
  const agent = vi.fn(async function* (): AsyncGenerator<StreamChunk> {
    yield { type: "text-delta", delta: "Hello" };
    yield { type: "done" };
  });
  const route = createChatRoute({
    agent: { streamChat: agent },
    authorize: () => "ann",
    ...(store && { runs: { store } }),
  });
  return { route, agent };
}

const post = (body: object = {}) =>
  new Request("http://host/api/chat", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ messages: [{ role: "user", content: "Hi" }], ...body }),
  });

const untilCalled = (mock: { mock: { calls: unknown[] } }, times = 1) =>
  vi.waitFor(() => expect(mock.mock.calls).toHaveLength(times), { interval: 1 });

const isOver = async (drained: Promise<unknown>) =>
  (await Promise.race([drained, new Promise((resolve) => setTimeout(resolve, 20, "waits"))])) !== "waits";

describe("drain", () => {
  test("waits for runs that are being opened, lets them finish and counts them", async () => {
    const { store, open, letThrough } = slowStore();
    const { route } = routeOn(store);
    const requests = Array.from({ length: 6 }, () => route.POST(post()));
    requests.push(route.POST(post({ stream: false })));
    await untilCalled(open, 7);
    const drained = drain({ deadlineMs: 60_000 });
    expect(await isOver(drained)).toBe(false);
    letThrough();
    const responses = await Promise.all(requests);
    expect(responses.map(({ status }) => status)).toEqual(Array(7).fill(200));
    for (const text of await Promise.all(responses.map((response) => response.text()))) {
      expect(text).toMatch(/"delta":"Hello".*"type":"done"/s);
    }
    expect(await drained).toEqual({ finished: 7, aborted: 0 });
  });

  test("never counts below zero, whatever ends and begins meanwhile", async () => {
    const { store, open, letThrough } = slowStore();
    const { route } = routeOn(store);
    const silent = { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }) };
    const first = toSSE(silent, { stallTimeoutMs: 0 });
    const second = toSSE(silent, { stallTimeoutMs: 0 });
    const requests = Array.from({ length: 6 }, () => route.POST(post()));
    await untilCalled(open, 6);
    const drained = drain({ deadlineMs: 300 });
    await first.body!.cancel();
    letThrough();
    const texts = [...(await Promise.all(requests)), second].map((response) => response.text());
    await Promise.all(texts);
    expect(await drained).toEqual({ finished: 7, aborted: 1 });
  });

  test("leaves a run that is not open by the deadline to another process: 503, with its key still free", async () => {
    const { store, open, letThrough } = slowStore();
    const { route, agent } = routeOn(store);
    const requests = route.POST(post({ idempotencyKey: "k" }));
    await untilCalled(open);
    const answered = vi.fn();
    void requests.then(answered);
    expect(await drain({ deadlineMs: 20 })).toEqual({ finished: 0, aborted: 0 });
    await new Promise(setImmediate);
    expect(answered).toHaveBeenCalled();
    const response = await requests;
    expect([response.status, response.headers.get("retry-after"), await response.json()]).toEqual([
      503,
      "1",
      { error: "The server is shutting down. Please try again.", code: "draining" },
    ]);
    letThrough();
    forget();
    const there = routeOn(store);
    const again = await there.route.POST(post({ idempotencyKey: "k" }));
    expect(await again.text()).toContain('"delta":"Hello"');
    expect([agent.mock.calls.length, there.agent.mock.calls.length]).toEqual([0, 1]);
    expect(log).not.toHaveBeenCalled();
  });

  test("waits for a buffered answer without a run", async () => {
    const { route, agent } = routeOn(undefined);
    const gate = Promise.withResolvers<void>();
    agent.mockImplementation(async function* () {
      await gate.promise;
      yield { type: "done" as const };
    });
    const requests = route.POST(post({ stream: false }));
    await untilCalled(agent);
    const drained = drain({ deadlineMs: 60_000 });
    expect(await isOver(drained)).toBe(false);
    gate.resolve();
    expect((await requests).status).toBe(200);
    expect(await drained).toEqual({ finished: 1, aborted: 0 });
  });

  test("ends a buffered answer without a run at its deadline, as it ends a stream", async () => {
    const { route, agent } = routeOn(undefined);
    agent.mockImplementation(async function* () {
      yield { type: "text-delta" as const, delta: "Hel" };
      await new Promise(() => {});
    });
    const requests = route.POST(post({ stream: false }));
    await untilCalled(agent);
    expect(await drain({ deadlineMs: 20 })).toEqual({ finished: 0, aborted: 1 });
    const response = await requests;
    expect([response.status, ((await response.json()) as { chunks: unknown }).chunks]).toEqual([
      200,
      [
        { type: "text-delta", delta: "Hel" },
        { type: "abort", reason: "shutdown" },
      ],
    ]);
  });
});
