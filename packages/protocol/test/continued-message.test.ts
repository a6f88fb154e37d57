import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { AssistantMessage } from "../src/assistant-message.ts";
import type { StreamChunk } from "../src/chunks.ts";
import { createMessageAccumulator, reduceMessage } from "../src/fold-message.ts";
import { cost, costOfWhole } from "./cost.ts";
import { transcripts } from "./transcripts.ts";

const said = (delta: string): StreamChunk => ({ type: "text-delta", delta });
const start = (toolCallId: string, input?: unknown): StreamChunk => ({
  type: "tool-call-start",
  tool: "t",
  toolCallId,
  input,
});
const result = (toolCallId: string, content: unknown): StreamChunk => ({
  type: "tool-call-result",
  tool: "t",
  toolCallId,
  content,
});
const ask = (requestId: string, toolCallId?: string): StreamChunk => ({
  type: "interrupt",
  requestId,
  resumeToken: "t",
  input: { kind: "text", multiple: false },
  toolCallId,
});
const resolved = (requestId: string): StreamChunk => ({
  type: "interrupt-resolved",
  requestId,
  outcome: "answered",
});

/** A message as a store returns it: through JSON. */
const stored = (message: AssistantMessage): AssistantMessage => JSON.parse(JSON.stringify(message));

function continued(earlier: AssistantMessage, chunks: StreamChunk[]): AssistantMessage {
  const accumulator = createMessageAccumulator(stored(earlier));
  for (const chunk of chunks) accumulator.apply(chunk);
  accumulator.finish();
  return accumulator.message;
}

