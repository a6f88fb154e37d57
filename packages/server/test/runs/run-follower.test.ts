import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createRunFeeds } from "../../src/runs/run-feed.ts";
import { createRunFollower } from "../../src/runs/run-follower.ts";
import { streamRegistry } from "../../src/shutdown/stream-registry.ts";
import { createMemoryRunStore } from "../../src/stores/memory-run-store.ts";
import type { RunStore } from "../../src/stores/run-store.ts";
import type { StreamOptions } from "../../src/stream/stream-options.ts";
import { createWebBody } from "../../src/stream/web-body.ts";
import { openRun } from "../../src/testing/contract/run-store-calls.ts";
import { createFaultyRunStores } from "../../src/testing/faulty-run-store.ts";

vi.spyOn(console, "error").mockImplementation(() => {});
beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  expect(streamRegistry().followers.size).toBe(0);
  vi.useRealTimers();
  vi.spyOn(Math, "random").mockRestore();
});
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

const entriesOf = (from: number, count: number, size = 0) =>
  Array.from({ length: count }, (_, index) => `{"type":"x","n":${from + index},"t":"${"x".repeat(size)}"}`);
const frames = (from: number, to: number, size = 0) => {
  let text = "";
  for (const [index, json] of entriesOf(from, to - from + 1, size).entries())
    text += `id: r.${from + index}\ndata: ${json}\n\n`;
  return text;
};
const done = "data: [DONE]\n\n";
const doneAt = (seq: number) => `id: r.${seq}\ndata: {"type":"done"}\n\n${done}`;

/** The opening comment of a connection with event ids, unless it ends with its first piece. */
const hb = ":hb=8000\n\n";
const withoutComments = (text: string) => text.replaceAll(/^:.*\n\n/gm, "");

interface Following {
  after?: number;
  options?: StreamOptions;
  hasIds?: boolean;
  canHandOff?: boolean;
}

/** A run, and connections that follow it. */
async function follow(store: RunStore = createMemoryRunStore()) {
  await openRun(store, { runId: "r" });
  const left: string[] = [];
  const feeds = createRunFeeds(store, (runId) => left.push(runId));
  return {
    store,
    feeds,
    /** The runs that were abandoned. */
    left,
    connect({ after = -1, options = {}, hasIds = true, canHandOff = false }: Following = {}) {
      const feed = feeds.get("r", after);
      const followed = { runId: "r", after, feed, hasIds, canHandOff, endsWithFollowers: false };
      return createWebBody((sink) => createRunFollower(followed, options, sink));
    },
  };
}

/** Reads a stream as fast as it arrives, and records its pieces and its end. */
function reading(stream: ReadableStream<Uint8Array>) {
  const seen = { pieces: [] as string[], text: "", isOver: false };
  (async () => {
    const decoder = new TextDecoder();
    const reader = stream.getReader();
    for (;;) {
      const { done: isDone, value } = await reader.read();
      if (isDone) break;
      const piece = decoder.decode(value);
      seen.pieces.push(piece);
      seen.text += piece;
    }
    seen.isOver = true;
  })();
  return seen;
}

