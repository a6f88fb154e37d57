import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type AssistantMessage, closePart } from "../src/assistant-message.ts";
import type { StreamChunk } from "../src/chunks.ts";
import { createMessageAccumulator, reduceMessage } from "../src/fold-message.ts";
import { anyChunk } from "./chunk-arbitraries.ts";
import { cost, costOfWhole } from "./cost.ts";
import { transcripts } from "./transcripts.ts";

const delta = (text: string, segmentId?: string): StreamChunk =>
  segmentId === undefined
    ? { type: "text-delta", delta: text }
    : { type: "text-delta", delta: text, segmentId };
const call = { tool: "search", toolCallId: "c1" };
const set = (path: string, value: unknown): StreamChunk => ({
  type: "structured-data",
  streamId: "card",
  dataType: "card",
  kind: "set",
  path,
  value,
});
const interrupt: StreamChunk = {
  type: "interrupt",
  requestId: "r",
  resumeToken: "t",
  input: { kind: "text", multiple: false },
};

describe("texts", () => {
  test("deltas build a text, and a terminal closes it", () => {
    expect(reduceMessage([delta("Hel"), delta("lo"), { type: "done", usage: { outputTokens: 2 } }])).toEqual({
      parts: [{ type: "text", key: "", text: "Hello", state: "done" }],
      status: "done",
      usage: { outputTokens: 2 },
    });
  });

  test("parallel texts do not mix: the key is segmentId, then opId, then id", () => {
    const origin = { opId: "op", id: "id" };
    const { parts } = reduceMessage([
      { type: "text-delta", delta: "a1", segmentId: "a", ...origin },
      { type: "text-delta", delta: "b1", ...origin },
      { type: "text-delta", delta: "c1", id: "id" },
      { type: "reasoning-delta", delta: "r1", segmentId: "a" },
      delta("d1"),
      { type: "text-delta", delta: "a2", segmentId: "a", ...origin },
      { type: "text-delta", delta: "b2", opId: "op", id: "other" },
      { type: "text-delta", delta: "c2", id: "id" },
      { type: "reasoning-delta", delta: "r2", segmentId: "a" },
      delta("d2"),
    ]);
    expect(
      parts.map(
        (part) => (part.type === "text" || part.type === "reasoning") && [part.type, part.key, part.text],
      ),
    ).toEqual([
      ["text", "a", "a1a2"],
      ["text", "op", "b1b2"],
      ["text", "id", "c1c2"],
      ["reasoning", "a", "r1r2"],
      ["text", "", "d1d2"],
    ]);
  });

  test("after text-end the same key begins a new text", () => {
    const { parts } = reduceMessage([
      { type: "text-start", segmentId: "a", node: "writer" },
      delta("one", "a"),
      { type: "text-end", segmentId: "a" },
      delta("two", "a"),
    ]);
    expect(parts).toEqual([
      { type: "text", key: "a", text: "one", state: "done", node: "writer" },
      { type: "text", key: "a", text: "two", state: "done" },
    ]);
  });

  test("a whole message becomes a text, unless it repeats a streamed one", () => {
    const texts = (chunks: StreamChunk[]) =>
      reduceMessage(chunks).parts.map((part) => part.type === "text" && part.text);
    expect(
      texts([
        { type: "message", content: "Hi" },
        { type: "message", content: "Hi" },
      ]),
    ).toEqual(["Hi", "Hi"]);
    expect(texts([delta("H"), delta("i"), { type: "message", content: "Hi" }])).toEqual(["Hi"]);
    expect(texts([delta("H"), delta("i"), { type: "message", content: "Bye" }])).toEqual(["Hi", "Bye"]);
    const reasoning: StreamChunk = { type: "reasoning-delta", delta: "hm" };
    expect(texts([delta("Hi"), reasoning, { type: "message", content: "Hi" }])).toEqual(["Hi", false]);
    expect(reduceMessage([{ type: "message", content: "a", node: "n" }]).parts).toEqual([
      { type: "text", key: "", text: "a", state: "done", node: "n" },
    ]);
  });
});

