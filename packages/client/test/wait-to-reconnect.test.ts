import { getEventListeners } from "node:events";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { waitToReconnect } from "../src/wait-to-reconnect.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** An EventTarget that knows its listeners. */
class Target extends EventTarget {
  get held(): unknown[] {
    return ["online", "visibilitychange"].flatMap((type) => getEventListeners(this, type));
  }
}

/** Puts a page around the test. */
function stubPage() {
  const browser = new Target();
  const page = Object.assign(new Target(), { hidden: false });
  vi.stubGlobal("window", browser);
  vi.stubGlobal("document", page);
  return {
    browser,
    page,
    goOnline: () => browser.dispatchEvent(new Event("online")),
    become(visibilityState: "visible" | "hidden") {
      page.hidden = visibilityState === "hidden";
      page.dispatchEvent(new Event("visibilitychange"));
    },
  };
}

/** Waits, and says whether it is over. */
function startWait(floorMs: number, jitterMs: number, signal = new AbortController().signal) {
  const wait = { isOver: false };
  void waitToReconnect(floorMs, jitterMs, signal).then(() => {
    wait.isOver = true;
  });
  return wait;
}

const advance = (ms: number) => vi.advanceTimersByTimeAsync(ms);

describe("outside of a page", () => {
  test("waits for both times, one after the other", async () => {
    const wait = startWait(3_000, 500);
    await advance(3_499);
    expect(wait.isOver).toBe(false);
    await advance(1);
    expect(wait.isOver).toBe(true);
  });

  test("waits for either alone, and without a timer for none", async () => {
    for (const [floorMs, jitterMs] of [
      [1_000, 0],
      [0, 1_000],
    ] as const) {
      const wait = startWait(floorMs, jitterMs);
      await advance(999);
      expect(wait.isOver).toBe(false);
      await advance(1);
      expect(wait.isOver).toBe(true);
    }
    const none = startWait(0, 0);
    expect(vi.getTimerCount()).toBe(0);
    await advance(0);
    expect(none.isOver).toBe(true);
  });
});

describe("an abort", () => {
  for (const [during, elapsedMs] of [
    ["the floor", 1_000],
    ["the jitter", 3_100],
  ] as const) {
    test(`during ${during} ends it at once, and leaves no timer and no listener`, async () => {
      const { browser, page } = stubPage();
      const abort = new AbortController();
      const removed = vi.spyOn(abort.signal, "removeEventListener");
      const added = vi.spyOn(abort.signal, "addEventListener");
      const wait = startWait(3_000, 500, abort.signal);
      await advance(elapsedMs);
      abort.abort();
      await advance(0);
      expect(wait.isOver).toBe(true);
      expect(vi.getTimerCount()).toBe(0);
      expect(removed.mock.calls.map(([, end]) => end)).toEqual(added.mock.calls.map(([, end]) => end));
      expect([browser.held, page.held]).toEqual([[], []]);
    });
  }

  test("before it waits for nothing", async () => {
    const wait = startWait(3_000, 500, AbortSignal.abort());
    expect(vi.getTimerCount()).toBe(0);
    await advance(0);
    expect(wait.isOver).toBe(true);
  });
});

describe("in a page", () => {
  test("the time that the server wants is waited for, whatever the browser says", async () => {
    const { goOnline, become } = stubPage();
    const wait = startWait(3_000, 500);
    goOnline();
    become("hidden");
    become("visible");
    await advance(3_000);
    expect(wait.isOver).toBe(false);
    await advance(500);
    expect(wait.isOver).toBe(true);
  });

  for (const [event, fire] of [
    ["the browser is online again", (page: ReturnType<typeof stubPage>) => page.goOnline()],
    ["the page becomes visible", (page: ReturnType<typeof stubPage>) => page.become("visible")],
  ] as const) {
    test(`the rest is cut short when ${event}, and no timer and no listener is left`, async () => {
      const page = stubPage();
      const wait = startWait(3_000, 500);
      await advance(3_100);
      fire(page);
      await advance(0);
      expect(wait.isOver).toBe(true);
      expect(vi.getTimerCount()).toBe(0);
      expect([page.browser.held, page.page.held]).toEqual([[], []]);
    });
  }

  test("the rest is not cut short when the page becomes hidden", async () => {
    const { become } = stubPage();
    const wait = startWait(0, 500);
    await advance(0);
    become("hidden");
    await advance(499);
    expect(wait.isOver).toBe(false);
    await advance(1);
    expect(wait.isOver).toBe(true);
  });

  test("a wait that has run its time leaves no listener", async () => {
    const { browser, page } = stubPage();
    const { signal } = new AbortController();
    const added = vi.spyOn(signal, "addEventListener");
    const removed = vi.spyOn(signal, "removeEventListener");
    startWait(100, 100, signal);
    await advance(150);
    expect([browser.held.length, page.held.length]).toEqual([1, 1]);
    await advance(50);
    expect([browser.held, page.held]).toEqual([[], []]);
    expect(added).toHaveBeenCalledTimes(1);
    expect(removed.mock.calls.map(([, end]) => end)).toEqual(added.mock.calls.map(([, end]) => end));
  });
});

test("a window that takes no listeners, as in React Native, is no page", async () => {
  vi.stubGlobal("window", {});
  const waiting = waitToReconnect(0, 1, new AbortController().signal);
  await advance(1);
  await waiting;
});