describe("a connection that follows a run", () => {
  test("carries the log from its cursor, with event ids, and ends with [DONE] when the log does", async () => {
    const { store, connect } = await follow();
    await store.append("r", 0, ['{"type":"run-start","runId":"r"}', '{"type":"text-delta","delta":"語"}']);
    const whole = reading(connect());
    const rest = reading(connect({ after: 0 }));
    await pass(0);
    await store.append("r", 2, ['{"type":"text-delta","delta":"!"}']);
    await pass(0);
    await store.end("r", { type: "done", finishReason: "stop" });
    await pass(0);
    const last = [
      'id: r.1\ndata: {"type":"text-delta","delta":"語"}\n\n',
      'id: r.2\ndata: {"type":"text-delta","delta":"!"}\n\n',
      'id: r.3\ndata: {"type":"done","finishReason":"stop"}\n\n',
      "data: [DONE]\n\n",
    ].join("");
    expect(whole.text).toBe(`:hb=8000\n\nid: r.0\ndata: {"type":"run-start","runId":"r"}\n\n${last}`);
    expect(rest.text).toBe(`:hb=8000\n\n${last}`);
    expect([whole.isOver, rest.isOver]).toEqual([true, true]);
    const late = reading(connect({ after: 3 }));
    await pass(0);
    expect(late).toEqual({ pieces: [done], text: done, isOver: true });
  });

  test("carries exactly the suffix after its cursor, whatever its pace and the moment it begins", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 700 }), { maxLength: 6 }),
        fc.array(fc.tuple(fc.nat(2000), fc.nat(6), fc.boolean()), { minLength: 1, maxLength: 6 }),
        async (batches, followers) => {
          const { store, connect } = await follow();
          const streams: { after: number; text: Promise<string> }[] = [];
          let seq = 0;
          const begin = async (moment: number) => {
            for (const [back, at, isSlow] of followers) {
              if (Math.min(at, batches.length) !== moment) continue;
              const after = Math.max(-1, seq - 1 - back);
              const text = isSlow ? readSlowly(connect({ after })) : new Response(connect({ after })).text();
              streams.push({ after, text });
            }
            await pass(0);
          };
          for (const [moment, count] of batches.entries()) {
            await begin(moment);
            await store.append("r", seq, entriesOf(seq, count));
            seq += count;
            await pass(1);
          }
          await begin(batches.length);
          await store.end("r", { type: "done" });
          for (let turns = 0; turns < 200; turns++) await pass(5);
          for (const { after, text } of streams) {
            expect(withoutComments(await text)).toBe(frames(after + 1, seq - 1) + doneAt(seq));
          }
        },
      ),
      { numRuns: 25 },
    );
  });

  async function readSlowly(stream: ReadableStream<Uint8Array>): Promise<string> {
    const reader = stream.getReader();
    const decoder = new TextDecoder();
    let text = "";
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      const { done: isDone, value } = await reader.read();
      if (isDone) return text;
      text += decoder.decode(value);
    }
  }

  test("receives existing entries in one piece, but at most about 64 Ki characters at once", async () => {
    const { store, connect } = await follow();
    await store.append("r", 0, entriesOf(0, 100));
    const short = reading(connect());
    await pass(0);
    expect(short.pieces).toEqual([hb + frames(0, 99)]);
    await store.append("r", 100, entriesOf(100, 200, 1000));
    await pass(0);
    const leave = new AbortController();
    const keepsFeed = connect({ options: { signal: leave.signal } });
    await store.end("r", { type: "done" });
    await pass(0);
    const long = reading(connect());
    await pass(0);
    expect(long.text).toBe(hb + frames(0, 99) + frames(100, 299, 1000) + doneAt(300));
    for (const piece of long.pieces) expect(piece.length).toBeLessThan(64 * 1024 + 1100);
    expect(long.pieces.length).toBe(4);
    expect(short.text).toBe(long.text);
    leave.abort();
    await keepsFeed.cancel();
  });

  test("receives at most two pieces while it does not read, and delays no other connection", async () => {
    const { store, connect } = await follow();
    const slow = connect();
    const enqueued = vi.spyOn(ReadableStreamDefaultController.prototype, "enqueue");
    for (let seq = 0; seq < 1000; seq += 100) {
      await store.append("r", seq, entriesOf(seq, 100, 1000));
      await pass(1);
    }
    expect(enqueued.mock.calls.length).toBeLessThanOrEqual(2);
    enqueued.mockRestore();
    const fast = reading(connect());
    await store.end("r", { type: "done" });
    await pass(1);
    expect(fast.text).toBe(hb + frames(0, 999, 1000) + doneAt(1000));
    const seen = reading(slow);
    await pass(1);
    expect(seen.text).toBe(fast.text);
  });

  test("catches up on its own if it trails the feed, and then shares the feed", async () => {
    const store = createMemoryRunStore();
    const reads: [number, number][] = [];
    const counting: RunStore = {
      ...store,
      read(runId, after, limit) {
        reads.push([after, limit]);
        return store.read(runId, after, limit);
      },
    };
    const { connect } = await follow(counting);
    await store.append("r", 0, entriesOf(0, 1000));
    const tip = reading(connect({ after: 899 }));
    await pass(0);
    const lagging = reading(connect());
    await pass(0);
    expect(reads).toEqual([
      [899, 512],
      [-1, 512],
      [511, 388],
    ]);
    const oneEntryBack = reading(connect({ after: 898 }));
    await store.append("r", 1000, entriesOf(1000, 1));
    await store.end("r", { type: "done" });
    await pass(0);
    expect(oneEntryBack.text).toBe(hb + frames(899, 1000) + doneAt(1001));
    expect(tip.text).toBe(hb + frames(900, 1000) + doneAt(1001));
    expect(lagging.text).toBe(hb + frames(0, 1000) + doneAt(1001));
  });
});