describe("tool calls", () => {
  const stateAfter = (...chunks: StreamChunk[]) => {
    const accumulator = createMessageAccumulator();
    for (const chunk of chunks) accumulator.apply(chunk);
    return accumulator.message.parts[0];
  };

  test("a streamed input is text until it is ready, then the call runs, then it has a result", () => {
    const start: StreamChunk = { type: "tool-call-start", ...call, node: "n" };
    const piece = (text: string): StreamChunk => ({ type: "tool-call-delta", toolCallId: "c1", delta: text });
    const ready: StreamChunk = { type: "tool-call-ready", ...call, input: { q: 1 } };
    const result: StreamChunk = {
      type: "tool-call-result",
      ...call,
      content: "found",
      structuredContent: [1],
    };
    const part = { type: "tool-call", ...call, node: "n" };
    expect(stateAfter(start)).toEqual({ ...part, state: "input-streaming", inputText: "" });
    expect(stateAfter(start, piece('{"q"'), piece(":1}"))).toEqual({
      ...part,
      state: "input-streaming",
      inputText: '{"q":1}',
    });
    expect(stateAfter(start, piece("{"), ready)).toEqual({
      ...part,
      state: "running",
      inputText: "{",
      input: { q: 1 },
    });
    expect(stateAfter(start, ready, result)).toEqual({
      ...part,
      state: "done",
      inputText: "",
      input: { q: 1 },
      content: "found",
      structuredContent: [1],
    });
  });

  test("a call that starts with its input runs at once", () => {
    expect(stateAfter({ type: "tool-call-start", ...call, input: null })).toMatchObject({
      state: "running",
      input: null,
    });
  });

  test("a failed call is an error with its message, and so is a result with isError", () => {
    expect(stateAfter({ type: "tool-call-error", ...call, message: "boom" })).toMatchObject({
      state: "error",
      errorMessage: "boom",
    });
    expect(stateAfter({ type: "tool-call-result", ...call, content: "bad", isError: true })).toMatchObject({
      state: "error",
      content: "bad",
    });
  });

  test("parallel calls do not mix", () => {
    const { parts } = reduceMessage([
      { type: "tool-call-delta", toolCallId: "a", delta: "1" },
      { type: "tool-call-delta", toolCallId: "b", delta: "2", tool: "second" },
      { type: "tool-call-delta", toolCallId: "a", delta: "3" },
    ]);
    expect(parts).toMatchObject([
      { toolCallId: "a", tool: "", inputText: "13" },
      { toolCallId: "b", tool: "second", inputText: "2" },
    ]);
  });

  test("a legacy result completes the last open call of its tool, or stands alone", () => {
    const start = (toolCallId: string, tool: string): StreamChunk => ({
      type: "tool-call-start",
      tool,
      toolCallId,
      input: 1,
    });
    const { parts } = reduceMessage([
      start("a", "search"),
      start("b", "fetch"),
      { type: "tool-result", tool: "search", content: "s" },
      { type: "tool-result", tool: "search", content: "alone" },
      { type: "tool-result", content: "f" },
    ]);
    expect(parts).toMatchObject([
      { toolCallId: "a", state: "done", content: "s" },
      { toolCallId: "b", state: "done", content: "f" },
      { tool: "search", state: "done", content: "alone" },
    ]);
  });

  test("a legacy result completes a call whose input is still being streamed", () => {
    const { parts } = reduceMessage([
      { type: "tool-call-start", ...call },
      { type: "tool-result", tool: "search", content: 1 },
    ]);
    expect(parts).toMatchObject([{ toolCallId: "c1", state: "done", content: 1 }]);
    expect(parts[0]).not.toHaveProperty("structuredContent");
  });

  test("legacy results without a call stay separate while other parts come and go", () => {
    const { parts } = reduceMessage([
      set("title", "T"),
      { type: "tool-result", content: "first" },
      { type: "structured-data-invalidated", streamId: "card", checkpointId: "c" },
      { type: "tool-result", content: "second" },
    ]);
    expect(parts).toMatchObject([{ content: "first" }, { content: "second" }]);
  });

  test("4,000 deltas of one input, with the message read after each, take time linear in their number", () => {
    const ratio = costOfWhole(4000, (count) =>
      cost(() => {
        const accumulator = createMessageAccumulator();
        for (let index = 0; index < count; index++) {
          accumulator.apply({
            type: "tool-call-delta",
            toolCallId: "c",
            delta: '{"key": [1, 2, 3], "text": "xxxxxxxxxxxxxxxxxxxxxxxxxx"},',
          });
          accumulator.message;
        }
      }),
    );
    expect(ratio).toBeLessThan(3);
  });

  test("invalidating objects and legacy results after 8,000 parts takes time linear in their number", () => {
    const ratio = costOfWhole(8000, (count) =>
      cost(() => {
        const accumulator = createMessageAccumulator();
        for (let index = 0; index < count; index++) accumulator.apply({ type: "source", id: String(index) });
        for (let index = 0; index < count; index++) {
          accumulator.apply(set("title", "T"));
          accumulator.apply({ type: "structured-data-invalidated", streamId: "card", checkpointId: "c" });
          accumulator.apply({ type: "tool-result", content: index });
        }
      }),
    );
    expect(ratio).toBeLessThan(3);
  });
});

