import { getEventListeners } from "node:events";
import type { StreamChunk } from "@kortyx/protocol";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createChat } from "../../src/chat/create-chat.ts";
import { type ConnectionState, streamFromRoute } from "../../src/route/stream-from-route.ts";
import { readStream } from "../../src/stream/read-stream.ts";
import { delta, doneMarker, eventStream, frame, type TestBody, testBody } from "../stream/bodies.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const advance = (ms: number) => vi.advanceTimersByTimeAsync(ms);

/** Simulates a visible page that was loaded over this protocol; a page from the cache has none. */
function stubPage({ protocol = "http:", nextHopProtocol = "" } = {}) {
  const page = Object.assign(new EventTarget(), { hidden: false });
  const window = new EventTarget();
  vi.stubGlobal("document", page);
  vi.stubGlobal("window", window);
  vi.stubGlobal("location", { protocol });
  vi.spyOn(performance, "getEntriesByType").mockReturnValue([{ nextHopProtocol } as never]);
  return {
    become(state: "visible" | "hidden") {
      page.hidden = state === "hidden";
      page.dispatchEvent(new Event("visibilitychange"));
    },
    /** The user navigates to another page, and may return. */
    leave() {
      window.dispatchEvent(new Event("pagehide"));
      page.hidden = true;
      page.dispatchEvent(new Event("visibilitychange"));
    },
    get listeners() {
      return (
        getEventListeners(page, "visibilitychange").length + getEventListeners(window, "pagehide").length
      );
    },
  };
}

const runStart = { type: "run-start", runId: "run" } as const;
const stopped = { type: "abort", reason: "stopped" } as const;

interface RouteCall {
  method: string;
  lastEventId: string | null;
  body: TestBody;
  isClosed: boolean;
}

/** A route with one run, whose log the test writes. */
function stubRoute({ opening = ":hb=8000\n\n", hasIds = true } = {}) {
  const log: string[] = [];
  let isOver = false;
  const calls: RouteCall[] = [];
  /** Responses sent in place of the log, oldest first. */
  const failures: Response[] = [];
  const deletion = Promise.withResolvers<Response>();
  const openCalls = () => calls.filter(({ body, isClosed }) => !body.cancelled && !isClosed);
  const route = {
    calls,
    failures,
    /** Whether further requests wait for a connection. */
    isFull: false,
    /** The number of requests that wait for one. */
    waiting: 0,
    /** The response to the DELETE. */
    deletion,
    get open() {
      return openCalls().length;
    },
    give(...chunks: StreamChunk[]) {
      for (const chunk of chunks) {
        const text = `${hasIds ? `id: run.${log.length}\n` : ""}${frame(chunk)}`;
        log.push(text);
        for (const { body } of openCalls()) body.push(text);
      }
    },
    end() {
      isOver = true;
      for (const call of openCalls()) {
        call.body.push(doneMarker);
        call.body.close();
        call.isClosed = true;
      }
    },
    async fetch(_url: string | URL, { method, headers, signal }: RequestInit): Promise<Response> {
      if (method === "DELETE") return deletion.promise;
      if (route.isFull) {
        route.waiting++;
        return new Promise((_, reject) =>
          signal?.addEventListener("abort", () => {
            route.waiting--;
            reject(signal.reason);
          }),
        );
      }
      const lastEventId = new Headers(headers).get("last-event-id");
      const failure = failures.shift();
      const missed = log.slice(lastEventId === null ? 0 : Number(lastEventId.split(".")[1]) + 1);
      const body = testBody([opening + missed.join("") + (isOver ? doneMarker : "")], { stays: !isOver });
      calls.push({ method: method!, lastEventId, body, isClosed: isOver || failure !== undefined });
      return failure ?? new Response(body.stream, eventStream);
    },
  };
  return route;
}

type StubRoute = ReturnType<typeof stubRoute>;

/** Reads the route's stream and records the result. */
function follow(route: Pick<StubRoute, "fetch">, options: { giveUpAfterMs?: number | undefined } = {}) {
  const states: ConnectionState["state"][] = [];
  const chunks: StreamChunk[] = [];
  const abort = new AbortController();
  const followed = { states, chunks, abort, outcome: "open" as unknown };
  const stream = streamFromRoute({
    endpoint: "/api",
    body: {},
    fetch: route.fetch,
    signal: abort.signal,
    onConnectionChange: ({ state }) => states.push(state),
    ...options,
  });
  (async () => {
    for await (const chunk of stream) chunks.push(chunk);
  })().then(
    () => {
      followed.outcome = "ended";
    },
    (error) => {
      followed.outcome = error;
    },
  );
  return followed;
}