describe("a reader without event ids", () => {
  const withoutIds = (text: string) => text.replaceAll(/^id: .*\n/gm, "");

  test("gets the same log without them, with heartbeats, from the feed or on its own", async () => {
    const { store, connect } = await follow();
    await store.append("r", 0, entriesOf(0, 1000));
    const tip = reading(connect({ after: 899, hasIds: false, options: { heartbeatMs: 1000 } }));
    await pass(0);
    const lagging = reading(connect({ hasIds: false }));
    const beside = reading(connect());
    await pass(1200);
    await store.end("r", { type: "done" });
    await pass(0);
    expect(withoutComments(tip.text)).toBe(withoutIds(frames(900, 999) + doneAt(1000)));
    expect(tip.text).toContain(":hb=1000\n\n");
    expect(withoutComments(lagging.text)).toBe(withoutIds(frames(0, 999) + doneAt(1000)));
    expect(beside.text).toBe(hb + frames(0, 999) + doneAt(1000));
  });

  test("cannot reconnect: a connection that is given up ends with an error instead of a retry time", async () => {
    const { store, connect, left } = await follow();
    await store.append("r", 0, entriesOf(0, 1));
    const seen = reading(connect({ hasIds: false, options: { maxDurationMs: 5000 } }));
    await pass(5000);
    const error = {
      type: "error",
      message: "The connection closed before the answer was complete. Please try again.",
      code: "connection-ended",
      retryable: true,
    };
    expect(seen).toMatchObject({
      text: `${withoutIds(frames(0, 0))}data: ${JSON.stringify(error)}\n\n${done}`,
      isOver: true,
    });
    // Its client counts as gone; the run does not wait for a reconnection.
    expect(left).toEqual(["r"]);
    expect(await store.append("r", 1, entriesOf(1, 1))).toBe("ok");
  });
});