describe("a stream that continues an earlier message", () => {
  test("keeps its parts and fields, and clears how it ended", () => {
    const earlier = {
      ...reduceMessage([said("A"), { type: "error", message: "m" }]),
      id: "m1",
      role: "assistant",
    };
    const accumulator = createMessageAccumulator(earlier);
    expect(accumulator.message).toEqual({
      id: "m1",
      role: "assistant",
      status: "streaming",
      parts: [{ type: "text", key: "", text: "A", state: "done" }],
    });
    expect(accumulator.message).not.toHaveProperty("error");
    const aborted = createMessageAccumulator(reduceMessage([{ type: "abort", reason: "stopped" }]));
    expect(aborted.message).not.toHaveProperty("abortReason");
    const done = createMessageAccumulator(reduceMessage([{ type: "done", finishReason: "interrupt" }]));
    done.finish("aborted");
    expect(done.message).not.toHaveProperty("finishReason");
  });

  test("keeps the id of that message, which the first chunk names", () => {
    const run: StreamChunk = { type: "run-start", runId: "run-2", continues: "m1" };
    expect(continued({ ...reduceMessage([said("A")]), id: "m1" }, [run]).id).toBe("m1");
    expect(reduceMessage([run]).id).toBe("m1");
  });

  test("never changes that message, and shares the parts that stay", () => {
    const earlier = reduceMessage([
      said("A"),
      start("1", 1),
      ask("q", "1"),
      { type: "done", finishReason: "interrupt" },
    ]);
    const text = JSON.stringify(earlier);
    const accumulator = createMessageAccumulator(earlier);
    accumulator.apply(resolved("q"));
    accumulator.apply(result("1", 2));
    expect(accumulator.message.parts[0]).toBe(earlier.parts[0]);
    expect(JSON.stringify(earlier)).toBe(text);
  });

  test("begins another text, also where the earlier one was cut off", () => {
    const accumulator = createMessageAccumulator();
    accumulator.apply(said("A"));
    expect(continued(accumulator.message, [said("B")]).parts).toEqual([
      { type: "text", key: "", text: "A", state: "done" },
      { type: "text", key: "", text: "B", state: "done" },
    ]);
  });

  test("finds its calls: those that wait, those that were interrupted, and finished ones", () => {
    const earlier = reduceMessage([
      start("1", 1),
      { type: "tool-call-ready", tool: "t", toolCallId: "2", input: 2, executor: "client" },
      start("3", 3),
      start("4"),
      start("5", 5),
      result("5", "old"),
      ask("q", "1"),
      { type: "done", finishReason: "interrupt" },
    ]);
    const { parts } = continued(earlier, [
      resolved("q"),
      { type: "tool-call-denied", tool: "t", toolCallId: "1", reason: "No." },
      result("2", "two"),
      { type: "tool-call-error", tool: "t", toolCallId: "3", message: "lost" },
      { type: "tool-call-ready", tool: "t", toolCallId: "4", input: 4 },
      result("4", "four"),
      start("5", 5),
    ]);
    expect(parts.filter(({ type }) => type === "tool-call")).toMatchObject([
      { toolCallId: "1", state: "denied", errorMessage: "No." },
      { toolCallId: "2", state: "done", content: "two" },
      { toolCallId: "3", state: "error", errorMessage: "lost" },
      { toolCallId: "4", state: "done", input: 4, content: "four" },
      { toolCallId: "5", state: "done", content: "old" },
      { toolCallId: "5", state: "interrupted" },
    ]);
  });

  test("may change the input of any open call", () => {
    const earlier = reduceMessage([start("1", 1), start("2", 2), ask("q", "1")]);
    const edited = (toolCallId: string): StreamChunk => ({
      type: "tool-call-ready",
      tool: "t",
      toolCallId,
      input: "edited",
    });
    const chunks = [resolved("q"), edited("1"), result("1", 2), edited("2"), result("2", 2)];
    expect(continued(earlier, chunks).parts).toMatchObject([
      { input: "edited", state: "done" },
      { input: "edited", state: "done" },
      { type: "interrupt" },
    ]);
  });

  test("keeps a call running that an answer let run, for as long as others wait", () => {
    const waiting = [start("1", 1), start("2", 2), ask("q1", "1"), ask("q2", "2")];
    const first = continued(reduceMessage(waiting), [resolved("q1")]);
    expect(first.parts).toMatchObject([{ state: "running" }, { state: "awaiting-approval" }, {}, {}]);
    expect(continued(first, []).parts).toMatchObject([
      { state: "running" },
      { state: "awaiting-approval" },
      {},
      {},
    ]);
    expect(continued(first, [{ type: "done", finishReason: "stop" }]).parts).toMatchObject([
      { state: "interrupted" },
      { state: "interrupted" },
      {},
      {},
    ]);
  });

  test("of a message that was cut off has its parts closed, and waits for nothing", () => {
    const open = createMessageAccumulator();
    for (const chunk of [said("A"), start("1", 1), start("2", 1), ask("q", "2"), ask("r")]) open.apply(chunk);
    const streaming = open.message;
    open.finish("truncated");
    for (const message of [streaming, open.message]) {
      const again = createMessageAccumulator(stored(message)).message;
      expect(again.parts).toMatchObject([
        { state: "done" },
        { state: "interrupted" },
        { state: "interrupted" },
        {},
        {},
      ]);
      expect(again).not.toHaveProperty("interrupts");
      expect(continued(message, [resolved("q"), { type: "done" }]).parts[2]).toMatchObject({
        state: "running",
      });
      expect(continued(message, [resolved("q"), result("2", 1)]).parts[2]).toMatchObject({ state: "done" });
    }
  });

  test("does not let a call run whose input never became whole", () => {
    const delta: StreamChunk = { type: "tool-call-delta", toolCallId: "1", delta: "{" };
    const earlier = reduceMessage([ask("q", "1"), resolved("q"), delta]);
    expect(continued(earlier, [resolved("q")]).parts[1]).toMatchObject({ state: "interrupted" });
  });

  test("needs no more of that message than its parts", () => {
    const { parts } = reduceMessage([
      start("1", 1),
      ask("q", "1"),
      { type: "done", finishReason: "interrupt" },
    ]);
    const accumulator = createMessageAccumulator({ parts });
    expect(accumulator.message).toMatchObject({ interrupts: [{ requestId: "q" }] });
    const damaged = { parts: [null as never, ...parts] };
    expect(createMessageAccumulator(damaged).message).toEqual(accumulator.message);
  });

  test("leaves an interrupted call as it is, until something happens to it", () => {
    const earlier = reduceMessage([start("1", 1), start("2")]);
    const stateAfter = (index: number, chunk?: StreamChunk) => {
      const accumulator = createMessageAccumulator(stored(earlier));
      if (chunk) accumulator.apply(chunk);
      return (accumulator.message.parts[index] as { state: string }).state;
    };
    expect([stateAfter(0), stateAfter(1)]).toEqual(["interrupted", "interrupted"]);
    expect(stateAfter(0, start("1", 1))).toBe("running");
    expect(stateAfter(1, { type: "tool-call-delta", toolCallId: "2", delta: "{" })).toBe("input-streaming");
    expect(stateAfter(0, { type: "tool-call-progress", tool: "t", toolCallId: "1", content: 1 })).toBe(
      "running",
    );
  });

  test("has the open questions of that message, until each is closed", () => {
    const earlier = reduceMessage([
      ask("a"),
      ask("b"),
      resolved("a"),
      ask("c"),
      { ...ask("d"), isAutomatic: true } as StreamChunk,
      { type: "done", finishReason: "interrupt" },
    ]);
    expect(createMessageAccumulator(stored(earlier)).message).toMatchObject({
      interrupts: [{ requestId: "b" }, { requestId: "c" }],
      interrupt: { requestId: "c" },
    });
    expect(continued(earlier, [resolved("c")])).toMatchObject({ interrupts: [{ requestId: "b" }] });
    expect(continued(earlier, [resolved("b"), resolved("c")])).not.toHaveProperty("interrupts");
  });

  test("finds its objects, and its legacy results keep their numbers", () => {
    const set = (path: string): StreamChunk => ({
      type: "structured-data",
      streamId: "o",
      dataType: "d",
      kind: "set",
      path,
      value: 1,
    });
    const legacy: StreamChunk = { type: "tool-result", content: 1 };
    const earlier = reduceMessage([set("a"), legacy]);
    const text = JSON.stringify(earlier);
    expect(continued(earlier, [set("b"), legacy]).parts).toMatchObject([
      { data: { a: 1, b: 1 } },
      { toolCallId: "tool-result:0" },
      { toolCallId: "tool-result:1" },
    ]);
    expect(JSON.stringify(earlier)).toBe(text);
    expect(
      continued(earlier, [{ type: "structured-data-invalidated", streamId: "o", checkpointId: "c" }]).parts,
    ).toMatchObject([{ type: "tool-call" }]);
  });

  test("does not change a finished object of that message: its chunks begin another one, or remove it", () => {
    const object = { streamId: "o", dataType: "d" };
    const final: StreamChunk = { type: "structured-data", ...object, kind: "final", data: { a: 1 } };
    const set: StreamChunk = { type: "structured-data", ...object, kind: "set", path: "b", value: 2 };
    const gone: StreamChunk = { type: "structured-data-invalidated", streamId: "o", checkpointId: "c" };
    const earlier = reduceMessage([final]);
    expect(continued(earlier, [set, said("A"), set]).parts).toMatchObject([
      { data: { a: 1 }, status: "done" },
      { data: { b: 2 }, status: "streaming" },
      { text: "A" },
    ]);
    expect(continued(earlier, [final]).parts).toHaveLength(2);
    expect(continued(earlier, [gone]).parts).toEqual([]);
    const accumulator = createMessageAccumulator();
    accumulator.apply(final);
    expect(() => accumulator.apply(set)).toThrow();
  });
});

