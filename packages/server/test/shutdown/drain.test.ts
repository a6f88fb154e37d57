import type { StreamChunk } from "@kortyx/protocol";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createChatRoute } from "../../src/route/create-chat-route.ts";
import { drain } from "../../src/shutdown/drain.ts";
import { registerResponse, streamRegistry } from "../../src/shutdown/stream-registry.ts";
import { createMemoryRunStore } from "../../src/stores/memory-run-store.ts";
import { toSSE } from "../../src/stream/to-sse.ts";

/** A process that drains cannot stop draining, so tests drop the registry instead. */
const forget = () => Reflect.deleteProperty(globalThis, Symbol.for("@kortyx/server/streams"));
beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
  forget();
});

const silent = () => ({
  [Symbol.asyncIterator]: () => ({ next: () => new Promise<IteratorResult<StreamChunk>>(() => {}) }),
});
const realSetImmediate = setImmediate;
/** Advances the clock, and runs the event loop turns that a run needs before and after. */
async function pass(ms: number): Promise<void> {
  const turn = () => new Promise((resolve) => realSetImmediate(resolve));
  for (let turns = 0; turns < 5; turns++) await turn();
  await vi.advanceTimersByTimeAsync(ms);
  for (let turns = 0; turns < 5; turns++) await turn();
}