describe("a connection that is given up", () => {
  test("after maxDurationMs receives a retry time, and its run continues", async () => {
    vi.spyOn(Math, "random").mockReturnValue(0.5);
    const { store, connect, left } = await follow();
    await store.append("r", 0, entriesOf(0, 1));
    const seen = reading(connect({ options: { maxDurationMs: 5000 } }));
    await pass(4999);
    expect(seen.isOver).toBe(false);
    await pass(1);
    expect(seen).toMatchObject({ text: `${hb + frames(0, 0)}retry: 1500\n\n`, isOver: true });
    expect(left).toEqual([]);
    expect(await store.append("r", 1, entriesOf(1, 1))).toBe("ok");
  });

  test("because draining begins and another process can continue receives a retry time of at most 3 s", async () => {
    const { store, connect, left } = await follow();
    await store.append("r", 0, entriesOf(0, 1));
    const handedOff = [0, 0.999].map((random) => {
      vi.spyOn(Math, "random").mockReturnValue(random);
      const seen = reading(connect({ canHandOff: true }));
      return { random, seen };
    });
    const kept = connect();
    const stays = reading(kept);
    await pass(0);
    for (const { random, seen } of handedOff) {
      vi.spyOn(Math, "random").mockReturnValue(random);
      [...streamRegistry().followers][0]?.handOff?.();
      await pass(0);
      expect(seen).toMatchObject({
        text: `${hb + frames(0, 0)}retry: ${random === 0 ? 0 : 2997}\n\n`,
        isOver: true,
      });
    }
    for (const { handOff } of streamRegistry().followers) handOff?.();
    await pass(0);
    expect([stays.isOver, left]).toEqual([false, []]);
    await store.end("r", { type: "done" });
    await pass(0);
    expect(stays.isOver).toBe(true);
  });

  test("because its store fails for a lease closes without a terminal", async () => {
    vi.spyOn(Math, "random").mockReturnValue(0.5);
    const store = createMemoryRunStore();
    const { connect } = await follow({
      ...store,
      read: (...values) => (isFailing ? Promise.reject(new Error("away")) : store.read(...values)),
    });
    let isFailing = false;
    await store.append("r", 0, entriesOf(0, 1));
    const seen = reading(connect({ options: { heartbeatMs: 0 } }));
    await pass(0);
    isFailing = true;
    await store.append("r", 1, entriesOf(1, 1));
    await pass(14_900);
    expect(seen.isOver).toBe(false);
    await pass(600);
    expect(seen).toMatchObject({ text: `:hb=0\n\n${frames(0, 0)}retry: 1500\n\n`, isOver: true });
  });

  test("because its store fails for a lease while it catches up closes without a terminal, but not earlier", async () => {
    vi.spyOn(Math, "random").mockReturnValue(0.5);
    const store = createMemoryRunStore();
    let isFailing = true;
    const { connect } = await follow({
      ...store,
      read: (runId, after, limit) =>
        isFailing && after === -1 ? Promise.reject(new Error("away")) : store.read(runId, after, limit),
    });
    await store.append("r", 0, entriesOf(0, 10));
    const tip = reading(connect({ after: 4 }));
    await pass(0);
    const patient = reading(connect({ options: { heartbeatMs: 0 } }));
    await pass(14_000);
    isFailing = false;
    await pass(250);
    expect(patient.text).toBe(`:hb=0\n\n${frames(0, 9)}`);
    isFailing = true;
    const lagging = reading(connect({ options: { heartbeatMs: 0 } }));
    await store.renew("r");
    await pass(14_900);
    expect(lagging.isOver).toBe(false);
    await store.renew("r");
    await pass(600);
    expect(lagging).toMatchObject({ text: ":hb=0\n\nretry: 1500\n\n", isOver: true });
    expect(tip.isOver).toBe(false);
    await store.end("r", { type: "done" });
    await pass(0);
    expect(tip.isOver).toBe(true);
  });

  test("because its client leaves while it catches up stops reading from a failing store", async () => {
    const memory = createMemoryRunStore();
    const readBeginning = vi.fn(() => Promise.reject(new Error("away")));
    const { store, connect } = await follow({
      ...memory,
      read: (runId, after, limit) => (after === -1 ? readBeginning() : memory.read(runId, after, limit)),
    });
    await store.append("r", 0, entriesOf(0, 10));
    const tip = connect({ after: 4 }).getReader();
    const lagging = connect().getReader();
    await pass(100);
    await lagging.cancel();
    await pass(2000);
    expect(readBeginning).toHaveBeenCalledTimes(1);
    await tip.cancel();
  });

  test("because a piece stayed unread for 60 s is cut off, and its run is abandoned", async () => {
    const { store, connect, left } = await follow(createMemoryRunStore({ leaseMs: 3_600_000 }));
    await store.append("r", 0, entriesOf(0, 1));
    const stream = connect();
    await pass(59_900);
    expect(left).toEqual([]);
    await pass(200);
    expect(left).toEqual(["r"]);
    const seen = reading(stream);
    await pass(0);
    expect(seen).toMatchObject({ text: hb + frames(0, 0), isOver: true });
  });
});

