import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createRunFeeds } from "../../src/runs/run-feed.ts";
import { createMemoryRunStore } from "../../src/stores/memory-run-store.ts";
import type { RunStore, RunStoreOptions } from "../../src/stores/run-store.ts";
import { openRun } from "../../src/testing/contract/run-store-calls.ts";
import { createFaultyRunStores } from "../../src/testing/faulty-run-store.ts";

const log = vi.spyOn(console, "error").mockImplementation(() => {});
beforeEach(() => {
  vi.useFakeTimers();
  log.mockClear();
});
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

/** A memory store that counts its calls. */
function countingStore(options?: RunStoreOptions) {
  const store = createMemoryRunStore(options);
  const counting = {
    ...store,
    reads: 0,
    waits: 0,
    waiting: 0,
    leaseChecks: 0,
    isFailing: false,
    read: (async (...values) => {
      counting.reads++;
      if (counting.isFailing) throw new Error("The store is away.");
      return store.read(...values);
    }) as RunStore["read"],
    wait: (async (...values) => {
      counting.waits++;
      counting.waiting++;
      await store.wait(...values);
      counting.waiting--;
    }) as RunStore["wait"],
    endIfLeaseExpired: ((runId) => {
      counting.leaseChecks++;
      return store.endIfLeaseExpired(runId);
    }) as RunStore["endIfLeaseExpired"],
  };
  return counting;
}
const entriesOf = (from: number, count: number) =>
  Array.from({ length: count }, (_, index) => `{"type":"x","n":${from + index}}`);
const frame = (seq: number) => `id: r.${seq}\ndata: {"type":"x","n":${seq}}\n\n`;
const frames = (from: number, to: number) => {
  let text = "";
  for (let seq = from; seq <= to; seq++) text += frame(seq);
  return text;
};