describe("the end", () => {
  test("done closes texts and marks calls without a result as interrupted", () => {
    const { parts, status } = reduceMessage([
      delta("open"),
      { type: "tool-call-start", ...call, input: 1 },
      { type: "tool-call-start", tool: "t", toolCallId: "c2" },
      { type: "tool-call-result", ...call, content: 1 },
      { type: "done" },
    ]);
    expect(status).toBe("done");
    expect(parts).toMatchObject([{ state: "done" }, { state: "done" }, { state: "interrupted" }]);
  });

  test("abort makes an aborted message, and nothing is applied after a terminal", () => {
    const { parts, status, abortReason } = reduceMessage([
      delta("a"),
      { type: "abort", reason: "stopped" },
      delta("late"),
      { type: "done" },
    ]);
    expect({ status, abortReason }).toEqual({ status: "aborted", abortReason: "stopped" });
    expect(parts).toMatchObject([{ text: "a", state: "done" }]);
  });

  test("an error is the outcome only when nothing follows it", () => {
    const error: StreamChunk = { type: "error", message: "boom" };
    expect(reduceMessage([delta("a"), error])).toMatchObject({
      status: "error",
      error,
      parts: [{ state: "done" }],
    });
    const recovered = reduceMessage([error, delta("a"), { type: "done" }]);
    expect(recovered.status).toBe("done");
    expect(recovered).toHaveProperty("error", undefined);
  });

  test("a stream without a terminal is done if it ended in order, and truncated if it was cut off", () => {
    expect(reduceMessage([delta("a")]).status).toBe("done");
    const accumulator = createMessageAccumulator();
    accumulator.apply(delta("a"));
    expect(accumulator.message.status).toBe("streaming");
    accumulator.finish("truncated");
    expect(accumulator.message).toMatchObject({ status: "truncated", parts: [{ state: "done" }] });
    accumulator.finish();
    accumulator.apply(delta("late"));
    expect(accumulator.message).toMatchObject({ status: "truncated", parts: [{ text: "a" }] });
  });

  test("a stream that the user abandoned is aborted, without a reason", () => {
    const accumulator = createMessageAccumulator();
    accumulator.apply(delta("a"));
    accumulator.finish("aborted");
    expect(accumulator.message).toEqual({
      parts: [{ type: "text", key: "", text: "a", state: "done" }],
      status: "aborted",
    });
  });

  test("an interrupt becomes a part and the message's `interrupt`", () => {
    const message = reduceMessage([interrupt, { type: "done", finishReason: "interrupt" }]);
    const interrupts = [interrupt];
    expect(message).toEqual({
      parts: [interrupt],
      interrupt,
      interrupts,
      status: "done",
      finishReason: "interrupt",
    });
  });
});

test("the message takes the id of its run", () => {
  expect(reduceMessage([{ type: "run-start", runId: "run-7" }]).id).toBe("run-7");
});

test("sources and files become parts, and chunks that are not part of a message are ignored", () => {
  const source: StreamChunk = { type: "source", id: "s", title: "T" };
  const file: StreamChunk = { type: "file", mediaType: "image/png", url: "/a.png" };
  const { parts } = reduceMessage([
    { type: "session", sessionId: "s" },
    { type: "status", message: "m" },
    source,
    { type: "transition", transitionTo: "n" },
    file,
    { type: "x-unknown" },
  ]);
  expect(parts).toEqual([source, file]);
});

