import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { ChatRouteOptions } from "../../src/route/chat-route.ts";
import { createChatRoute } from "../../src/route/create-chat-route.ts";
import { createMemoryRunStore } from "../../src/stores/memory-run-store.ts";
import type { RunStore } from "../../src/stores/run-store.ts";
import { createScriptedAgent } from "../../src/testing/scripted-agent.ts";
import { collectTranscript } from "../../src/testing/transcript.ts";
import { describeStores, type RunStoreFixture } from "../stores/run-stores.ts";

const log = vi.spyOn(console, "error").mockImplementation(() => {});
beforeEach(() => log.mockClear());
afterEach(() => vi.useRealTimers());

/** The fate of the reply to an `open` that was executed. */
type Fate = "lost" | "never" | "given";

const outage = new Error("the connection was lost");

/**
 * The store, which executes every `open`. Its replies meet these fates in order; all later ones arrive.
 *
 * @param leaseMs - The lease as the route sees it.
 */
function losingReplies(store: RunStore, fates: Iterable<Fate>, leaseMs = 2000): RunStore {
  const next = fates[Symbol.iterator]();
  return {
    ...store,
    leaseMs,
    async open(request) {
      const opened = await store.open(request);
      const fate = next.next().value ?? "given";
      if (fate === "lost") throw outage;
      if (fate === "never") return new Promise(() => {});
      return opened;
    },
  };
}

const always = function* (fate: Fate): Generator<Fate> {
  for (;;) yield fate;
};

/** A route whose agent greets. */
function routeOn(store: RunStore, runs: Partial<ChatRouteOptions["runs"]> = {}) {
  const agent = createScriptedAgent([{ type: "text-delta", delta: "Hello" }, { type: "done" }]);
  const route = createChatRoute({
    agent,
    authorize: (request) => request.headers.get("x-user"),
    runs: { store, ...runs },
  });
  return { route, agent };
}

const post = (body: object, init: RequestInit = {}) =>
  new Request("http://host/api/chat", {
    method: "POST",
    headers: { "content-type": "application/json", accept: "text/event-stream", "x-user": "ann" },
    body: JSON.stringify({ messages: [{ role: "user", content: "Hi" }], ...body }),
    ...init,
  });

const whole = [
  expect.objectContaining({ type: "run-start", runId: "runId-1" }),
  { type: "text-delta", delta: "Hello" },
  { type: "done" },
];
const codeOf = async (response: Response) => [
  response.status,
  ((await response.json()) as { code: string }).code,
];

