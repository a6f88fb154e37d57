import { getEventListeners } from "node:events";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { waitToReconnect as WaitToReconnect } from "../../src/route/wait-to-reconnect.ts";

let waitToReconnect: typeof WaitToReconnect;
beforeEach(async () => {
  vi.useFakeTimers();
  // The network status is module state, and each test needs its own.
  vi.resetModules();
  ({ waitToReconnect } = await import("../../src/route/wait-to-reconnect.ts"));
});
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** An EventTarget whose listeners can be listed. */
class Target extends EventTarget {
  /** Browsers behave like this; Node may lose all but one listener of a signal during garbage collection. */
  override addEventListener(
    type: string,
    listener: EventListener,
    { signal }: { signal: AbortSignal },
  ): void {
    super.addEventListener(type, listener);
    signal.addEventListener("abort", () => this.removeEventListener(type, listener));
  }

  get held(): unknown[] {
    return ["online", "offline", "visibilitychange"].flatMap((type) => getEventListeners(this, type));
  }
}

/** Simulates a page that is online. */
function stubPage() {
  const browser = new Target();
  const page = Object.assign(new Target(), { hidden: false });
  const navigator = { onLine: true };
  vi.stubGlobal("window", browser);
  vi.stubGlobal("document", page);
  vi.stubGlobal("navigator", navigator);
  return {
    browser,
    page,
    become(state: "visible" | "hidden") {
      page.hidden = state === "hidden";
      page.dispatchEvent(new Event("visibilitychange"));
    },
    go(state: "online" | "offline") {
      navigator.onLine = state === "online";
      browser.dispatchEvent(new Event(state));
    },
    /** Goes offline for an instant. */
    blink() {
      this.go("offline");
      this.go("online");
    },
    /** Is hidden for an instant. */
    glance() {
      this.become("hidden");
      this.become("visible");
    },
  };
}

/** Starts a wait, and reports whether it is over and how much of it counted. */
function startWait(
  { minMs = 0, delayMs = minMs }: Partial<Parameters<typeof WaitToReconnect>[0]>,
  signal = new AbortController().signal,
) {
  const wait: { isOver: boolean; countedMs?: number } = { isOver: false };
  void waitToReconnect({ minMs, delayMs }, signal).then((countedMs) => {
    Object.assign(wait, { isOver: true, countedMs });
  });
  return wait;
}

const advance = (ms: number) => vi.advanceTimersByTimeAsync(ms);

describe("outside a page", () => {
  test("waits for the whole delay, and all of it counts", async () => {
    const wait = startWait({ minMs: 3_000, delayMs: 3_500 });
    await advance(3_499);
    expect(wait.isOver).toBe(false);
    await advance(1);
    expect(wait).toEqual({ isOver: true, countedMs: 3_500 });
  });

  test("resolves without a timer when there is no delay", async () => {
    const none = startWait({});
    expect(vi.getTimerCount()).toBe(0);
    await advance(0);
    expect(none).toEqual({ isOver: true, countedMs: 0 });
  });

  test("waits forever for a delay beyond the range of a timer", async () => {
    const abort = new AbortController();
    const wait = startWait({ minMs: 1e12 }, abort.signal);
    await advance(86_400_000);
    expect(wait.isOver).toBe(false);
    abort.abort();
  });

  test("counts at most the delay if the program was suspended", async () => {
    const wait = startWait({ delayMs: 4_000 });
    await advance(3_000);
    const { now } = performance;
    vi.spyOn(performance, "now").mockImplementation(() => now.call(performance) + 3_600_000);
    await advance(1_000);
    expect(wait).toEqual({ isOver: true, countedMs: 4_000 });
    vi.restoreAllMocks();
  });
});

describe("an abort", () => {
  for (const [during, elapsedMs] of [
    ["the floor", 1_000],
    ["the rest", 3_100],
  ] as const) {
    test(`during ${during} ends the wait at once, and leaves no timer and no listener`, async () => {
      const { browser, page } = stubPage();
      const abort = new AbortController();
      const wait = startWait({ minMs: 3_000, delayMs: 3_500 }, abort.signal);
      await advance(elapsedMs);
      abort.abort();
      await advance(0);
      expect(wait.isOver).toBe(true);
      expect(vi.getTimerCount()).toBe(0);
      expect([browser.held, page.held, getEventListeners(abort.signal, "abort")]).toEqual([[], [], []]);
    });
  }

  test("ends the wait while the browser is offline, too", async () => {
    const { go } = stubPage();
    const abort = new AbortController();
    const wait = startWait({ delayMs: 1_000 }, abort.signal);
    go("offline");
    await advance(60_000);
    abort.abort();
    await advance(0);
    expect(wait.isOver).toBe(true);
  });

  test("before the wait ends it without a timer", async () => {
    const wait = startWait({ delayMs: 3_000 }, AbortSignal.abort());
    expect(vi.getTimerCount()).toBe(0);
    await advance(0);
    expect(wait.isOver).toBe(true);
  });
});