describe("the followers of a run", () => {
  test("share one reader of the store, whatever their number", async () => {
    const store = countingStore();
    await openRun(store, { runId: "r" });
    const feeds = createRunFeeds(store);
    const followers = Array.from({ length: 1000 }, () => {
      const feed = feeds.get("r", -1);
      const follower = { text: "", after: -1, leave: feed.join(take) };
      function take() {
        const { text, count } = feed.page(follower.after, 1000);
        follower.text += text;
        follower.after += count;
      }
      return follower;
    });
    for (let seq = 0; seq < 100; seq += 10) {
      await store.append("r", seq, entriesOf(seq, 10));
      await pass(1);
    }
    await store.end("r", { type: "done" });
    await pass(1);
    for (const { text, after } of followers) {
      expect(after).toBe(100);
      expect(text).toBe(`${frames(0, 99)}id: r.100\ndata: {"type":"done"}\n\n`);
    }
    // One read at the beginning, and one for each of the ten batches and the end.
    expect(store.reads).toBe(12);
    expect(store.waiting).toBe(0);
    for (const { leave } of followers) leave("gone");
  });

  test("cost nothing before they join and after they have left", async () => {
    const store = countingStore();
    const feeds = createRunFeeds(store);
    const feed = feeds.get("r", -1);
    await pass(60_000);
    await openRun(store, { runId: "r" });
    expect([store.reads, store.waits]).toEqual([0, 0]);
    const leave = [feed.join(() => {}), feed.join(() => {})];
    await pass(0);
    expect([store.reads, store.waiting]).toEqual([1, 1]);
    leave[0]?.("gone");
    leave[0]?.("gone");
    await pass(0);
    expect(store.waiting).toBe(1);
    leave[1]?.("gone");
    await pass(0);
    expect([store.waiting, vi.getTimerCount()]).toEqual([0, 0]);
    const { reads } = store;
    await store.append("r", 0, entriesOf(0, 1));
    await pass(60_000);
    expect(store.reads).toBe(reads);
  });

  describe("in the process that writes the run", () => {
    async function setUp() {
      const store = countingStore();
      await openRun(store, { runId: "r" });
      const feeds = createRunFeeds(store);
      const feed = feeds.get("r", -1);
      const notified: number[] = [];
      const leave = feed.join(() => notified.push(feed.lastSeq));
      await pass(0);
      return { store, feeds, feed, notified, leave };
    }

    test("receive what it appends without reading it, also from a store that announces it before its reply", async () => {
      const { store, feeds, feed, notified, leave } = await setUp();
      const { reads, append } = store;
      vi.spyOn(store, "append").mockImplementation(async (...values) => {
        const result = await append(...values);
        await new Promise((resolve) => setTimeout(resolve, 1));
        return result;
      });
      for (let seq = 0; seq < 30; seq += 10) {
        const appending = feeds.append("r", seq, entriesOf(seq, 10));
        await pass(1);
        expect(await appending).toBe("ok");
      }
      expect(feed.page(-1, 10_000).text).toBe(frames(0, 29));
      expect(notified).toEqual([9, 19, 29]);
      expect(store.reads).toBe(reads);
      await store.end("r", { type: "done" });
      await pass(0);
      expect([feed.state, feed.lastSeq, store.reads]).toEqual(["ended", 30, reads + 1]);
      leave("gone");
    });

    test("receive nothing that is not in the log", async () => {
      const { store, feeds, feed, leave } = await setUp();
      const append = vi.spyOn(store, "append");
      append.mockResolvedValueOnce("full");
      expect(await feeds.append("r", 0, entriesOf(0, 1))).toBe("full");
      append.mockRejectedValueOnce(new Error("The store is away."));
      await expect(feeds.append("r", 0, entriesOf(0, 1))).rejects.toThrow("away");
      const { promise, resolve } = Promise.withResolvers<"ok">();
      append.mockReturnValueOnce(promise);
      const appending = feeds.append("r", 0, entriesOf(0, 1));
      await pass(1);
      expect(feed.lastSeq).toBe(-1);
      resolve("ok");
      await appending;
      expect(feed.lastSeq).toBe(0);
      leave("gone");
    });

    test("read what an append added before its reply was lost", async () => {
      const { store, feeds, feed, leave } = await setUp();
      const { append } = store;
      vi.spyOn(store, "append").mockImplementationOnce(async (...values) => {
        await append(...values);
        throw new Error("The reply is lost.");
      });
      await expect(feeds.append("r", 0, entriesOf(0, 1))).rejects.toThrow("lost");
      await pass(1);
      expect(feed.page(-1, 1000).text).toBe(frames(0, 0));
      await feeds.append("r", 0, entriesOf(0, 2));
      await pass(1);
      expect(feed.page(-1, 1000).text).toBe(frames(0, 1));
      leave("gone");
    });

    test("receive once what is appended during a read", async () => {
      const { store, feeds, feed, leave } = await setUp();
      const { read } = store;
      const gate = Promise.withResolvers<void>();
      store.read = async (...values) => {
        const page = await read(...values);
        await gate.promise;
        return page;
      };
      await store.append("r", 0, entriesOf(0, 1));
      await pass(1);
      await feeds.append("r", 1, entriesOf(1, 1));
      gate.resolve();
      await pass(1);
      expect(feed.page(-1, 1000).text).toBe(frames(0, 1));
      const slow = Promise.withResolvers<void>();
      store.read = async (...values) => {
        const page = await read(...values);
        await slow.promise;
        return page;
      };
      // The reader is back after a third of a lease.
      await pass(5_000);
      await feeds.append("r", 2, entriesOf(2, 1));
      expect(feed.lastSeq).toBe(2);
      slow.resolve();
      await pass(1);
      expect([feed.page(-1, 1000).text, feed.state]).toEqual([frames(0, 2), "open"]);
      leave("gone");
    });

    test("notice an end from elsewhere while an append has no reply, at the latest with the next look", async () => {
      const { store, feeds, feed, leave } = await setUp();
      vi.spyOn(store, "append").mockReturnValueOnce(new Promise(() => {}));
      void feeds.append("r", 0, entriesOf(0, 1));
      await store.end("r", { type: "abort", reason: "stopped" });
      await pass(5_000);
      expect(feed.state).toBe("ended");
      leave("gone");
    });

    test("are lost if the log has its end in place of what was appended during the first read", async () => {
      const store = countingStore();
      await openRun(store, { runId: "r" });
      const { read } = store;
      const gate = Promise.withResolvers<void>();
      store.read = (...values) => gate.promise.then(() => read(...values));
      const feeds = createRunFeeds(store);
      const feed = feeds.get("r", -1);
      const leave = feed.join(() => {});
      await store.end("r", { type: "done" });
      vi.spyOn(store, "append").mockResolvedValueOnce("ok");
      await feeds.append("r", 0, entriesOf(0, 1));
      gate.resolve();
      await pass(1);
      expect(feed.state).toBe("lost");
      leave("gone");
    });

    test("still look into the store after a third of a lease of appends", async () => {
      const { store, feeds, leave } = await setUp();
      const { reads } = store;
      for (let seq = 0; seq < 60; seq++) {
        await feeds.append("r", seq, entriesOf(seq, 1));
        await pass(100);
      }
      expect(store.reads).toBe(reads + 1);
      leave("gone");
    });
  });

  test("cause no further wait if they leave during a read", async () => {
    const store = countingStore();
    await openRun(store, { runId: "r" });
    const leave = createRunFeeds(store)
      .get("r", -1)
      .join(() => {});
    expect(store.reads).toBe(1);
    leave("gone");
    await pass(0);
    expect([store.waits, store.reads]).toEqual([0, 1]);
  });

  test("share a feed while one of them follows, and get a new one after that", async () => {
    const store = countingStore();
    await openRun(store, { runId: "r" });
    const feeds = createRunFeeds(store);
    const feed = feeds.get("r", -1);
    const leave = feed.join(() => {});
    expect(feeds.get("r", 5)).toBe(feed);
    expect(feeds.get("other", -1)).not.toBe(feed);
    await store.append("r", 0, entriesOf(0, 10));
    await pass(0);
    leave("gone");
    const next = feeds.get("r", 4);
    expect(next).not.toBe(feed);
    expect([next.from, next.lastSeq]).toEqual([4, 4]);
    const leaveNext = next.join(() => {});
    await pass(0);
    expect(next.page(4, 1e6)).toEqual({ text: frames(5, 9), count: 5 });
    leaveNext("gone");
  });

  test("report when the last one leaves an open run, unless it was asked to reconnect", async () => {
    const store = countingStore();
    const left: string[] = [];
    const feeds = createRunFeeds(store, (runId) => left.push(runId));
    for (const runId of ["gone", "detached", "ended"]) {
      await openRun(store, { runId });
      const feed = feeds.get(runId, -1);
      const leave = [feed.join(() => {}), feed.join(() => {})];
      if (runId === "ended") await store.end(runId, { type: "done" });
      await pass(0);
      leave[0]?.("gone");
      expect(left).toEqual(runId === "gone" ? [] : ["gone"]);
      leave[1]?.(runId === "detached" ? "detached" : "gone");
    }
    expect(left).toEqual(["gone"]);
  });
});