describe("structured data", () => {
  test("a part grows in place among the others", () => {
    const accumulator = createMessageAccumulator();
    for (const chunk of [delta("a"), set("title", "T"), delta("b"), set("rows.0", 1)])
      accumulator.apply(chunk);
    expect(accumulator.message.parts).toEqual([
      { type: "text", key: "", text: "a", state: "done" },
      {
        type: "structured-data",
        streamId: "card",
        dataType: "card",
        status: "streaming",
        data: { title: "T", rows: [1] },
      },
      { type: "text", key: "", text: "b", state: "streaming", isContinuation: true },
    ]);
  });

  test("an invalidated part disappears, and the parts after it continue", () => {
    const accumulator = createMessageAccumulator();
    accumulator.apply(set("title", "T"));
    accumulator.apply(delta("a", "x"));
    accumulator.apply({ type: "tool-call-start", ...call });
    accumulator.message;
    accumulator.apply(delta("b", "x"));
    accumulator.apply({ type: "structured-data-invalidated", streamId: "card", checkpointId: "c" });
    accumulator.apply(delta("c", "x"));
    accumulator.apply({ type: "tool-call-result", ...call, content: 1 });
    accumulator.apply({ type: "message", content: "abc" });
    expect(accumulator.message.parts).toMatchObject([
      { type: "text", text: "abc" },
      { type: "tool-call", state: "done" },
    ]);
    accumulator.apply(set("title", "again"));
    expect(accumulator.message.parts).toMatchObject([
      { type: "text" },
      { type: "tool-call" },
      { data: { title: "again" } },
    ]);
  });

  test("a chunk that cannot be applied throws and leaves the message unchanged", () => {
    const accumulator = createMessageAccumulator();
    accumulator.apply(set("title", "T"));
    accumulator.apply({ type: "error", message: "m" });
    const before = accumulator.message;
    expect(() => accumulator.apply(set("title.x", 1))).toThrow(
      expect.objectContaining({ code: "invalid-structured-data" }),
    );
    expect(accumulator.message).toEqual(before);
  });
});

describe("snapshots", () => {
  test("are the same object while nothing changes", () => {
    const accumulator = createMessageAccumulator();
    const final: StreamChunk = {
      type: "structured-data",
      streamId: "f",
      dataType: "card",
      kind: "final",
      data: { a: 1 },
    };
    accumulator.apply(delta("a", "x"));
    accumulator.apply(final);
    const { message } = accumulator;
    for (const chunk of [
      { type: "status", message: "m" },
      { type: "text-start", segmentId: "x" },
      { type: "text-end", segmentId: "never opened" },
      structuredClone(final),
      { type: "structured-data-invalidated", streamId: "unknown", checkpointId: "c" },
      { type: "brand-new", x: 1 },
    ] as StreamChunk[]) {
      accumulator.apply(chunk);
      expect(accumulator.message, chunk.type).toBe(message);
    }
  });

  test("stay the same at the end if nothing is open, even with a whole message or a part with its own `state`", () => {
    const file = { type: "file", mediaType: "m", url: "u", state: "running" } as StreamChunk;
    const source = { type: "source", id: "s", state: "streaming" } as StreamChunk;
    const accumulator = createMessageAccumulator();
    for (const chunk of [
      { type: "message", content: "x" },
      file,
      source,
      { type: "error", message: "m" },
    ] as StreamChunk[]) {
      accumulator.apply(chunk);
    }
    const { message } = accumulator;
    expect(message.parts.slice(1)).toEqual([file, source]);
    accumulator.finish();
    expect(accumulator.message).toBe(message);
    const [interrupted] = reduceMessage([{ type: "tool-call-start", ...call }]).parts;
    for (const part of [...message.parts, interrupted!]) expect(closePart(part)).toBe(part);
  });

  test("never change themselves: a change makes a new one, in which untouched parts keep their identity", () => {
    const accumulator = createMessageAccumulator();
    for (const chunk of [delta("a", "x"), delta("b", "y"), set("title", "T")]) accumulator.apply(chunk);
    const first = accumulator.message;
    expect(accumulator.message).toBe(first);
    const copy = structuredClone(first);
    accumulator.apply(delta("!", "y"));
    accumulator.apply({ type: "tool-call-start", ...call });
    const second = accumulator.message;
    expect(second).not.toBe(first);
    expect(second.parts[0]).toBe(first.parts[0]);
    expect(second.parts[1]).not.toBe(first.parts[1]);
    expect(second.parts[2]).toBe(first.parts[2]);
    expect(first).toEqual(copy);
  });

  test("after every chunk of a golden transcript lead to the same message as one at the end", () => {
    for (const { name, entries } of transcripts) {
      const accumulator = createMessageAccumulator();
      const given: [unknown, string][] = [];
      for (const { chunk } of entries) {
        accumulator.apply(chunk);
        given.push([accumulator.message, JSON.stringify(accumulator.message)]);
      }
      accumulator.finish();
      expect(accumulator.message, name).toEqual(reduceMessage(entries.map(({ chunk }) => chunk)));
      for (const [message, text] of given) expect(JSON.stringify(message)).toBe(text);
    }
  });
});

