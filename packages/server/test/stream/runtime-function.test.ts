import { afterEach, expect, test, vi } from "vitest";

afterEach(() => {
  vi.unstubAllGlobals();
  vi.resetModules();
});

const refuse = (name: string) => () => {
  throw new Error(`A Node.js API is used (${name}) which is not supported in the Edge Runtime.`);
};

/** Reads a stream whose source never waits, for long enough that the event loop must get a turn. */
async function stream(): Promise<string> {
  vi.resetModules();
  const { toSSE } = await import("../../src/index.ts");
  return new Response(
    toSSE(async function* () {
      yield { type: "text-delta" as const, delta: "Hello" };
      const until = performance.now() + 30;
      while (performance.now() < until) yield { type: "text-delta" as const, delta: "." };
      yield { type: "done" as const };
    }).body,
  ).text();
}

test.each([
  [
    "throw when they are called, as in Next.js's edge runtime",
    refuse("process.nextTick"),
    refuse("setImmediate"),
  ],
  ["do not exist, as in workerd", undefined, undefined],
])("a stream is complete where nextTick and setImmediate %s", async (_, nextTick, setImmediate) => {
  vi.stubGlobal("process", { env: {}, nextTick });
  vi.stubGlobal("setImmediate", setImmediate);
  const text = await stream();
  expect(text).toMatch(/^data: \{"type":"text-delta","delta":"Hello"\}\n\n/);
  expect(text).toMatch(/data: \{"type":"done"\}\n\ndata: \[DONE\]\n\n$/);
});

test("a stream is complete where even the access to nextTick throws", async () => {
  vi.stubGlobal(
    "process",
    Object.defineProperty({ env: {} }, "nextTick", { get: refuse("process.nextTick") }),
  );
  expect(await stream()).toMatch(/data: \[DONE\]\n\n$/);
});