/** A store whose first wait hangs until `comeBack`, as on Workers, where it dies with the request that waits. */
function withDeadWait(): { store: RunStore; comeBack: () => void } {
  const store = createMemoryRunStore();
  let comeBack: () => void = () => {};
  let waits = 0;
  const wait: RunStore["wait"] = (...values) => {
    if (waits++ > 0) return store.wait(...values);
    return new Promise((resolve) => {
      comeBack = resolve;
    });
  };
  return { store: { ...store, wait }, comeBack: () => comeBack() };
}

describe("a connection whose feed was read by a request that is gone", () => {
  test("continues on its own: within two thirds of a lease it has all entries, each of them once", async () => {
    const { store, comeBack } = withDeadWait();
    const { connect } = await follow(store);
    const first = connect();
    const [seen, other] = [reading(first), reading(connect())];
    await pass(0);
    await store.append("r", 0, entriesOf(0, 3));
    await pass(5000);
    expect(seen.text).not.toContain("id:");
    await store.renew("r");
    await pass(5000);
    expect(seen.text).toContain(frames(0, 2));
    await store.append("r", 3, entriesOf(3, 2));
    comeBack();
    await pass(0);
    await store.end("r", { type: "done" });
    await pass(0);
    for (const { text, isOver } of [seen, other]) {
      expect(text.replaceAll(/:hb=8000\n\n/g, "")).toBe(frames(0, 4) + doneAt(5));
      expect(isOver).toBe(true);
    }
  });

  test("ends with producer-lost when the lease expires, if its producer is gone too", async () => {
    const { store } = withDeadWait();
    const { connect } = await follow(store);
    const seen = reading(connect());
    await pass(14_900);
    expect(seen.isOver).toBe(false);
    await pass(200);
    expect(seen.isOver).toBe(true);
    expect(seen.text).toContain('"code":"producer-lost"');
    expect(seen.text).toMatch(/data: \[DONE\]\n\n$/);
  });

  test("does not replace a reader that makes progress in time", async () => {
    const store = createMemoryRunStore();
    const read = vi.fn(store.read);
    const { connect } = await follow({ ...store, read });
    const stream = connect();
    reading(stream);
    for (let second = 0; second < 60; second += 5) {
      await store.renew("r");
      await pass(5000);
    }
    // One read at the beginning, and one after each third of a lease.
    expect(read.mock.calls.length).toBe(13);
    await store.end("r", { type: "done" });
    await pass(0);
  });
});

describe("a run that is gone", () => {
  const lost =
    'data: {"type":"error","message":"This answer is no longer available. Please ask again.","code":"run-lost","retryable":true}\n\n';

  test("mid-stream causes an error without an event id, and the connection ends in order", async () => {
    const store = createMemoryRunStore();
    let isGone = false;
    const { connect } = await follow({
      ...store,
      read: async (...values) => (isGone ? undefined : store.read(...values)),
    });
    await store.append("r", 0, entriesOf(0, 10));
    const tip = reading(connect({ after: 4 }));
    await pass(0);
    isGone = true;
    const lagging = reading(connect());
    await store.append("r", 10, entriesOf(10, 1));
    await pass(0);
    expect(tip).toMatchObject({ text: hb + frames(5, 9) + lost + done, isOver: true });
    expect(lagging).toMatchObject({ text: lost + done, isOver: true });
  });
});