/** A page that follows a run and has received its first chunk. */
async function followOnPage({
  page = stubPage(),
  ...options
}: {
  page?: ReturnType<typeof stubPage>;
  giveUpAfterMs?: number;
} = {}) {
  const route = stubRoute();
  const followed = follow(route, options);
  await advance(0);
  route.give(runStart);
  await advance(0);
  return { page, route, followed };
}

describe("a hidden page", () => {
  test("closes its connection after 2 s, and catches up every 30 s", async () => {
    const { page, route, followed } = await followOnPage();
    route.give(delta("a"));
    page.become("hidden");
    await advance(1_999);
    expect(route.open).toBe(1);
    await advance(1);
    expect(route.open).toBe(0);
    route.give(delta("b"));
    await advance(29_999);
    expect(route.calls).toHaveLength(1);
    await advance(1);
    expect(route.calls[1]).toMatchObject({ method: "GET", lastEventId: "run.1" });
    expect(followed.chunks).toEqual([runStart, delta("a"), delta("b")]);
    await advance(1_999);
    route.give(delta("c"));
    await advance(1);
    expect(route.open).toBe(0);
    await advance(30_000);
    expect(route.calls[2]).toMatchObject({ method: "GET", lastEventId: "run.3" });
    route.give({ type: "done" });
    route.end();
    await advance(0);
    expect(followed.chunks).toEqual([runStart, delta("a"), delta("b"), delta("c"), { type: "done" }]);
    expect(followed.outcome).toBe("ended");
    // A pause is not reported as a lost connection.
    expect(followed.states).toEqual(["open", "open", "open"]);
    expect(page.listeners).toBe(0);
  });

  test("reconnects at once when it becomes visible", async () => {
    const { page, route, followed } = await followOnPage();
    page.become("hidden");
    await advance(10_000);
    route.give(delta("a"));
    expect(route.open).toBe(0);
    page.become("visible");
    await advance(0);
    expect(followed.chunks).toEqual([runStart, delta("a")]);
    await advance(20_000);
    expect(route.open).toBe(1);
    expect(route.calls).toHaveLength(2);
    followed.abort.abort();
  });

  test("closes its connection before timers stop when the user navigates away, and continues when the user returns", async () => {
    const { page, route, followed } = await followOnPage();
    page.leave();
    expect(route.open).toBe(0);
    await Promise.resolve();
    route.give(delta("a"));
    page.become("visible");
    await advance(0);
    expect(followed.chunks).toEqual([runStart, delta("a")]);
    expect(followed.states).toEqual(["open", "open"]);
    followed.abort.abort();
    await advance(0);
    expect(page.listeners).toBe(0);
  });

  test("catches up as usual if the user navigated away but the page is not frozen", async () => {
    const { page, route, followed } = await followOnPage();
    page.leave();
    route.give(delta("a"), { type: "done" });
    route.end();
    await advance(2_000 + 30_000);
    expect(followed.chunks).toEqual([runStart, delta("a"), { type: "done" }]);
    expect(followed.outcome).toBe("ended");
    expect(route.calls).toHaveLength(2);
  });

  test("also closes its connection over HTTP/1.1 with TLS", async () => {
    const { page, route, followed } = await followOnPage({
      page: stubPage({ protocol: "https:", nextHopProtocol: "http/1.1" }),
    });
    page.become("hidden");
    await advance(2_000);
    expect(route.open).toBe(0);
    followed.abort.abort();
  });

  test("keeps its connection if it becomes visible within 2 s", async () => {
    const { page, route, followed } = await followOnPage();
    for (let glance = 0; glance < 5; glance++) {
      page.become("hidden");
      await advance(1_900);
      page.become("visible");
      await advance(1_900);
    }
    expect(route.calls).toHaveLength(1);
    expect(route.open).toBe(1);
    followed.abort.abort();
  });

  test("shows the whole answer of a run that ended while the page was hidden for five minutes", async () => {
    const page = stubPage();
    const route = stubRoute();
    const chat = createChat({ endpoint: "/api", runs: true, fetch: route.fetch });
    const statuses: string[] = [];
    chat.subscribe(({ status, reconnecting }) => statuses.push(reconnecting ? "reconnecting" : status));
    void chat.send("Hi");
    await advance(0);
    route.give(runStart, delta("a"));
    page.become("hidden");
    await advance(290_000);
    route.give(delta("b"), { type: "done" });
    route.end();
    await advance(1_000);
    expect(chat.getSnapshot().status).toBe("streaming");
    page.become("visible");
    await advance(0);
    const { messages, status } = chat.getSnapshot();
    expect(status).toBe("ready");
    expect(messages.at(-1)).toMatchObject({ status: "done", parts: [{ type: "text", text: "ab" }] });
    expect(messages).toHaveLength(2);
    expect([...new Set(statuses)]).toEqual(["ready", "submitted", "streaming"]);
    expect(route.calls).toHaveLength(11);
  });

  test("learns of the end within 30 s and calls onFinish", async () => {
    const page = stubPage();
    const route = stubRoute();
    const onFinish = vi.fn();
    const chat = createChat({ endpoint: "/api", runs: true, fetch: route.fetch, onFinish });
    void chat.send("Hi");
    await advance(0);
    route.give(runStart);
    page.become("hidden");
    await advance(3_000);
    route.give(delta("a"), { type: "done" });
    route.end();
    await advance(29_000);
    expect(onFinish).toHaveBeenCalledOnce();
    expect(chat.getSnapshot().status).toBe("ready");
  });

  test("closes its connection after the first event id if it is hidden from the start", async () => {
    const page = stubPage();
    page.become("hidden");
    const route = stubRoute();
    const followed = follow(route);
    await advance(7_000);
    expect(route.open).toBe(1);
    route.give(runStart);
    await advance(2_000);
    expect(route.open).toBe(0);
    page.become("visible");
    await advance(0);
    expect(route.open).toBe(1);
    followed.abort.abort();
  });

  test("retries as after a lost connection when it cannot continue", async () => {
    const { page, route, followed } = await followOnPage({ giveUpAfterMs: 10_000 });
    page.become("hidden");
    await advance(20_000);
    route.failures.push(new Response(null, { status: 503 }));
    page.become("visible");
    await advance(0);
    expect(followed.states).toEqual(["open", "reconnecting"]);
    route.give(delta("a"));
    // The pause does not count towards giveUpAfterMs.
    await advance(3_500);
    expect(followed.chunks).toEqual([runStart, delta("a")]);
    followed.abort.abort();
  });

  test("closes a connection whose response arrives just as the user navigates away, in any interleaving", async () => {
    for (let microtasks = 0; microtasks < 10; microtasks++) {
      const page = stubPage();
      const route = stubRoute();
      const abort = new AbortController();
      let openings = 0;
      const stream = streamFromRoute({
        endpoint: "/api",
        body: {},
        fetch: route.fetch,
        signal: abort.signal,
        onConnectionChange: async ({ state }) => {
          if (state !== "open" || ++openings !== 2) return;
          for (let count = 0; count < microtasks; count++) await undefined;
          page.leave();
        },
      });
      route.give(runStart);
      const reading = (async () => {
        for await (const _ of stream);
      })().catch(() => {});
      await advance(0);
      route.calls[0]!.body.fail(new Error("cut"));
      route.calls[0]!.isClosed = true;
      await advance(3_500);
      expect([route.calls.length, route.open], `after ${microtasks} microtasks`).toEqual([2, 0]);
      await advance(10_000);
      expect(route.calls.length, `after ${microtasks} microtasks`).toBe(2);
      page.become("visible");
      await advance(0);
      expect([route.calls.length, route.open]).toEqual([3, 1]);
      abort.abort();
      await reading;
    }
  });

  test("drops a hanging request after 5 s, and makes the next 30 s later or when the page becomes visible", async () => {
    const { page, route, followed } = await followOnPage();
    page.become("hidden");
    route.isFull = true;
    await advance(2_000 + 30_000);
    expect(route.waiting).toBe(1);
    await advance(4_999);
    expect(route.waiting).toBeGreaterThan(0);
    await advance(1);
    expect(route.waiting).toBe(0);
    await advance(29_999);
    expect(route.waiting).toBe(0);
    await advance(1);
    expect(route.waiting).toBe(1);
    await advance(10_000);
    expect(route.waiting).toBe(0);
    route.isFull = false;
    route.give(delta("a"));
    page.become("visible");
    await advance(0);
    expect(followed.chunks).toEqual([runStart, delta("a")]);
    expect(route.calls).toHaveLength(2);
    followed.abort.abort();
    await advance(0);
    expect(page.listeners).toBe(0);
  });

  test("stops looking for an unavailable server when giveUpAfterMs has passed", async () => {
    const { page, route, followed } = await followOnPage({ giveUpAfterMs: 12_000 });
    page.become("hidden");
    route.isFull = true;
    await advance(2_000 + 3 * 35_000 + 5_000);
    expect(followed.outcome).toMatchObject({ code: "idle" });
  });

  test("leaves no request and no listener when it is aborted while a request hangs", async () => {
    const { page, route, followed } = await followOnPage();
    page.become("hidden");
    route.isFull = true;
    await advance(2_000 + 30_000 + 4_000);
    expect(route.waiting).toBeGreaterThan(0);
    followed.abort.abort("left");
    await advance(0);
    expect(route.waiting).toBe(0);
    expect(followed.outcome).toBe("left");
    expect(page.listeners).toBe(0);
  });

  test("requests nothing more when it is aborted during a pause", async () => {
    const { page, route, followed } = await followOnPage();
    page.become("hidden");
    await advance(5_000);
    const reason = new Error("left");
    followed.abort.abort(reason);
    await advance(60_000);
    page.become("visible");
    await advance(0);
    expect(followed.outcome).toBe(reason);
    expect(route.calls).toHaveLength(1);
    expect(page.listeners).toBe(0);
  });

  const keeps: Record<
    string,
    { nextHopProtocol?: string; opening?: string; hasIds?: boolean; giveUpAfterMs?: number }
  > = {
    "with reconnecting turned off": { giveUpAfterMs: 0 },
    "of a stream whose events have no ids": { hasIds: false },
    "of a run that may end with its connection": { opening: ":stay\n\n:hb=8000\n\n" },
    "over HTTP/2": { nextHopProtocol: "h2" },
    "over HTTP/3": { nextHopProtocol: "h3" },
    "over TLS, whose protocol the browser hides": { nextHopProtocol: "" },
  };

  test.each(Object.entries(keeps))(
    "keeps a connection %s",
    async (_, { nextHopProtocol, giveUpAfterMs, ...made }) => {
      const page = stubPage(nextHopProtocol === undefined ? {} : { protocol: "https:", nextHopProtocol });
      const route = stubRoute(made);
      const followed = follow(route, { giveUpAfterMs });
      await advance(0);
      route.give(runStart, delta("a"));
      page.become("hidden");
      for (let seconds = 0; seconds < 300; seconds += 8) {
        await advance(8_000);
        for (const { body } of route.calls) body.push(":hb=8000\n\n");
      }
      expect(route.open).toBe(1);
      expect(route.calls).toHaveLength(1);
      route.give({ type: "done" });
      await advance(0);
      expect(followed.chunks).toEqual([runStart, delta("a"), { type: "done" }]);
      followed.abort.abort();
    },
  );
});