test("chunks of every shape fold into the same message however often it is read, and are never changed", () => {
  fc.assert(
    fc.property(fc.array(anyChunk, { maxLength: 20 }), (chunks) => {
      const given = chunks.map((chunk) => JSON.stringify(chunk));
      const accumulators = [createMessageAccumulator(), createMessageAccumulator()];
      const read: [AssistantMessage, string][] = [];
      for (const chunk of chunks) {
        for (const accumulator of accumulators) {
          try {
            accumulator.apply(chunk);
          } catch (error) {
            expect(error).toMatchObject({ code: "invalid-structured-data" });
          }
        }
        const { message } = accumulators[0]!;
        read.push([message, JSON.stringify(message)]);
      }
      for (const accumulator of accumulators) accumulator.finish();
      expect(accumulators[0]!.message).toEqual(accumulators[1]!.message);
      for (const [message, text] of read) expect(JSON.stringify(message)).toBe(text);
      expect(chunks.map((chunk) => JSON.stringify(chunk))).toEqual(given);
    }),
    { numRuns: 300 },
  );
});

test("chunks about different things may be mixed in any order that keeps the order about each", () => {
  const about = (toolCallId: string) => ({ tool: "t", toolCallId });
  const ask = (requestId: string, toolCallId: string) =>
    ({ ...interrupt, requestId, toolCallId }) as StreamChunk;
  const subjects: StreamChunk[][] = [
    [
      { type: "text-start", segmentId: "a" },
      delta("x", "a"),
      delta("y", "a"),
      {
        type: "text-end",
        segmentId: "a",
        citations: [{ sourceId: "s" }],
        providerMetadata: { p: { end: 1 } },
      },
      { type: "part-metadata", segmentId: "a", providerMetadata: { p: { late: 1 } } },
    ],
    [
      { type: "tool-call-start", ...about("1") },
      { type: "tool-call-delta", toolCallId: "1", delta: "{}" },
      { type: "tool-call-ready", ...about("1"), input: {} },
      ask("q1", "1"),
      { type: "interrupt-resolved", requestId: "q1", outcome: "answered", answer: "approve" },
      { type: "tool-call-progress", ...about("1"), content: 1 },
      { type: "tool-call-result", ...about("1"), content: 2 },
    ],
    [ask("q2", "2"), { type: "tool-call-ready", ...about("2"), input: 1 }],
    [
      { type: "tool-call-ready", ...about("3"), input: 1 },
      ask("q3", "3"),
      { type: "interrupt-resolved", requestId: "q3", outcome: "answered", answer: "deny" },
    ],
    [
      { type: "tool-call-start", ...about("4"), executor: "client" },
      { type: "tool-call-ready", ...about("4"), input: 1 },
      { type: "part-metadata", toolCallId: "4", providerMetadata: { p: 1 } },
    ],
    [1, 2, 3].map((data) => ({ type: "data", name: "d", id: "1", data })),
    [
      set("title", "T"),
      set("rows.0", 1),
      { type: "structured-data", streamId: "card", dataType: "card", kind: "final", data: 1 },
    ],
    ["/1", "/2"].map((url) => ({ type: "file", mediaType: "a/b", url, id: "f" })),
    [
      { type: "step-start", stepId: "1" },
      { type: "step-end", stepId: "1", model: "m" },
    ],
    [
      { type: "metadata", metadata: { a: 1, b: 1 } },
      { type: "metadata", metadata: { a: null, b: 2 } },
    ],
  ];
  /** The parts and questions in an order of their own. */
  const sorted = ({ parts, interrupts, ...rest }: AssistantMessage) => [
    JSON.parse(JSON.stringify(rest)),
    parts.map((part) => JSON.stringify(part)).sort(),
    interrupts?.map((question) => JSON.stringify(question)).sort(),
  ];
  const inTurn = sorted(reduceMessage(subjects.flat()));
  const turns = subjects.flatMap((chunks, subject) => chunks.map(() => subject));
  fc.assert(
    fc.property(fc.shuffledSubarray(turns, { minLength: turns.length }), (order) => {
      const rest = subjects.map((chunks) => [...chunks]);
      expect(sorted(reduceMessage(order.map((subject) => rest[subject]!.shift()!)))).toEqual(inTurn);
    }),
    { numRuns: 500 },
  );
});
