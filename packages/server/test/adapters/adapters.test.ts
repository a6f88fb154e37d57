import { checkChunk, createMessageAccumulator, reduceMessage, type StreamChunk } from "@kortyx/protocol";
import { describe, expect, test } from "vitest";
import { type Adapter, adapters } from "./adapters.ts";
import { drain } from "./anthropic-answers.ts";

/** Yields the events, and records whether its reader has left it. */
function play(events: readonly unknown[], onNext: (index: number) => void = () => {}) {
  const state = { isLeft: false };
  const stream = (async function* () {
    try {
      for (const [index, event] of events.entries()) {
        onNext(index);
        yield event;
      }
    } finally {
      state.isLeft = true;
    }
  })();
  return { stream, state };
}

/** Some adapters make up ids. */
const withoutRandomIds = (chunks: readonly StreamChunk[]): unknown =>
  JSON.parse(
    JSON.stringify(chunks).replace(
      /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/g,
      "id",
    ),
  );

const read = async ({ adapt, events }: Adapter, items = events) =>
  await drain(adapt(play(items).stream, { terminal: false }));

/** The text so far of each kind: what a reader of a shorter stream has seen of it. */
const textOf = (chunks: StreamChunk[], type: "text-delta" | "reasoning-delta") =>
  chunks.flatMap((chunk) => (chunk.type === type ? chunk.delta : [])).join("");