test("a document without events, as made by libraries for React Native, is not a page", async () => {
  vi.stubGlobal("document", {});
  vi.stubGlobal("location", { protocol: "http:" });
  const route = stubRoute();
  const followed = follow(route);
  await advance(0);
  route.give(runStart);
  await advance(5_000);
  expect(route.open).toBe(1);
  const [call] = route.calls;
  call!.body.fail(new Error("cut"));
  call!.isClosed = true;
  route.give(delta("a"));
  await advance(3_500);
  expect(followed.chunks).toEqual([runStart, delta("a")]);
  followed.abort.abort();
});

describe("a stop", () => {
  /** A chat that follows a run and is being stopped. */
  async function stopping(route: StubRoute) {
    const chat = createChat({ endpoint: "/api", runs: true, fetch: route.fetch });
    void chat.send("Hi");
    await advance(0);
    route.give(runStart, delta("a"));
    await advance(100);
    const stop = { outcome: "pending" as unknown };
    chat.stop().then(
      () => {
        stop.outcome = "stopped";
      },
      (error) => {
        stop.outcome = error;
      },
    );
    return { chat, stop };
  }

  test("takes over the answer's connection after a second, and the answer then ends as stopped", async () => {
    const route = stubRoute();
    const { chat, stop } = await stopping(route);
    await advance(999);
    expect(route.open).toBe(1);
    await advance(1);
    expect(route.open).toBe(0);
    route.give(delta("b"), stopped);
    route.end();
    route.deletion.resolve(Response.json({ runId: "run", terminal: stopped }));
    await advance(0);
    expect(stop.outcome).toBe("stopped");
    expect(route.calls[1]).toMatchObject({ method: "GET", lastEventId: "run.1" });
    expect(chat.getSnapshot()).toMatchObject({ status: "ready", reconnecting: false });
    expect(chat.getSnapshot().messages.at(-1)).toMatchObject({
      abortReason: "stopped",
      parts: [{ type: "text", text: "ab" }],
    });
  });

  test("ends with the partial answer 2 s later if the answer gets no connection", async () => {
    const route = stubRoute();
    const { chat, stop } = await stopping(route);
    await advance(1_000);
    route.isFull = true;
    route.deletion.resolve(Response.json({ runId: "run", terminal: stopped }));
    await advance(1_999);
    expect(chat.getSnapshot().status).toBe("stopping");
    await advance(1);
    expect(stop.outcome).toBe("stopped");
    expect(chat.getSnapshot().status).toBe("ready");
    expect(chat.getSnapshot().messages.at(-1)).toMatchObject({
      status: "aborted",
      parts: [{ type: "text", text: "a" }],
    });
  });

  test("that completes within a second leaves the connection alone", async () => {
    const route = stubRoute();
    const { stop } = await stopping(route);
    await advance(900);
    route.deletion.resolve(Response.json({}));
    await advance(5_000);
    expect(route.open).toBe(1);
    route.give(stopped);
    route.end();
    await advance(0);
    expect(stop.outcome).toBe("stopped");
    expect(route.calls).toHaveLength(1);
  });

  test("that fails lets the answer continue", async () => {
    const route = stubRoute();
    const { chat, stop } = await stopping(route);
    await advance(3_000);
    route.give(delta("b"));
    route.deletion.resolve(new Response(null, { status: 500 }));
    await advance(100);
    expect(stop.outcome).toMatchObject({ status: 500 });
    expect(chat.getSnapshot().status).toBe("streaming");
    route.give({ type: "done" });
    route.end();
    await advance(0);
    expect(chat.getSnapshot().messages.at(-1)).toMatchObject({
      status: "done",
      parts: [{ type: "text", text: "ab" }],
    });
  });

  test("that never completes holds the connection for at most 10 s", async () => {
    const route = stubRoute();
    const transport = {
      start: (_body: unknown, options: object) =>
        streamFromRoute({ endpoint: "/api", body: {}, fetch: route.fetch, ...options }),
      stop: () => new Promise<void>(() => {}),
    };
    const chat = createChat({ transport });
    void chat.send("Hi");
    await advance(0);
    route.give(runStart);
    await advance(0);
    void chat.stop();
    await advance(10_999);
    expect(route.calls).toHaveLength(1);
    await advance(1);
    route.give({ type: "done" });
    route.end();
    await advance(0);
    expect(chat.getSnapshot().status).toBe("ready");
    expect(route.calls).toHaveLength(2);
  });

  test("does not touch a stream that cannot be continued", async () => {
    const body = testBody([`id: run.0\n${frame(runStart)}`], { stays: true });
    const stop = Promise.withResolvers<void>();
    const transport = { start: () => readStream(body.stream), stop: () => stop.promise };
    const chat = createChat({ transport });
    void chat.send("Hi");
    await advance(0);
    void chat.stop();
    await advance(5_000);
    expect(body.cancelled).toBeUndefined();
    body.push(`id: run.1\n${frame(stopped)}${doneMarker}`);
    body.close();
    await advance(0);
    expect(chat.getSnapshot().status).toBe("ready");
    stop.resolve();
    await advance(0);
  });
});