describe("a feed", () => {
  test("returns a page up to and including the frame that reaches the length", async () => {
    const store = countingStore();
    await openRun(store, { runId: "r" });
    await store.append("r", 0, entriesOf(0, 10));
    const feed = createRunFeeds(store).get("r", -1);
    const leave = feed.join(() => {});
    await pass(0);
    const { length } = frame(0);
    expect(feed.page(-1, 1)).toEqual({ text: frame(0), count: 1 });
    expect(feed.page(-1, length * 2)).toEqual({ text: frames(0, 1), count: 2 });
    expect(feed.page(-1, length * 2 + 1)).toEqual({ text: frames(0, 2), count: 3 });
    expect(feed.page(7, 1e6)).toEqual({ text: frames(8, 9), count: 2 });
    expect(feed.page(9, 1e6)).toEqual({ text: "", count: 0 });
    expect([feed.from, feed.lastSeq, feed.state]).toEqual([-1, 9, "open"]);
    leave("gone");
  });

  test("reads a long log page by page, and ends with the terminal", async () => {
    const store = countingStore();
    await openRun(store, { runId: "r" });
    await store.append("r", 0, entriesOf(0, 2000));
    await store.end("r", { type: "done" });
    const feed = createRunFeeds(store).get("r", -1);
    const states: string[] = [];
    const leave = feed.join(() => states.push(`${feed.lastSeq} ${feed.state}`));
    await pass(0);
    expect(states).toEqual(["511 open", "1023 open", "1535 open", "2000 ended"]);
    expect(store.reads).toBe(4);
    leave("gone");
  });

  test("is lost if its run does not exist", async () => {
    const store = countingStore();
    const feed = createRunFeeds(store).get("r", -1);
    const onChange = vi.fn();
    const leave = feed.join(onChange);
    await pass(0);
    expect([feed.state, onChange.mock.calls.length]).toEqual(["lost", 1]);
    leave("gone");
  });

  test("ends a run with a dead producer when its lease expires, with a single request", async () => {
    const store = countingStore();
    await openRun(store, { runId: "r" });
    await store.append("r", 0, entriesOf(0, 1));
    await pass(6000);
    await store.renew("r");
    const feed = createRunFeeds(store).get("r", -1);
    const leave = feed.join(() => {});
    await pass(14_999);
    expect([feed.state, store.leaseChecks]).toEqual(["open", 0]);
    await pass(2);
    expect([feed.state, store.leaseChecks]).toEqual(["ended", 1]);
    expect(feed.page(0, 1e6).text).toBe(
      'id: r.1\ndata: {"type":"error","message":"The answer was interrupted on the server.","code":"producer-lost","retryable":true}\n\n',
    );
    leave("gone");
  });

  test("does so even if every wait ends after a second, without other news of the lease", async () => {
    const {
      faults,
      stores: [store],
    } = createFaultyRunStores(countingStore());
    faults.maxWaitMs = 1000;
    await openRun(store, { runId: "r" });
    const feed = createRunFeeds(store).get("r", -1);
    const leave = feed.join(() => {});
    await pass(15_001);
    expect(feed.state).toBe("ended");
    leave("gone");
  });

  test("does not end a run whose producer is silent but alive", async () => {
    const store = countingStore();
    await openRun(store, { runId: "r" });
    const feed = createRunFeeds(store).get("r", -1);
    const leave = feed.join(() => {});
    for (let second = 0; second < 120; second += 5) {
      await store.renew("r");
      await pass(5000);
    }
    expect(feed.state).toBe("open");
    leave("gone");
  });

  test("retries a failing store every 250 ms, and continues when it replies", async () => {
    const store = countingStore();
    await openRun(store, { runId: "r" });
    const feed = createRunFeeds(store).get("r", -1);
    const leave = feed.join(() => {});
    await pass(0);
    for (let outage = 0; outage < 3; outage++) {
      store.isFailing = true;
      await store.append("r", outage, entriesOf(outage, 1));
      const { reads } = store;
      await pass(10_000);
      expect([store.reads - reads, feed.state]).toEqual([41, "open"]);
      store.isFailing = false;
      await pass(250);
      expect(feed.lastSeq).toBe(outage);
    }
    expect(log).not.toHaveBeenCalled();
    leave("gone");
  });

  test("gives up and logs the failure after its store fails for a lease", async () => {
    const store = countingStore();
    await openRun(store, { runId: "r" });
    const feed = createRunFeeds(store).get("r", -1);
    const onChange = vi.fn();
    const leave = feed.join(onChange);
    store.isFailing = true;
    await pass(0);
    await store.append("r", 0, entriesOf(0, 1));
    await pass(14_900);
    expect([feed.state, onChange.mock.calls.length]).toEqual(["open", 0]);
    await pass(600);
    expect([feed.state, onChange.mock.calls.length]).toEqual(["failed", 1]);
    expect(log.mock.calls).toEqual([
      [
        "Run r cannot be read, because the run store failed for a whole lease:",
        expect.objectContaining({ message: "The store is away." }),
      ],
    ]);
    const { reads } = store;
    await pass(60_000);
    expect(store.reads).toBe(reads);
    leave("gone");
  });

  test("gives up a second after the lease expires if its store can be read but not written", async () => {
    const { faults, stores } = createFaultyRunStores(createMemoryRunStore());
    const [store] = stores;
    await openRun(store, { runId: "r" });
    await store.append("r", 0, entriesOf(0, 1));
    const feed = createRunFeeds(store).get("r", -1);
    const leave = feed.join(() => {});
    faults.isReadOnly = true;
    await pass(15_000);
    expect(feed.state).toBe("open");
    await pass(1_500);
    expect(feed.state).toBe("failed");
    expect(log.mock.calls).toEqual([
      [
        "Run r cannot be read, because the run store failed for a whole lease:",
        new Error("The store cannot be written."),
      ],
    ]);
    leave("gone");
  });

  test("ends the run if its store can be written again within that second", async () => {
    const { faults, stores } = createFaultyRunStores(createMemoryRunStore());
    const [store] = stores;
    await openRun(store, { runId: "r" });
    const feed = createRunFeeds(store).get("r", -1);
    const leave = feed.join(() => {});
    faults.isReadOnly = true;
    await pass(15_700);
    faults.isReadOnly = false;
    await pass(300);
    expect(feed.state).toBe("ended");
    leave("gone");
  });

  test("gives up after a lease if its store never replies", async () => {
    const { faults, stores } = createFaultyRunStores(createMemoryRunStore());
    const [store] = stores;
    await openRun(store, { runId: "r" });
    faults.losesReplies = "never";
    const feed = createRunFeeds(store).get("r", -1);
    const leave = feed.join(() => {});
    for (let second = 0; second < 15; second++) {
      expect(feed.state).toBe("open");
      await pass(1000);
      if (performance.now() >= feed.overdueAt) feed.takeOver();
    }
    expect(feed.state).toBe("failed");
    expect(feed.overdueAt).toBe(Number.POSITIVE_INFINITY);
    expect(log.mock.calls).toEqual([
      [
        "Run r cannot be read, because the run store failed for a whole lease:",
        new Error("The run store did not reply in time."),
      ],
    ]);
    leave("gone");
  });

  test("stops its retries when its last follower leaves", async () => {
    const store = countingStore();
    await openRun(store, { runId: "r" });
    store.isFailing = true;
    const leave = createRunFeeds(store)
      .get("r", -1)
      .join(() => {});
    await pass(1000);
    leave("gone");
    await pass(250);
    const { reads } = store;
    await pass(60_000);
    expect(store.reads).toBe(reads);
  });
});