describe("in a page", () => {
  for (const [event, happen] of [
    ["comes online", "blink"],
    ["becomes visible", "glance"],
  ] as const) {
    test(`that ${event}, the wait ends at its minimum and not earlier, so that pages do not cause a storm`, async () => {
      for (const [afterMs, restMs] of [
        [100, 3_400],
        [3_600, 0],
      ] as const) {
        const page = stubPage();
        const wait = startWait({ minMs: 3_500, delayMs: 4_700 });
        await advance(afterMs);
        page[happen]();
        await advance(Math.max(0, restMs - 1));
        expect(wait.isOver).toBe(restMs === 0);
        await advance(1);
        expect(wait.isOver).toBe(true);
        expect([page.browser.held, page.page.held]).toEqual([[], []]);
      }
    });

    test(`that ${event} ten times a second, the wait ends no earlier than after a single event`, async () => {
      const page = stubPage();
      const wait = startWait({ minMs: 3_500, delayMs: 4_700 });
      for (let ms = 0; ms < 3_500; ms += 100) {
        expect(wait.isOver).toBe(false);
        page[happen]();
        await advance(100);
      }
      expect(wait.isOver).toBe(true);
    });
  }

  test("that becomes hidden, the wait is not cut short", async () => {
    const { become } = stubPage();
    const wait = startWait({ delayMs: 500 });
    await advance(0);
    become("hidden");
    await advance(499);
    expect(wait.isOver).toBe(false);
    await advance(1);
    expect(wait.isOver).toBe(true);
  });

  test("a completed wait leaves no listener", async () => {
    const { browser, page } = stubPage();
    const { signal } = new AbortController();
    startWait({ delayMs: 200 }, signal);
    await advance(150);
    expect([browser.held.length, page.held.length, getEventListeners(signal, "abort").length]).toEqual([
      2, 1, 1,
    ]);
    await advance(50);
    expect([browser.held, page.held, getEventListeners(signal, "abort")]).toEqual([[], [], []]);
  });
});

describe("while the browser is offline", () => {
  for (const offlineFrom of ["the beginning", "the middle"]) {
    test(`from ${offlineFrom} on, the wait does not end, and only the time online counts`, async () => {
      const { go } = stubPage();
      if (offlineFrom === "the beginning") {
        startWait({});
        go("offline");
      }
      const wait = startWait({ minMs: 3_500, delayMs: 4_000 });
      if (offlineFrom === "the middle") {
        await advance(1_000);
        go("offline");
      }
      await advance(600_000);
      expect(wait.isOver).toBe(false);
      go("online");
      await advance(0);
      expect(wait).toEqual({ isOver: true, countedMs: offlineFrom === "the middle" ? 1_000 : 0 });
    });
  }

  test("becoming visible does not end the wait", async () => {
    const { go, become } = stubPage();
    const wait = startWait({ delayMs: 1_000 });
    go("offline");
    await advance(60_000);
    become("visible");
    await advance(60_000);
    expect(wait.isOver).toBe(false);
    go("online");
    await advance(0);
    expect(wait.isOver).toBe(true);
  });

  test("the server's delay keeps running, and any remainder applies afterwards", async () => {
    const { go } = stubPage();
    const wait = startWait({ minMs: 10_000 });
    go("offline");
    await advance(4_000);
    go("online");
    await advance(5_999);
    expect(wait.isOver).toBe(false);
    await advance(1);
    expect(wait).toEqual({ isOver: true, countedMs: 6_000 });
  });
});

describe("a report that the browser is offline is ignored", () => {
  const offline = async () => {
    const page = stubPage();
    page.go("offline");
    vi.resetModules();
    const { noteResponse } = await import("../../src/route/network-status.ts");
    ({ waitToReconnect } = await import("../../src/route/wait-to-reconnect.ts"));
    return { ...page, noteResponse };
  };

  test("until the browser has been online once, because a machine without a network reaches its own servers", async () => {
    const { go } = await offline();
    const wait = startWait({ delayMs: 1_000 });
    await advance(1_000);
    expect(wait).toEqual({ isOver: true, countedMs: 1_000 });
    go("online");
    startWait({});
    go("offline");
    const next = startWait({ delayMs: 1_000 });
    await advance(60_000);
    expect(next.isOver).toBe(false);
    go("online");
  });

  test("after a response has arrived since", async () => {
    const page = await offline();
    page.go("online");
    startWait({});
    page.go("offline");
    page.noteResponse();
    const wait = startWait({ delayMs: 1_000 });
    await advance(1_000);
    expect(wait.isOver).toBe(true);
  });
});

test("a window without listeners, as in React Native, is not a page", async () => {
  vi.stubGlobal("window", {});
  const wait = startWait({ delayMs: 1 });
  await advance(1);
  expect(wait.isOver).toBe(true);
});

test("a worker, which has no window, detects the network on its own", async () => {
  const worker = new Target();
  vi.stubGlobal("addEventListener", worker.addEventListener.bind(worker));
  const wait = startWait({ delayMs: 4_000 });
  await advance(100);
  worker.dispatchEvent(new Event("online"));
  await advance(0);
  expect(wait.isOver).toBe(true);
  expect(worker.held).toEqual([]);
});