test("the golden transcript of an answer in two runs folds into one message", () => {
  const chunksOf = (wanted: string) =>
    transcripts.find(({ name }) => name === `0.1/${wanted}`)!.entries.map(({ chunk }) => chunk);
  const first = reduceMessage(chunksOf("approval-and-client-tool"));
  expect(first.parts).toMatchObject([
    { type: "step" },
    { toolCallId: "call-1", state: "awaiting-approval", title: "Deleting notes.txt" },
    { requestId: "ask-1" },
    { requestId: "ask-2" },
    { toolCallId: "call-2", state: "awaiting-client", resumeToken: "t3" },
  ]);
  expect(first).toMatchObject({
    id: "run-1",
    status: "done",
    finishReason: "interrupt",
    interrupts: [{ requestId: "ask-1" }, { requestId: "ask-2" }],
  });
  const message = continued(first, chunksOf("continued-answer"));
  expect(message).toMatchObject({ id: "run-1", status: "done", finishReason: "stop" });
  expect(message).not.toHaveProperty("interrupts");
  expect(message.parts).toMatchObject([
    { type: "step" },
    { toolCallId: "call-1", state: "denied", errorMessage: "Keep it." },
    { requestId: "ask-1", resolution: { answer: "deny" } },
    { requestId: "ask-2", resolution: { outcome: "expired" } },
    { toolCallId: "call-2", state: "done", content: { city: "Rome" } },
    { toolCallId: "call-3", state: "error", errorCode: "too-many", inputText: "all files" },
    { type: "text", text: "I kept notes.txt." },
  ]);
});

