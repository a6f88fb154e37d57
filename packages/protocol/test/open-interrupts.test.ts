import { describe, expect, test } from "vitest";
import type { InterruptPart } from "../src/assistant-message.ts";
import type { InterruptChunk, StreamChunk } from "../src/chunks.ts";
import { createMessageAccumulator, reduceMessage } from "../src/fold-message.ts";
import { cost, costOfWhole } from "./cost.ts";

const ask = (requestId: string, fields: Partial<InterruptChunk> = {}): InterruptChunk => ({
  type: "interrupt",
  requestId,
  resumeToken: `t-${requestId}`,
  input: { kind: "text", multiple: false },
  ...fields,
});
const resolved = (requestId: string, outcome = "answered"): StreamChunk => ({
  type: "interrupt-resolved",
  requestId,
  outcome,
});
const open = (chunks: StreamChunk[]) => {
  const { interrupts, interrupt } = reduceMessage(chunks);
  expect(interrupt).toBe(interrupts?.at(-1));
  return interrupts?.map(({ requestId }) => requestId);
};

describe("the open questions of a message", () => {
  test("are listed oldest first, and the newest is its `interrupt`", () => {
    expect(open([ask("a"), ask("b"), ask("c")])).toEqual(["a", "b", "c"]);
  });

  test("are absent if there are none", () => {
    expect(reduceMessage([{ type: "text-delta", delta: "x" }])).not.toHaveProperty("interrupts");
    const answered = reduceMessage([ask("a"), resolved("a")]);
    expect(answered).not.toHaveProperty("interrupts");
    expect(answered).not.toHaveProperty("interrupt");
  });

  test("are no more those that were answered, cancelled or expired, each of which keeps its part", () => {
    for (const outcome of ["answered", "cancelled", "expired", "delegated"]) {
      const chunks = [ask("a"), ask("b"), resolved("a", outcome)];
      expect(open(chunks)).toEqual(["b"]);
      expect(reduceMessage(chunks).parts).toEqual([
        { ...ask("a"), resolution: resolved("a", outcome) },
        ask("b"),
      ]);
    }
  });

  test("include none that a policy answers, which is a part all the same", () => {
    const automatic = ask("a", { isAutomatic: true });
    expect(open([automatic])).toBeUndefined();
    expect(reduceMessage([automatic, resolved("a")]).parts).toEqual([
      { ...automatic, resolution: resolved("a") },
    ]);
    expect(open([ask("a"), ask("b"), automatic])).toEqual(["b"]);
  });

  test("keep their order and their part when one is asked again, which may also reopen it", () => {
    const again = ask("a", { resumeToken: "new" });
    const { parts, interrupts } = reduceMessage([ask("a"), ask("b"), again]);
    expect(parts).toEqual([again, ask("b")]);
    expect(interrupts).toEqual([again, ask("b")]);
    expect(reduceMessage([ask("a"), resolved("a"), again]).parts).toEqual([again]);
    expect(open([ask("a"), ask("b"), resolved("a"), again])).toEqual(["a", "b"]);
  });

  test("do not change when an unknown question is closed", () => {
    const accumulator = createMessageAccumulator();
    accumulator.apply(ask("a"));
    const { message } = accumulator;
    accumulator.apply(resolved("b"));
    expect(accumulator.message).toBe(message);
  });

  test("stay the same array while other parts change", () => {
    const accumulator = createMessageAccumulator();
    accumulator.apply(ask("a"));
    const { interrupts } = accumulator.message;
    accumulator.apply({ type: "text-delta", delta: "x" });
    expect(accumulator.message.interrupts).toBe(interrupts);
    accumulator.apply(ask("b"));
    expect(accumulator.message.interrupts).not.toBe(interrupts);
    expect(interrupts).toHaveLength(1);
  });

  test("stay open after a `done`, unless they are about a call that no longer waits", () => {
    const both = [ask("a"), ask("b", { toolCallId: "1" })];
    for (const finishReason of ["interrupt", "tool-calls", undefined]) {
      expect(open([...both, { type: "done", finishReason }])).toEqual(["a", "b"]);
    }
    expect(open(both)).toEqual(["a", "b"]);
    expect(open([...both, { type: "done", finishReason: "stop" }])).toEqual(["a"]);
  });

  test("are closed with every other end, also for a reader of the message before it", () => {
    const error: StreamChunk = { type: "error", message: "m" };
    expect(open([ask("a"), { type: "abort", reason: "stopped" }])).toBeUndefined();
    expect(open([ask("a"), error, { type: "done" }])).toBeUndefined();
    for (const status of ["truncated", "aborted"] as const) {
      const accumulator = createMessageAccumulator();
      accumulator.apply(ask("a"));
      expect(accumulator.message.interrupts).toHaveLength(1);
      accumulator.finish(status);
      expect(accumulator.message).not.toHaveProperty("interrupts");
    }
    const failed = createMessageAccumulator();
    for (const chunk of [ask("a"), error]) failed.apply(chunk);
    expect(failed.message).toHaveProperty("interrupts");
    failed.finish();
    expect(failed.message).not.toHaveProperty("interrupts");
  });

  test("cost linear time: 8,000 asked, changed and answered cost about as much as eight runs of 1,000", () => {
    const ratio = costOfWhole(8000, (count) => {
      const ids = Array.from({ length: count }, (_, index) => `${index}`);
      const chunks = [
        ...ids.map((id) => ask(id, { toolCallId: id })),
        ...ids.map((id) => ask(id, { toolCallId: "1" })),
        ...ids.map((id) => resolved(id)),
      ];
      return cost(() => reduceMessage(chunks));
    });
    expect(ratio).toBeLessThan(3);
  });
});

test("a question ends a text without a key, also when it is asked again", () => {
  const text = (delta: string): StreamChunk => ({ type: "text-delta", delta });
  const { parts } = reduceMessage([
    text("A"),
    ask("a"),
    text("B"),
    ask("a"),
    text("C"),
    resolved("a"),
    text("D"),
  ]);
  expect(parts.map((part) => ("text" in part ? part.text : (part as InterruptPart).requestId))).toEqual([
    "A",
    "a",
    "B",
    "CD",
  ]);
});