describe("drain", () => {
  test("resolves at once when no stream is open", async () => {
    expect(await drain({ deadlineMs: 1000 })).toEqual({ finished: 0, aborted: 0 });
  });

  test("lets streams finish until the deadline, then ends the others with an abort (shutdown) and [DONE]", async () => {
    let finish: (result: IteratorResult<StreamChunk>) => void = () => {};
    const short = toSSE({
      [Symbol.asyncIterator]: () => ({
        next: () =>
          new Promise<IteratorResult<StreamChunk>>((resolve) => {
            finish = resolve;
          }),
      }),
    });
    const left = toSSE(silent());
    const long = toSSE(silent());
    const texts = [short.text(), long.text()];
    await pass(100);
    const drained = drain({ deadlineMs: 5000 });
    finish({ done: true, value: undefined });
    await left.body?.cancel();
    await pass(4899);
    expect(await Promise.race([texts[1], "still open"])).toBe("still open");
    await pass(101);
    expect(await drained).toEqual({ finished: 2, aborted: 1 });
    expect(await Promise.all(texts)).toEqual([
      ":hb=8000\n\ndata: [DONE]\n\n",
      ':hb=8000\n\ndata: {"type":"abort","reason":"shutdown"}\n\ndata: [DONE]\n\n',
    ]);
  });

  test("resolves as soon as the last stream has ended", async () => {
    const response = toSSE(silent());
    const drained = drain({ deadlineMs: 60_000 });
    await response.body?.cancel();
    expect(await drained).toEqual({ finished: 1, aborted: 0 });
  });

  test("may be called twice, and both calls resolve as soon as the last stream has ended", async () => {
    const response = toSSE(silent());
    const both = [drain({ deadlineMs: 60_000 }), drain({ deadlineMs: 60_000 })];
    await response.body?.cancel();
    expect(await Promise.all(both)).toEqual([
      { finished: 1, aborted: 0 },
      { finished: 1, aborted: 0 },
    ]);
  });

  test.each([
    ["a stream", () => ({})],
    ["a run", () => ({ runs: { store: createMemoryRunStore() } })],
  ])("counts %s that it aborts once, even with several calls at the same time", async (_, options) => {
    const { POST } = createChatRoute({ agent: { streamChat: silent }, authorize: "anonymous", ...options() });
    const headers = { "content-type": "application/json" };
    const body = JSON.stringify({ messages: [{ role: "user", content: "Hi" }] });
    const opening = POST(new Request("http://host/", { method: "POST", body, headers }));
    while (streamRegistry().streams.size === 0) await pass(0);
    await pass(100);
    const text = (await opening).text();
    const counts = Promise.all([5000, 5000, 4000, 6000].map((deadlineMs) => drain({ deadlineMs })));
    await pass(6000);
    expect(await counts).toEqual(Array(4).fill({ finished: 0, aborted: 1 }));
    expect(await text).toContain('"shutdown"');
    expect(await drain({ deadlineMs: 0 })).toEqual({ finished: 0, aborted: 0 });
  });

  for (const deadlineMs of [Number.POSITIVE_INFINITY, 2 ** 31, 30 * 86_400_000]) {
    test(`ends nothing early with an endless deadline: ${deadlineMs} ms`, async () => {
      const response = toSSE(silent(), { stallTimeoutMs: 0 });
      const drained = drain({ deadlineMs });
      await pass(86_400_000);
      expect(await Promise.race([drained, "waits"])).toBe("waits");
      await response.body?.cancel();
      expect(await drained).toEqual({ finished: 1, aborted: 0 });
    });
  }

  test("refuses a deadline that is not a number of milliseconds, and drains nothing", () => {
    for (const deadlineMs of [Number.NaN, -1]) {
      expect(() => drain({ deadlineMs })).toThrow(RangeError);
    }
    expect(toSSE([]).status).toBe(200);
  });

  test("refuses new streams with 503, and opens no source", async () => {
    await drain({ deadlineMs: 1000 });
    const open = vi.fn();
    const returned = vi.fn(async () => ({ done: true as const, value: undefined }));
    const iterable = { [Symbol.asyncIterator]: () => ({ next: vi.fn(), return: returned }) };
    for (const response of [toSSE(open), toSSE(iterable), toSSE(Promise.resolve(iterable))]) {
      expect(response.status).toBe(503);
      expect(response.headers.get("retry-after")).toBe("1");
      expect(await response.json()).toEqual({
        error: "The server is shutting down. Please try again.",
        code: "draining",
      });
    }
    expect(open).not.toHaveBeenCalled();
    expect(returned).toHaveBeenCalledTimes(2);
    const streamChat = vi.fn();
    const body = JSON.stringify({ messages: [] });
    const request = new Request("http://host/", {
      method: "POST",
      body,
      headers: { "content-type": "application/json" },
    });
    expect((await createChatRoute({ agent: { streamChat } }).POST(request)).status).toBe(503);
    expect(streamChat).not.toHaveBeenCalled();
  });

  test("refuses a request before and while reading it, even for a buffered answer", async () => {
    const streamChat = vi.fn();
    const request = (stream: boolean) =>
      new Request("http://host/", {
        method: "POST",
        body: JSON.stringify({ messages: [], stream }),
        headers: { "content-type": "application/json" },
      });
    const beginning = createChatRoute({
      agent: { streamChat },
      authorize: () => {
        void drain({ deadlineMs: 0 });
        return "ann";
      },
    });
    expect((await beginning.POST(request(true))).status).toBe(503);
    await pass(0);
    const authorize = vi.fn();
    const route = createChatRoute({ agent: { streamChat }, authorize });
    const refused = await route.POST(request(false));
    expect(refused.status).toBe(503);
    expect(refused.headers.get("connection")).toBe("close");
    expect(authorize).not.toHaveBeenCalled();
    expect(streamChat).not.toHaveBeenCalled();
  });

  test("waits up to a second after the deadline for responses that are still sending", async () => {
    const release = registerResponse({});
    const early = drain({ deadlineMs: 60_000 });
    expect(await Promise.race([early, "waits"])).toBe("waits");
    release();
    expect(await early).toEqual({ finished: 0, aborted: 0 });
    registerResponse({});
    const late = drain({ deadlineMs: 10 });
    await pass(1009);
    expect(await Promise.race([late, "waits"])).toBe("waits");
    await pass(1);
    expect(await late).toEqual({ finished: 0, aborted: 0 });
    expect(streamRegistry().listeners.size).toBe(0);
  });

  test.each([
    ["streams", {}],
    ["runs", { runs: {} }],
  ])(
    "waits up to a second after the deadline for onFinish of %s",
    async (_name, { runs }: { runs?: object }) => {
      const finishes: (() => void)[] = [];
      const onFinish = () => new Promise<void>((resolve) => finishes.push(resolve));
      const store = createMemoryRunStore();
      const { POST } = createChatRoute({
        agent: { streamChat: silent },
        authorize: "anonymous",
        ...(runs ? { runs: { store, onFinish } } : { onFinish }),
      });
      const body = JSON.stringify({ messages: [{ role: "user", content: "Hi" }] });
      const headers = { "content-type": "application/json" };
      const request = () => POST(new Request("http://host/", { method: "POST", body, headers }));
      const opening = [request(), request()];
      while (streamRegistry().streams.size < 2) await pass(0);
      await pass(100);
      const texts = (await Promise.all(opening)).map((response) => response.text());
      const onDrained = vi.fn();
      void drain({ deadlineMs: 5000 }).then(onDrained);
      await pass(5000);
      await Promise.all(texts);
      expect(finishes).toHaveLength(2);
      finishes[0]!();
      await pass(900);
      expect(onDrained).not.toHaveBeenCalled();
      await pass(100);
      expect(onDrained).toHaveBeenCalledExactlyOnceWith({ finished: 0, aborted: 2 });
    },
  );

  test("resolves as soon as the last onFinish has returned", async () => {
    let saved!: () => void;
    const response = toSSE([], { onFinish: () => new Promise<void>((resolve) => (saved = resolve)) });
    await response.text();
    const onDrained = vi.fn();
    void drain({ deadlineMs: 60_000 }).then(onDrained);
    await pass(1000);
    expect(onDrained).not.toHaveBeenCalled();
    saved();
    await pass(0);
    expect(onDrained).toHaveBeenCalledExactlyOnceWith({ finished: 0, aborted: 0 });
  });

  test("aborts a route's stream without a failure before its first chunk", async () => {
    const route = createChatRoute({ agent: { streamChat: silent } });
    const request = new Request("http://host/", {
      method: "POST",
      body: '{"messages":[]}',
      headers: { "content-type": "application/json" },
    });
    const answered = route.POST(request);
    while (streamRegistry().streams.size === 0) await pass(0);
    const drained = drain({ deadlineMs: 0 });
    await pass(0);
    await drained;
    const response = await answered;
    expect(response.status).toBe(200);
    expect(await response.text()).toBe('data: {"type":"abort","reason":"shutdown"}\n\ndata: [DONE]\n\n');
  });

  test("ends the streams of every copy of the package", async () => {
    vi.resetModules();
    const copy = await import("../../src/stream/to-sse.ts");
    expect(copy.toSSE).not.toBe(toSSE);
    const text = copy.toSSE(silent()).text();
    const drained = drain({ deadlineMs: 10 });
    await pass(10);
    expect(await drained).toEqual({ finished: 0, aborted: 1 });
    expect(await text).toContain('"shutdown"');
    expect(copy.toSSE([]).status).toBe(503);
  });
});