describe("a log that has lost its last entries", () => {
  const lost =
    'data: {"type":"error","message":"This answer is no longer available. Please ask again.","code":"run-lost","retryable":true}\n\n';

  /** A run of ten entries whose store can be rolled back. */
  async function followFaulty() {
    const { faults, stores } = createFaultyRunStores(createMemoryRunStore());
    const following = await follow(stores[0]);
    await following.store.append("r", 0, entriesOf(0, 10));
    return { ...following, faults };
  }

  test("reports run-lost to a client that has more, whether the log is open, ended, or has a terminal in place of a sent entry", async () => {
    for (const [length, isEnded] of [
      [5, false],
      [5, true],
      [9, true],
    ] as const) {
      const { store, connect, faults } = await followFaulty();
      const seen = reading(connect());
      const lagging = reading(connect({ after: 2, hasIds: false }));
      await pass(0);
      await faults.loseWrites("r", length);
      if (isEnded) await store.end("r", { type: "done" });
      await pass(0);
      expect(seen).toMatchObject({ text: hb + frames(0, 9) + lost + done, isOver: true });
      expect(lagging.text.endsWith(lost + done)).toBe(true);
    }
  });

  test("is followed by a client that has no more than the log", async () => {
    const { store, connect, faults } = await followFaulty();
    await faults.loseWrites("r", 5);
    const seen = reading(connect({ after: 2 }));
    const atEnd = reading(connect({ after: 4 }));
    await pass(0);
    await store.end("r", { type: "done" });
    await pass(0);
    expect(seen.text).toBe(hb + frames(3, 4) + doneAt(5));
    expect(atEnd.text).toBe(doneAt(5));
  });

  test("is lost for a client that has more, even if other clients do not", async () => {
    const { store, connect, faults } = await followFaulty();
    await faults.loseWrites("r", 5);
    const whole = reading(connect());
    await pass(0);
    const ahead = reading(connect({ after: 9 }));
    await store.end("r", { type: "done" });
    await pass(0);
    expect(whole.text).toBe(hb + frames(0, 4) + doneAt(5));
    expect(ahead).toMatchObject({ text: lost + done, isOver: true });
  });

  test("is lost for a client that trails the feed", async () => {
    const { store, connect, faults } = await followFaulty();
    const tip = reading(connect({ after: 8 }));
    await pass(0);
    await faults.loseWrites("r", 5);
    const lagging = reading(connect({ after: 5 }));
    await pass(0);
    expect(lagging).toMatchObject({ text: lost + done, isOver: true });
    expect(tip.text.endsWith(lost + done)).toBe(true);
    await store.end("r", { type: "done" });
  });
});

describe("heartbeats", () => {
  test("open a silent connection after 25 ms, and come every 8 s from then on", async () => {
    vi.spyOn(Math, "random").mockReturnValue(0.5);
    const { store, connect } = await follow();
    const seen = reading(connect());
    await pass(24);
    expect(seen.text).toBe("");
    await pass(1);
    expect(seen.text).toBe(":hb=8000\n\n");
    await pass(7999);
    expect(seen.text).toBe(":hb=8000\n\n");
    await pass(1);
    expect(seen.text).toBe(":hb=8000\n\n".repeat(2));
    await store.append("r", 0, entriesOf(0, 1));
    await store.renew("r");
    await pass(7999);
    expect(seen.text).toBe(":hb=8000\n\n".repeat(2) + frames(0, 0));
    await pass(1);
    expect(seen.text).toBe(`${":hb=8000\n\n".repeat(2) + frames(0, 0)}:hb=8000\n\n`);
    await store.end("r", { type: "done" });
    await pass(0);
  });

  test("are announced in the first piece of a connection with event ids, even if the agent yields at once", async () => {
    const { store, connect } = await follow();
    await store.append("r", 0, entriesOf(0, 1));
    const seen = reading(connect());
    const withoutIds = reading(connect({ hasIds: false }));
    await pass(0);
    expect(seen.text).toBe(`:hb=8000\n\nid: r.0\ndata: ${entriesOf(0, 1)[0]}\n\n`);
    expect(withoutIds.text).toBe(`data: ${entriesOf(0, 1)[0]}\n\n`);
    await store.append("r", 1, entriesOf(1, 1));
    await pass(0);
    expect(seen.text).toBe(hb + frames(0, 1));
    await store.end("r", { type: "done" });
    await pass(0);
    const replay = reading(connect());
    await pass(0);
    expect(replay.text).toBe(frames(0, 1) + doneAt(2));
  });

  test("announce their own interval, and stop after the opening comment if it is 0", async () => {
    for (const [heartbeatMs, text] of [
      [1000, ":hb=1000\n\n".repeat(4)],
      [0, ":hb=0\n\n"],
    ] as const) {
      vi.spyOn(Math, "random").mockReturnValue(0.5);
      const { store, connect } = await follow();
      const seen = reading(connect({ options: { heartbeatMs } }));
      await pass(3100);
      expect(seen.text).toBe(text);
      await store.end("r", { type: "done" });
      await pass(0);
    }
  });

  test("are not sent to a client that does not read", async () => {
    const { connect } = await follow();
    const stream = connect({ options: { heartbeatMs: 1000, stallTimeoutMs: 0 } });
    const enqueued = vi.spyOn(ReadableStreamDefaultController.prototype, "enqueue");
    await pass(5000);
    expect(enqueued).toHaveBeenCalledTimes(1);
    enqueued.mockRestore();
    await stream.cancel();
  });
});