describeStores(({ name, setUp }) => {
  describe(`a run that is opened in ${name}`, () => {
    let fixture: RunStoreFixture;
    let store: RunStore;
    beforeEach(() => {
      fixture = setUp();
      store = fixture.create();
    });
    afterEach(async () => {
      await store.close();
      fixture.dispose();
    });

    const requests: [object, Fate[]][] = [
      [{ idempotencyKey: "k", sessionId: "s" }, ["lost", "never"]],
      [{ idempotencyKey: "k" }, ["lost"]],
      [{ sessionId: "s" }, ["lost"]],
      [{}, ["lost"]],
    ];
    for (const [given, fates] of requests) {
      test(`is answered by one agent even if replies of the store are ${fates}: ${JSON.stringify(given)}`, async () => {
        const failing = losingReplies(store, fates);
        const { route, agent } = routeOn(failing, { maxOpenRuns: 1 });
        const response = await route.POST(post(given));
        expect(response.status).toBe(200);
        expect(await collectTranscript(response)).toEqual(whole);
        expect(agent.calls).toHaveLength(1);
        expect(log).not.toHaveBeenCalled();
      });
    }

    test("is shared by a repeated POST while the first one still waits for the store", async () => {
      const open = vi.spyOn(store, "open");
      const { route, agent } = routeOn(losingReplies(store, ["lost"]));
      const first = route.POST(post({ idempotencyKey: "k" }));
      await vi.waitFor(() => expect(open).toHaveBeenCalledTimes(1), { interval: 1 });
      const second = route.POST(post({ idempotencyKey: "k" }));
      for (const response of await Promise.all([first, second])) {
        expect(await collectTranscript(response)).toEqual(whole);
      }
      expect(agent.calls).toHaveLength(1);
    });

    test("is opened even if its client has left, so that the repeated POST finds the answer", async () => {
      const leaving = new AbortController();
      const { route, agent } = routeOn(losingReplies(store, ["lost"]));
      const first = route.POST(post({ idempotencyKey: "k" }, { signal: leaving.signal }));
      leaving.abort();
      await first;
      expect(await collectTranscript(await route.POST(post({ idempotencyKey: "k" })))).toEqual(whole);
      expect(agent.calls).toHaveLength(1);
    });

    test("is given up after a lease with 503, and the repeated POST gets its own answer", async () => {
      const given = losingReplies(store, always("lost"), 500);
      const end = vi.spyOn(given, "end");
      const failing = routeOn(given);
      const key = { idempotencyKey: "k", sessionId: "s" };
      expect(await codeOf(await failing.route.POST(post(key)))).toEqual([503, "store-unavailable"]);
      expect(failing.agent.calls).toEqual([]);
      expect(log.mock.calls).toEqual([[expect.stringContaining("store-unavailable"), outage]]);
      await vi.waitFor(() => expect(end.mock.settledResults[0]?.type).toBe("fulfilled"));
      const { route, agent } = routeOn(store, { maxOpenRuns: 1 });
      expect(await collectTranscript(await route.POST(post(key)))).toEqual(whole);
      expect(agent.calls).toHaveLength(1);
    });
  });
});

describe("a store that does not reply", () => {
  /** Hashing a body takes real time. */
  async function untilCalled(open: { mock: { calls: unknown[] } }): Promise<void> {
    while (open.mock.calls.length === 0) await new Promise(setImmediate);
  }
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  });

  test("is retried for one lease, 15 s, before the response is 503", async () => {
    for (const leaseMs of [15_000, Number.POSITIVE_INFINITY]) {
      const store = createMemoryRunStore({ leaseMs });
      const open = vi.spyOn(store, "open").mockRejectedValue(outage);
      const answered = vi.fn();
      const { route } = routeOn(store);
      const response = route.POST(post({}));
      void response.then(answered);
      await untilCalled(open);
      await vi.advanceTimersByTimeAsync(14_500);
      expect(answered).not.toHaveBeenCalled();
      expect(open.mock.calls.length).toBeGreaterThan(50);
      expect(new Set(open.mock.calls.map(([{ runId }]) => runId)).size).toBe(1);
      await vi.advanceTimersByTimeAsync(1000);
      expect(await codeOf(await response)).toEqual([503, "store-unavailable"]);
    }
  });

  test("is retried every 5 s if it stays silent", async () => {
    const store = createMemoryRunStore();
    const open = vi.spyOn(store, "open").mockReturnValue(new Promise(() => {}));
    const { route } = routeOn(store);
    const response = route.POST(post({}));
    await untilCalled(open);
    await vi.advanceTimersByTimeAsync(16_000);
    expect(await codeOf(await response)).toEqual([503, "store-unavailable"]);
    expect(open).toHaveBeenCalledTimes(3);
  });

  test("receives the end of a run that it may have opened, as soon as it replies again", async () => {
    const store = createMemoryRunStore();
    const open = vi.spyOn(store, "open").mockRejectedValue(outage);
    const end = vi.spyOn(store, "end").mockRejectedValue(outage);
    const { route } = routeOn(store);
    const response = route.POST(post({}));
    await untilCalled(open);
    await vi.advanceTimersByTimeAsync(16_000);
    expect((await response).status).toBe(503);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(end.mock.calls.length).toBeGreaterThan(10);
    end.mockResolvedValue(undefined);
    await vi.advanceTimersByTimeAsync(1_000);
    const calls = end.mock.calls.length;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(end).toHaveBeenCalledTimes(calls);
  });
});
