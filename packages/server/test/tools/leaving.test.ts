import type { StreamChunk } from "@kortyx/protocol";
import { describe, expect, test, vi } from "vitest";
import type { ModelStream } from "../../src/adapters/model-stream.ts";
import { defineTool } from "../../src/tools/define-tool.ts";
import { runTools } from "../../src/tools/run-tools.ts";
import { call, scriptTurns, text, user } from "./scripted-turns.ts";

const messages = [user("Hi")];
const never = new Promise<never>(() => {});

/** A turn that sends a text, and then waits for ever; as generators do, it can be left only when it does not wait. */
function hangingTurn() {
  const seen: { signal?: AbortSignal; isClosed: boolean } = { isClosed: false };
  const chunks: StreamChunk[] = [text("Half")];
  const turn = ({ signal }: { signal: AbortSignal }): ModelStream => {
    seen.signal = signal;
    return {
      next: () => (chunks.length > 0 ? Promise.resolve({ done: false, value: chunks.shift()! }) : never),
      return: async () => {
        seen.isClosed = true;
        return { done: true, value: undefined };
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    } as unknown as ModelStream;
  };
  return { turn, seen };
}

/** Reads some chunks, and requests one that does not come. */
async function readUntilWaiting(loop: AsyncGenerator<StreamChunk, void, void>, count: number) {
  for (let read = 0; read < count; read++) await loop.next();
  const pending = loop.next();
  const settled = pending.then(
    (value) => ({ value }),
    (error: Error) => ({ error }),
  );
  await new Promise((resolve) => setImmediate(resolve));
  return { settled };
}

describe("the signal", () => {
  test("ends a turn that waits, at once and with its reason", async () => {
    const { turn, seen } = hangingTurn();
    const controller = new AbortController();
    const loop = runTools({ messages, tools: {}, turn, options: { signal: controller.signal } });
    const { settled } = await readUntilWaiting(loop, 2);
    const reason = new Error("left");
    controller.abort(reason);
    expect(await settled).toEqual({ error: reason });
    expect(seen.signal!.reason).toBe(reason);
    expect(seen.isClosed).toBe(true);
    expect(await loop.next()).toEqual({ done: true, value: undefined });
  });

  test("that is aborted between two chunks ends the turn as well", async () => {
    const { turn, seen } = hangingTurn();
    const controller = new AbortController();
    const loop = runTools({ messages, tools: {}, turn, options: { signal: controller.signal } });
    await loop.next();
    await loop.next();
    controller.abort();
    await expect(loop.next()).rejects.toThrow("This operation was aborted");
    expect(seen.isClosed).toBe(true);
  });

  test("ends a turn that has not begun, and closes it when it does", async () => {
    const { turn, seen } = hangingTurn();
    const opened = Promise.withResolvers<ModelStream>();
    const controller = new AbortController();
    const options = { signal: controller.signal };
    const loop = runTools({ messages, tools: {}, turn: () => opened.promise, options });
    const { settled } = await readUntilWaiting(loop, 1);
    controller.abort();
    expect(await settled).toMatchObject({ error: { name: "AbortError" } });
    opened.resolve(turn({ signal: controller.signal }));
    await vi.waitFor(() => expect(seen.isClosed).toBe(true));
  });

  test("ends tools that wait, and their errors are not reported", async () => {
    const log = vi.spyOn(console, "error");
    const signals: AbortSignal[] = [];
    const fetching = defineTool({
      description: "",
      run: (_, { signal }) => {
        signals.push(signal);
        return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      },
    });
    const deaf = defineTool({ description: "", run: () => never });
    const controller = new AbortController();
    const { turn } = scriptTurns({ calls: [call("fetching"), call("deaf")] });
    const options = { signal: controller.signal };
    const loop = runTools({ messages, tools: { fetching, deaf }, turn, options });
    const { settled } = await readUntilWaiting(loop, 3);
    controller.abort();
    expect(await settled).toMatchObject({ error: { name: "AbortError" } });
    expect(signals[0]!.aborted).toBe(true);
    expect(log).not.toHaveBeenCalled();
    log.mockRestore();
  });

  test("that is aborted before calls no model", async () => {
    const { turn, turns } = scriptTurns({});
    const loop = runTools({ messages, tools: {}, turn, options: { signal: AbortSignal.abort() } });
    await expect(loop.next()).rejects.toThrow("This operation was aborted");
    expect(turns).toEqual([]);
  });

  test("keeps no listener of an answer that has ended", async () => {
    const controller = new AbortController();
    const add = vi.spyOn(AbortSignal.prototype, "addEventListener");
    const remove = vi.spyOn(AbortSignal.prototype, "removeEventListener");
    const { turn } = scriptTurns({ chunks: [text("a"), text("b")] });
    for await (const _ of runTools({ messages, tools: {}, turn, options: { signal: controller.signal } }));
    await new Promise((resolve) => setImmediate(resolve));
    expect(add.mock.calls.length).toBeGreaterThan(0);
    expect(remove.mock.calls.length).toBe(add.mock.calls.length);
    vi.restoreAllMocks();
  });
});

describe("leaving", () => {
  test("a turn that waits aborts and closes it, and ends what waits for its next chunk", async () => {
    const { turn, seen } = hangingTurn();
    const loop = runTools({ messages, tools: {}, turn });
    const { settled } = await readUntilWaiting(loop, 2);
    const left = loop.return();
    expect(seen.signal!.aborted).toBe(true);
    expect(await settled).toEqual({ value: { done: true, value: undefined } });
    expect(await left).toEqual({ done: true, value: undefined });
    expect(seen.isClosed).toBe(true);
  });

  test("between two chunks closes the turn", async () => {
    const { turn, seen } = hangingTurn();
    for await (const chunk of runTools({ messages, tools: {}, turn })) {
      if (chunk.type === "text-delta") break;
    }
    expect(seen.isClosed).toBe(true);
    expect(seen.signal!.aborted).toBe(true);
  });

  test("closes tools that report their progress", async () => {
    let isClosed = false;
    const count = defineTool({
      description: "",
      async *run() {
        try {
          for (let number = 0; ; number++) yield number;
        } finally {
          isClosed = true;
        }
      },
    });
    const { turn } = scriptTurns({ calls: [call("count")] });
    for await (const chunk of runTools({ messages, tools: { count }, turn })) {
      if (chunk.type === "tool-call-progress" && chunk.content === 3) break;
    }
    await vi.waitFor(() => expect(isClosed).toBe(true));
  });

  test("by disposing of the loop closes the turn", async () => {
    const { turn, seen } = hangingTurn();
    const loop = runTools({ messages, tools: {}, turn });
    const { settled } = await readUntilWaiting(loop, 2);
    // The method is that of generators, which have none in Node 22.
    await (loop[Symbol.asyncDispose] ?? loop.return).call(loop);
    expect(seen.isClosed).toBe(true);
    expect(await settled).toEqual({ value: { done: true, value: undefined } });
  });

  test("before the first chunk calls no model", async () => {
    const { turn, turns } = scriptTurns({});
    const loop = runTools({ messages, tools: {}, turn });
    await loop.return();
    expect(await loop.next()).toEqual({ done: true, value: undefined });
    expect(turns).toEqual([]);
  });
});

test("a tool with much progress does not hold up the others, nor run ahead of its reader", async () => {
  let yielded = 0;
  const chatty = defineTool({
    description: "",
    async *run() {
      for (;;) yield yielded++;
    },
  });
  const quick = defineTool({ description: "", run: () => "quick" });
  const { turn } = scriptTurns({ calls: [call("chatty"), call("quick")] });
  const seen: string[] = [];
  for await (const { type } of runTools({ messages, tools: { chatty, quick }, turn })) {
    seen.push(type);
    const read = seen.filter((one) => one === "tool-call-progress").length;
    await new Promise((resolve) => setImmediate(resolve));
    if (type === "tool-call-progress") expect(yielded).toBe(read);
    if (read === 10) break;
  }
  expect(seen).toContain("tool-call-result");
});