describe("a client that leaves", () => {
  test("leaves nothing behind after cancel(), its signal, an early abort or the end of the run", async () => {
    const { signal, abort } = watchedSignal();
    const { store, connect, feeds } = await follow();
    await store.append("r", 0, entriesOf(0, 1));
    for (let count = 0; count < 100; count++) {
      const stream = connect({ options: { signal } });
      expect(signal.listeners).toBe(1);
      await pass(0);
      await stream.cancel();
      expect([signal.listeners, vi.getTimerCount(), streamRegistry().followers.size]).toEqual([0, 0, 0]);
    }
    const cut = reading(connect({ options: { signal } }));
    await pass(0);
    abort();
    await pass(0);
    expect(cut).toMatchObject({ text: hb + frames(0, 0), isOver: true });
    expect([signal.listeners, vi.getTimerCount()]).toEqual([0, 0]);
    const early = reading(connect({ options: { signal: AbortSignal.abort() } }));
    await pass(0);
    expect([early.text, early.isOver, vi.getTimerCount()]).toEqual(["", true, 0]);
    const other = watchedSignal();
    const stayed = reading(connect({ options: { signal: other.signal } }));
    await store.end("r", { type: "done" });
    await pass(0);
    expect([stayed.isOver, other.signal.listeners, vi.getTimerCount()]).toEqual([true, 0, 0]);
    // The feed is no longer held.
    expect(feeds.get("r", 7).from).toBe(7);
  });

  test("receives nothing more if it leaves while catching up", async () => {
    const store = createMemoryRunStore();
    let answer!: () => void;
    const { connect } = await follow({
      ...store,
      async read(runId, after, limit) {
        if (after === -1) await new Promise<void>((resolve) => (answer = resolve));
        return store.read(runId, after, limit);
      },
    });
    await store.append("r", 0, entriesOf(0, 10));
    const tip = connect({ after: 4 });
    const lagging = connect();
    await pass(0);
    await lagging.cancel();
    answer();
    await pass(0);
    await tip.cancel();
  });

  function watchedSignal() {
    const controller = new AbortController();
    const signal = controller.signal as AbortSignal & { listeners: number };
    signal.listeners = 0;
    const { addEventListener, removeEventListener } = AbortSignal.prototype;
    signal.addEventListener = (...values: Parameters<typeof addEventListener>) => {
      signal.listeners++;
      addEventListener.apply(signal, values);
    };
    signal.removeEventListener = (...values: Parameters<typeof removeEventListener>) => {
      signal.listeners--;
      removeEventListener.apply(signal, values);
    };
    return { signal, abort: () => controller.abort() };
  }
});