describe.each(adapters)("the stream of $name", (adapter) => {
  const { adapt, events } = adapter;

  test("consists of valid chunks, which leave nothing open after their end", async () => {
    const { chunks, error } = await drain(adapt(play(events).stream));
    expect(error).toBeUndefined();
    expect(chunks.map((chunk) => checkChunk(chunk)).filter((problem) => problem)).toEqual([]);
    const last = chunks.pop()!;
    expect(last.type).toBe("done");
    const accumulator = createMessageAccumulator();
    for (const chunk of chunks) accumulator.apply(chunk);
    const states = accumulator.message.parts.flatMap((part) => ("state" in part ? part.state : []));
    expect(states).not.toContain("streaming");
    expect(states).not.toContain("input-streaming");
  });

  test("that is cut anywhere keeps what came, and is never taken for complete", async () => {
    const whole = (await read(adapter)).chunks;
    for (let length = 0; length < events.length; length++) {
      const { chunks, error } = await read(adapter, events.slice(0, length));
      if (error === undefined) {
        // The usage follows the end of the answer.
        const isAfterEnd = adapter.mayEndAnywhere || events[length] === events.at(-1);
        expect(isAfterEnd, `cut before event ${length}`).toBe(true);
      } else {
        expect(error).toMatchObject({ name: "StreamTruncatedError", code: "truncated" });
        expect(withoutRandomIds(chunks)).toEqual(withoutRandomIds(whole.slice(0, chunks.length)));
      }
      for (const type of ["text-delta", "reasoning-delta"] as const) {
        expect(textOf(whole, type).startsWith(textOf(chunks, type))).toBe(true);
      }
    }
  });

  test("that is aborted anywhere throws the reason, reads no more, and leaves the source", async () => {
    for (let length = 0; length < events.length; length++) {
      const reason = new Error("Stop");
      const controller = new AbortController();
      let count = 0;
      const { stream, state } = play(events, (index) => {
        count++;
        if (index === length) controller.abort(reason);
      });
      const { error } = await drain(adapt(stream, { signal: controller.signal }));
      expect(error).toBe(reason);
      expect(count).toBe(length + 1);
      expect(state.isLeft).toBe(true);
    }
  });

  test("throws the reason of an abort, not the error with which the SDK reacts", async () => {
    const reason = new Error("Stop");
    const failing = async function* () {
      yield events[0];
      throw new Error("Request was aborted.");
    };
    const signal = AbortSignal.abort(reason);
    expect((await drain(adapt(failing(), { signal }))).error).toBe(reason);
    const refused = Promise.reject(new Error("Request was aborted."));
    expect((await drain(adapt(refused, { signal }))).error).toBe(reason);
  });

  test("fails with the error of its source", async () => {
    const failure = new Error("socket hang up");
    const failing = async function* () {
      yield* events.slice(0, 3);
      throw failure;
    };
    expect((await drain(adapt(failing()))).error).toBe(failure);
    expect((await drain(adapt(Promise.reject(failure)))).error).toBe(failure);
  });

  test("fails only where it is read, also if its request has failed before", async () => {
    const unhandled: unknown[] = [];
    const note = (error: unknown) => unhandled.push(error);
    process.on("unhandledRejection", note);
    const failure = new Error("No connection");
    const stream = adapt(Promise.reject(failure));
    await new Promise((resolve) => setImmediate(resolve));
    process.off("unhandledRejection", note);
    expect(unhandled).toEqual([]);
    expect((await drain(stream)).error).toBe(failure);
  });

  test("that is left leaves its source", async () => {
    const { stream, state } = play(events);
    for await (const _ of adapt(stream)) break;
    expect(state.isLeft).toBe(true);
  });

  test("is the same with unknown events between its own", async () => {
    const whole = (await read(adapter)).chunks;
    const unknown: unknown[] = [];
    const mixed = events.flatMap((event) => [adapter.unknown, event]);
    const options = { terminal: false, onUnknown: (event: unknown) => unknown.push(event) };
    const { chunks } = await drain(adapt(play(mixed).stream, options));
    expect(withoutRandomIds(chunks)).toEqual(withoutRandomIds(whole));
    expect(unknown).toHaveLength(events.length);
    expect((await drain(adapt(play(mixed).stream))).error).toBeUndefined();
  });

  test("names each text once, also in two turns of one answer", async () => {
    const rename = (items: unknown[]): unknown[] =>
      JSON.parse(
        JSON.stringify(items).replaceAll(/(chatcmpl-|resp_|"msg_|run-|call_|srvtoolu_|toolu_)(?=\d)/g, "$1x"),
      );
    const both = [...(await read(adapter)).chunks, ...(await read(adapter, rename(events))).chunks];
    const open = new Set<string>();
    const ended: string[] = [];
    for (const chunk of both) {
      const [, kind, event] = /^(text|reasoning)-(start|delta|end)$/.exec(chunk.type) ?? [];
      if (kind === undefined || !("segmentId" in chunk)) continue;
      const key = `${kind} ${chunk.segmentId}`;
      if (event === "start") expect(open.has(key), `${key} starts twice`).toBe(false);
      if (!adapter.repeatsKeys) expect(ended.includes(key), `${key} is used again`).toBe(false);
      open.add(key);
      if (event === "end") ended.push(key);
      if (event === "end") open.delete(key);
    }
    expect(open.size).toBe(0);
    const texts = reduceMessage(both).parts.filter(({ type }) => type === "text" || type === "reasoning");
    expect(ended).toHaveLength(texts.length);
  });

  test("of 100,000 deltas is read in one pass", { timeout: 20_000 }, async () => {
    let count = 0;
    let text = 0;
    for await (const chunk of adapt(play(adapter.toLong(100_000)).stream)) {
      count++;
      if (chunk.type === "text-delta") text += chunk.delta.length;
    }
    expect(text).toBe(100_000);
    expect(count).toBeLessThan(100_010);
  });
});

test("a run that its server has stopped is an abort, also for one turn of a loop", async () => {
  const find = (name: string) => adapters.find((adapter) => adapter.name === name)!;
  const cancelled = { type: "RUN_FINISHED", threadId: "t", runId: "r", outcome: { type: "cancelled" } };
  const stopped = [
    [find("AG-UI"), [{ type: "RUN_STARTED", threadId: "t", runId: "r" }, cancelled]],
    [find("LangGraph"), [{ event: "end", data: { status: "interrupted" } }]],
    [find("AI SDK"), [{ type: "abort", reason: "stopped" }]],
  ] as const;
  for (const [{ adapt }, events] of stopped) {
    const { chunks } = await drain(adapt(play(events).stream, { terminal: false }));
    expect(chunks.at(-1)).toEqual({ type: "abort", reason: "stopped" });
  }
});
