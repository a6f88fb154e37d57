import type { StreamChunk } from "@kortyx/protocol";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  type ConnectionState,
  type StreamFromRouteOptions,
  streamFromRoute,
} from "../../src/route/stream-from-route.ts";
import {
  bytesOf,
  collect,
  delta,
  eventStream,
  frame,
  streamResponse,
  type TestBody,
  testBody,
} from "../stream/bodies.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const advance = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const entry = (seq: number, chunk: StreamChunk) => `id: run.${seq}\n${frame(chunk)}`;
const [a, b] = [delta("a"), delta("b")];
const rest = () => streamResponse(entry(1, b) + entry(2, { type: "done" }));
const whole = { chunks: [a, b, { type: "done" }] };

interface Resume {
  at: number;
  signal: AbortSignal;
  /** When it got a response or was aborted. */
  endedAt?: number;
}

/**
 * A stream that is cut after its first event, 10 s after its request, and the record of its resumes. Times are relative
 * to the cut.
 *
 * @param answer - Responds to a resume, which stays open until the result settles.
 */
function follow(
  answer: (resume: Resume, number: number) => Response | Promise<Response>,
  options: Partial<StreamFromRouteOptions> = {},
  retry = "",
) {
  const cutAt = performance.now() + 10_000;
  const now = () => performance.now() - cutAt;
  const resumes: Resume[] = [];
  const states: ConnectionState[] = [];
  let endedAt: number | undefined;
  const fetch = async (_: string | URL, { method, signal }: RequestInit) => {
    if (method === "POST") {
      const { stream, close } = testBody([retry + entry(0, a)], { stays: true });
      setTimeout(close, 10_000);
      return new Response(stream, eventStream);
    }
    const resume: Resume = { at: now(), signal: signal! };
    resumes.push(resume);
    const aborted = new Promise<never>((_, reject) => {
      signal!.addEventListener("abort", () => reject(signal!.reason));
    });
    try {
      return await Promise.race([answer(resume, resumes.length), aborted]);
    } finally {
      resume.endedAt = now();
    }
  };
  const onConnectionChange = (state: ConnectionState) => void states.push(state);
  const collected = collect(
    streamFromRoute({ endpoint: "/", body: {}, fetch, onConnectionChange, ...options }),
  );
  void collected.then(() => {
    endedAt = now();
  });
  return {
    collected,
    resumes,
    states,
    /** The outcome of the stream, which must have ended. */
    outcome: () => {
      expect(endedAt).toBeDefined();
      return collected;
    },
    /** When the stream ended. */
    endedAt: () => endedAt!,
    /** The largest number of resumes open at once. */
    mostAtOnce: () =>
      Math.max(
        ...resumes.map(
          ({ at }) => resumes.filter((other) => other.at <= at && !(other.endedAt! <= at)).length,
        ),
      ),
    gaps: () => resumes.slice(1).map(({ at }, last) => at - resumes[last]!.at),
  };
}

const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const hangs = () => new Promise<never>(() => {});

describe("a network that drops packets silently", () => {
  for (const outage of [1, 4, 8, 15, 29, 31, 60, 95, 300, 880]) {
    test(`for ${outage} s: the client is back within 5 s after the network, with at most two requests at once`, async () => {
      const outageMs = outage * 1_000;
      const clients = Array.from({ length: 20 }, () =>
        follow(({ at }) => (at < outageMs ? hangs() : rest())),
      );
      await advance(10_000 + outageMs + 5_000);
      for (const client of clients) {
        expect(client.endedAt() - outageMs).toBeLessThan(5_000);
        expect(await client.outcome()).toEqual(whole);
        expect(client.mostAtOnce()).toBeLessThanOrEqual(2);
        expect(client.gaps().every((gap) => gap >= 3_500 && gap < 4_751)).toBe(true);
        // No request is left open.
        expect(client.resumes.every(({ endedAt }) => endedAt !== undefined)).toBe(true);
      }
    });
  }

  test("for longer than giveUpAfterMs: the client gives up at that time and leaves no request", async () => {
    const client = follow(hangs, { giveUpAfterMs: 120_000 });
    await advance(150_000);
    expect(await client.outcome()).toMatchObject({
      chunks: [a],
      error: { code: expect.stringMatching(/^(idle|connection)$/) },
    });
    // The last byte arrived 10 s before the cut.
    expect(client.endedAt()).toBeGreaterThan(110_000 - 5_000);
    expect(client.endedAt()).toBeLessThan(110_000 + 5_000);
    expect(client.resumes.every(({ endedAt }) => endedAt !== undefined)).toBe(true);
  });

  test("is the reason that each attempt reports", async () => {
    vi.spyOn(Math, "random").mockReturnValue(0);
    const client = follow(({ at }) => (at < 7_000 ? hangs() : rest()));
    await advance(20_000);
    await client.outcome();
    vi.restoreAllMocks();
    const silent = {
      name: "StreamIdleError",
      message: "No data received for 3.5 s: the answer is incomplete.",
    };
    expect(client.states).toMatchObject([
      { state: "open" },
      { state: "reconnecting", attempt: 1, delayMs: 0, error: { name: "StreamTruncatedError" } },
      { state: "reconnecting", attempt: 2, delayMs: 0, error: silent },
      { state: "reconnecting", attempt: 3, delayMs: 0, error: silent },
      { state: "open" },
    ]);
  });

  test("leads to a retry at once when the page becomes visible or comes online while a request hangs", async () => {
    vi.spyOn(Math, "random").mockReturnValue(1);
    for (const event of ["online", "visibilitychange"]) {
      const page = Object.assign(new EventTarget(), { hidden: false });
      vi.stubGlobal("window", page);
      vi.stubGlobal("document", page);
      const client = follow(({ at }) => (at < 7_001 ? hangs() : rest()));
      await advance(10_000 + 3_500 + 3_600);
      expect(client.resumes).toHaveLength(1);
      page.dispatchEvent(new Event(event));
      await advance(0);
      expect(client.resumes).toHaveLength(2);
      expect(await client.collected).toEqual(whole);
    }
    vi.restoreAllMocks();
  });
});