test("continuing costs linear time: 8,000 calls, asked about and answered, cost about as much as eight times 1,000", () => {
  const ratio = costOfWhole(8000, (count) => {
    const ids = Array.from({ length: count }, (_, index) => `${index}`);
    const earlier = reduceMessage([
      ...ids.flatMap((id) => [start(id, id), ask(`q${id}`, id)]),
      { type: "done", finishReason: "interrupt" },
    ]);
    const chunks = ids.flatMap((id) => [resolved(`q${id}`), result(id, id)]);
    return cost(() => {
      const accumulator = createMessageAccumulator(earlier);
      for (const chunk of chunks) accumulator.apply(chunk);
      accumulator.finish();
    });
  });
  expect(ratio).toBeLessThan(3);
});

describe("for every stream", () => {
  const id = fc.constantFrom("1", "2");
  const key = fc.constantFrom(undefined, "a", "b");
  const small = fc.integer({ min: 0, max: 3 });
  const providerMetadata = fc.record({ p: fc.dictionary(fc.constantFrom("x", "y"), small, { minKeys: 1 }) });
  /** Chunks whose meaning does not depend on the run that they are in: no whole texts, no finished objects. */
  const anyChunk: fc.Arbitrary<StreamChunk> = fc.oneof(
    fc.record({
      type: fc.constantFrom("text-delta", "reasoning-delta"),
      delta: fc.constantFrom("x", "yy"),
      segmentId: key,
    }),
    fc.record(
      {
        type: fc.constant("text-end"),
        segmentId: key,
        citations: fc.array(fc.record({ sourceId: id }), { minLength: 1 }),
        providerMetadata,
      },
      { requiredKeys: ["type"] },
    ),
    fc.record({ type: fc.constant("reasoning-end"), segmentId: key }),
    fc.record(
      {
        type: fc.constant("part-metadata"),
        segmentId: key,
        toolCallId: id,
        isResult: fc.boolean(),
        providerMetadata,
      },
      { requiredKeys: ["type", "providerMetadata"] },
    ),
    // One input for each id: another one would begin another call, but only in the same run.
    fc.record(
      {
        type: fc.constantFrom("tool-call-start", "tool-call-ready"),
        tool: fc.constant("t"),
        toolCallId: id,
        input: fc.constant(1),
        executor: fc.constant("client"),
      },
      { requiredKeys: ["type", "tool", "toolCallId", "input"] },
    ),
    id.map((toolCallId) => start(toolCallId)),
    id.map((toolCallId): StreamChunk => ({ type: "tool-call-delta", toolCallId, delta: "{" })),
    fc.record({
      type: fc.constantFrom("tool-call-progress", "tool-call-result"),
      tool: fc.constant("t"),
      toolCallId: id,
      content: small,
    }),
    fc.record({
      type: fc.constantFrom("tool-call-error", "tool-call-denied"),
      tool: fc.constant("t"),
      toolCallId: id,
      message: fc.constant("m"),
    }),
    small.map((content): StreamChunk => ({ type: "tool-result", content })),
    fc.tuple(id, fc.option(id, { nil: undefined })).map(([requestId, call]) => ask(requestId, call)),
    fc.record({
      type: fc.constant("interrupt-resolved"),
      requestId: id,
      outcome: fc.constantFrom("answered", "expired"),
      answer: fc.constantFrom("approve", "deny"),
    }),
    fc.record(
      { type: fc.constant("data"), name: id, data: small, id, transient: fc.boolean() },
      { requiredKeys: ["type", "name", "data"] },
    ),
    fc.record({ type: fc.constant("file"), mediaType: fc.constant("a/b"), url: fc.constant("/"), id: key }),
    id.map((stepId): StreamChunk => ({ type: "step-start", stepId })),
    fc.record({ type: fc.constant("step-end"), stepId: id, model: id }),
    fc.record({
      type: fc.constant("structured-data"),
      streamId: id,
      dataType: fc.constant("d"),
      kind: fc.constant("set"),
      path: fc.constantFrom("a", "b.c"),
      value: small,
    }),
    id.map((streamId): StreamChunk => ({ type: "structured-data-invalidated", streamId, checkpointId: "c" })),
    fc.dictionary(id, fc.option(small)).map((metadata): StreamChunk => ({ type: "metadata", metadata })),
    id.map((name): StreamChunk => ({ type: "source", id: name })),
  ) as fc.Arbitrary<StreamChunk>;

  test("a cut at any chunk makes no difference, except that it ends open texts and steps", () => {
    /** Ends every text and step that the chunks may have left open. */
    const endsOf = (chunks: StreamChunk[]): StreamChunk[] => [
      ...[undefined, "a", "b"].flatMap((segmentId): StreamChunk[] => [
        { type: "text-end", segmentId },
        { type: "reasoning-end", segmentId },
      ]),
      ...chunks.flatMap((chunk): StreamChunk[] =>
        chunk.type === "step-start" ? [{ type: "step-end", stepId: chunk.stepId }] : [],
      ),
    ];
    const chunks = fc.array(anyChunk, { maxLength: 24 });
    fc.assert(
      fc.property(chunks, chunks, (before, after) => {
        const atOnce = reduceMessage([...before, ...endsOf(before), ...after]);
        expect(continued(reduceMessage(before), after)).toEqual(atOnce);
      }),
      { numRuns: 3000 },
    );
  });

  test("the earlier message and the chunks stay as they are, and so does every message that was read", () => {
    const chunks = fc.array(anyChunk, { maxLength: 24 });
    fc.assert(
      fc.property(chunks, chunks, (before, after) => {
        const earlier = reduceMessage(before);
        const given: unknown[] = [earlier, ...after];
        const texts = given.map((value) => JSON.stringify(value));
        const accumulator = createMessageAccumulator(earlier);
        for (const chunk of after) {
          accumulator.apply(chunk);
          given.push(accumulator.message);
          texts.push(JSON.stringify(accumulator.message));
        }
        accumulator.finish();
        expect(accumulator.message).toEqual(continued(earlier, after));
        expect(given.map((value) => JSON.stringify(value))).toEqual(texts);
      }),
      { numRuns: 300 },
    );
  });
});
