import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { onNextFrame } from "../../src/chat/next-frame.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** A page that paints on demand. */
function stubFrames() {
  const frames = new Map<number, FrameRequestCallback>();
  let last = 0;
  vi.stubGlobal("requestAnimationFrame", (callback: FrameRequestCallback) => {
    frames.set(++last, callback);
    return last;
  });
  vi.stubGlobal("cancelAnimationFrame", (frame: number) => void frames.delete(frame));
  const paint = () => {
    const due = [...frames.values()];
    frames.clear();
    for (const callback of due) callback(0);
  };
  return { frames, paint };
}

describe("in an environment without frames", () => {
  test("the callback runs once, after 16 ms, without arguments", () => {
    const callback = vi.fn();
    onNextFrame(callback);
    vi.advanceTimersByTime(15);
    expect(callback).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(callback.mock.calls).toEqual([[]]);
    vi.advanceTimersByTime(1_000);
    expect(callback).toHaveBeenCalledTimes(1);
  });

  test("a cancelled callback does not run", () => {
    const callback = vi.fn();
    onNextFrame(callback)();
    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(1_000);
    expect(callback).not.toHaveBeenCalled();
  });
});

describe("in a page", () => {
  test("the callback runs once, before the next paint, without arguments", () => {
    const { frames, paint } = stubFrames();
    const callback = vi.fn();
    onNextFrame(callback);
    vi.advanceTimersByTime(99);
    expect(callback).not.toHaveBeenCalled();
    paint();
    expect(callback.mock.calls).toEqual([[]]);
    expect(vi.getTimerCount()).toBe(0);
    paint();
    vi.advanceTimersByTime(1_000);
    expect(callback).toHaveBeenCalledTimes(1);
    expect(frames.size).toBe(0);
  });

  test("that is hidden and does not paint, the callback runs once, after 100 ms", () => {
    const { frames, paint } = stubFrames();
    const callback = vi.fn();
    onNextFrame(callback);
    vi.advanceTimersByTime(100);
    expect(callback.mock.calls).toEqual([[]]);
    expect(frames.size).toBe(0);
    paint();
    expect(callback).toHaveBeenCalledTimes(1);
  });

  test("a cancelled callback does not run, and leaves neither frame nor timer", () => {
    const { frames, paint } = stubFrames();
    const callback = vi.fn();
    const cancel = onNextFrame(callback);
    cancel();
    cancel();
    expect([frames.size, vi.getTimerCount()]).toEqual([0, 0]);
    paint();
    vi.advanceTimersByTime(1_000);
    expect(callback).not.toHaveBeenCalled();
  });

  test("every request has its own frame and its own cancellation", () => {
    const { paint } = stubFrames();
    const [first, second] = [vi.fn(), vi.fn()];
    const cancelFirst = onNextFrame(first);
    onNextFrame(second);
    cancelFirst();
    paint();
    expect([first.mock.calls.length, second.mock.calls.length]).toEqual([0, 1]);
  });

  test("a callback that throws leaves neither frame nor timer", () => {
    const { frames, paint } = stubFrames();
    onNextFrame(() => {
      throw new Error("in callback");
    });
    expect(paint).toThrow("in callback");
    expect([frames.size, vi.getTimerCount()]).toEqual([0, 0]);
  });

  test("a callback may request the next frame", () => {
    const { paint } = stubFrames();
    const callback = vi.fn(() => {
      if (callback.mock.calls.length === 1) onNextFrame(callback);
    });
    onNextFrame(callback);
    paint();
    expect(callback).toHaveBeenCalledTimes(1);
    paint();
    expect(callback).toHaveBeenCalledTimes(2);
  });
});