describe("a slow server", () => {
  for (const slowMs of [3_000, 4_000, 8_000, 20_000, 29_900]) {
    test(`that answers a resume after ${slowMs / 1000} s is reached by the first request`, async () => {
      const clients = Array.from({ length: 20 }, () => follow(() => wait(slowMs).then(rest)));
      await advance(10_000 + 3_500 + slowMs + 5_000);
      for (const client of clients) {
        expect(await client.outcome()).toEqual(whole);
        expect(client.endedAt()).toBeLessThanOrEqual(client.resumes[0]!.at + slowMs + 1);
        expect(client.mostAtOnce()).toBeLessThanOrEqual(2);
        expect(client.resumes.length).toBeLessThanOrEqual(1 + slowMs / 3_500);
        expect(client.states.at(-1)).toEqual({ state: "open" });
      }
      await advance(30_000);
    });
  }

  test("is also reached after the network has dropped packets for a while", async () => {
    for (const outageMs of [5_000, 40_000]) {
      const clients = Array.from({ length: 20 }, () =>
        follow(({ at }) => (at < outageMs ? hangs() : wait(8_000).then(rest))),
      );
      await advance(10_000 + outageMs + 60_000);
      for (const client of clients) {
        expect(await client.outcome()).toEqual(whole);
        // The slow request of the outage is given up after 30 s, and the next hanging one takes its place.
        expect(client.endedAt() - outageMs).toBeLessThan(30_000 + 5_000 + 3_500 + 8_000);
      }
      await advance(30_000);
    }
  });

  test("is reached by a thousand clients at once, even if every request costs it time", async () => {
    let busyUntil = 0;
    // 100 per second, in turn: the thousandth first request gets its response after 10 s.
    const answer = async () => {
      const now = performance.now();
      busyUntil = Math.max(busyUntil, now) + 10;
      await wait(busyUntil - now);
      return rest();
    };
    const clients = Array.from({ length: 1_000 }, () => follow(answer));
    await advance(120_000);
    for (const client of clients) {
      expect(await client.outcome()).toEqual(whole);
      expect(client.mostAtOnce()).toBeLessThanOrEqual(2);
    }
    const attempts = clients.reduce((sum, { resumes }) => sum + resumes.length, 0);
    expect(attempts).toBeLessThan(5 * 1_000);
  });

  test("is abandoned after connectTimeoutMs and requested again", async () => {
    vi.spyOn(Math, "random").mockReturnValue(0);
    const client = follow(hangs, { connectTimeoutMs: 10_000, giveUpAfterMs: 30_000 });
    await advance(100_000);
    vi.restoreAllMocks();
    expect(await client.outcome()).toMatchObject({ chunks: [a] });
    const lasted = client.resumes.map(({ at, endedAt }) => Math.round(endedAt! - at));
    // The oldest request has its full time, and those parallel to it 3.5 s.
    expect(lasted.slice(0, 4)).toEqual([10_000, 3_500, 10_000, 3_500]);
  });

  test("is waited for without a second request when connectTimeoutMs is 0", async () => {
    const client = follow(() => wait(600_000).then(rest), { connectTimeoutMs: 0 });
    await advance(700_000);
    expect(await client.outcome()).toEqual(whole);
    expect(client.resumes).toHaveLength(1);
  });

  test("decides the outcome, whether it responds that the run is gone or that it is busy", async () => {
    const gone = follow((_, number) =>
      number === 1 ? wait(8_000).then(() => new Response("{}", { status: 404 })) : hangs(),
    );
    await advance(30_000);
    expect(await gone.outcome()).toMatchObject({ chunks: [a], error: { status: 404 } });
    expect(gone.endedAt()).toBeCloseTo(gone.resumes[0]!.at + 8_000, -1);

    const busy = follow((_, number) => {
      if (number === 1) return wait(4_000).then(() => new Response("{}", { status: 503 }));
      return number === 2 ? hangs() : rest();
    });
    await advance(30_000);
    expect(await busy.outcome()).toEqual(whole);
    expect(busy.states).toContainEqual(
      expect.objectContaining({ error: expect.objectContaining({ status: 503 }) }),
    );
  });

  test("ends the wait for the next request when it responds, even if that wait is long", async () => {
    const client = follow(() => wait(5_000).then(rest), {}, "retry: 60000\n\n");
    await advance(150_000);
    expect(await client.outcome()).toEqual(whole);
    expect(client.resumes).toHaveLength(1);
    expect(client.endedAt()).toBe(client.resumes[0]!.at + 5_000);
  });
});

describe("of two open requests", () => {
  test("the second to answer is aborted, and the body of the first is read", async () => {
    for (const first of [1, 2]) {
      const client = follow(async (resume, number) => {
        if (number !== first) return hangs();
        await wait(number === 1 ? 6_000 : 1_000);
        const { stream, push, close } = testBody([entry(1, b)], { stays: true });
        void wait(1_000).then(() => {
          expect(resume.signal.aborted).toBe(false);
          push(entry(2, { type: "done" }));
          close();
        });
        return new Response(stream, eventStream);
      });
      await advance(60_000);
      expect(await client.outcome()).toEqual(whole);
      expect(client.resumes).toHaveLength(2);
      expect(client.resumes[2 - first]!.endedAt).toBeLessThan(client.endedAt());
      expect(client.resumes[2 - first]!.signal.aborted).toBe(true);
    }
  });

  test("both are aborted when the consumer aborts", async () => {
    vi.spyOn(Math, "random").mockReturnValue(0);
    const abort = new AbortController();
    const client = follow(hangs, { signal: abort.signal });
    const open = () => client.resumes.filter(({ endedAt }) => endedAt === undefined).length;
    while (open() < 2) await advance(100);
    abort.abort("left");
    expect(await client.collected).toEqual({ chunks: [a], error: "left" });
    expect(client.resumes.every(({ signal }) => signal.aborted)).toBe(true);
  });

  test("none stays open with a fetch that ignores its signal", async () => {
    const late: TestBody[] = [];
    let requests = 0;
    const fetch = async () => {
      requests++;
      if (requests === 1) return streamResponse(entry(0, a));
      if (requests === 2) return wait(15_000).then(rest);
      await wait(6_000);
      const body = testBody([], { stays: true });
      late.push(body);
      return new Response(body.stream, eventStream);
    };
    const collected = collect(streamFromRoute({ endpoint: "/", body: {}, fetch }));
    await advance(60_000);
    expect(await collected).toEqual(whole);
    expect(late.length).toBeGreaterThan(1);
    for (const { cancelled } of late) expect(cancelled).toBeDefined();
  });

  test("the slow one is aborted when the route refuses the other", async () => {
    const client = follow((_, number) => (number === 1 ? hangs() : new Response("{}", { status: 404 })));
    await advance(20_000);
    expect(await client.outcome()).toMatchObject({ error: { status: 404 } });
    expect(client.resumes.map(({ signal }) => signal.aborted)[0]).toBe(true);
  });
});

test("a request that is not a resume is never made in parallel with another", async () => {
  let requests = 0;
  const fetch = async () => {
    requests++;
    await wait(20_000);
    return streamResponse(bytesOf(`${frame(a)}${frame({ type: "done" })}`));
  };
  for (const method of ["GET", "POST"]) {
    requests = 0;
    const collected = collect(streamFromRoute({ endpoint: "/", method, runs: true, fetch }));
    await advance(25_000);
    expect(await collected).toEqual({ chunks: [a, { type: "done" }] });
    expect(requests).toBe(1);
  }
});
