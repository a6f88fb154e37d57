import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createTextPieces, joinTextParts } from "../src/answer-text.ts";
import type { StreamChunk } from "../src/chunks.ts";
import { createMessageAccumulator, reduceMessage } from "../src/fold-message.ts";
import { cost, costOfWhole } from "./cost.ts";

const said = (delta: string, segmentId?: string): StreamChunk => ({ type: "text-delta", delta, segmentId });
const whole = (content: string): StreamChunk => ({ type: "message", content });
const thought = (delta: string, segmentId?: string): StreamChunk => ({
  type: "reasoning-delta",
  delta,
  segmentId,
});
const start = (toolCallId: string, input: unknown = {}): StreamChunk => ({
  type: "tool-call-start",
  tool: "t",
  toolCallId,
  input,
});
const resultOf = (toolCallId: string): StreamChunk => ({
  type: "tool-call-result",
  tool: "t",
  toolCallId,
  content: 1,
});
const call = start("1");
const result = resultOf("1");
const file: StreamChunk = { type: "file", mediaType: "image/png", url: "/a.png" };
const object: StreamChunk = { type: "structured-data", streamId: "o", dataType: "d", kind: "final", data: 1 };
const source: StreamChunk = { type: "source", id: "s" };

const copied = (...chunks: StreamChunk[]): string => joinTextParts(reduceMessage(chunks).parts);

describe("the text of an answer", () => {
  test("joins its texts in order, with a blank line between them", () => {
    expect(copied(said("Let me "), said("look."), call, result, said("It is "), said("42."))).toBe(
      "Let me look.\n\nIt is 42.",
    );
    expect(copied(said("A"), thought("hm"), said("B"))).toBe("A\n\nB");
    expect(copied(said("A1", "a"), said("B1", "b"), said("A2", "a"))).toBe("A1A2\n\nB1");
    expect(copied(whole("A"), whole("B"))).toBe("A\n\nB");
    expect(copied(thought("hm"), call)).toBe("");
  });

  test("has no blank line where only files, objects and sources split a text", () => {
    expect(copied(said("half a "), object, said("sentence"))).toBe("half a sentence");
    expect(copied(said("A"), file, source, said("B"), object, file, said("C"))).toBe("ABC");
    expect(copied(said("A"), source, said("B"))).toBe("AB");
  });

  test("has a blank line where anything else split the text, or where the text had ended", () => {
    expect(copied(said("A"), file, call, said("B"))).toBe("A\n\nB");
    expect(copied(said("A"), file, thought("hm"), said("B"))).toBe("A\n\nB");
    expect(copied(said("A"), thought("hm"), file, said("B"))).toBe("A\n\nB");
    expect(copied(said("A"), { type: "text-end" }, file, said("B"))).toBe("A\n\nB");
    expect(copied(said("A"), file, { type: "text-end" }, said("B"))).toBe("A\n\nB");
    expect(copied(said("A"), file, { type: "text-start" }, said("B"))).toBe("A\n\nB");
    expect(copied(said("A"), { type: "text-end" }, { type: "text-start" }, file, said("B"))).toBe("A\n\nB");
    expect(copied(whole("A"), file, whole("B"))).toBe("A\n\nB");
    expect(copied(said("A", "a"), file, said("B", "b"))).toBe("A\n\nB");
    expect(copied(said("A"), file, said("B", "b"), said("C"))).toBe("A\n\nB\n\nC");
  });

  test("continues after a file in a new part with its own node, while reasoning starts over", () => {
    const { parts } = reduceMessage([
      { ...said("A"), node: "one" } as StreamChunk,
      file,
      { ...said("B"), node: "two" } as StreamChunk,
      thought("R"),
      file,
      thought("S"),
    ]);
    expect(parts.filter(({ type }) => type !== "file")).toEqual([
      { type: "text", key: "", text: "A", state: "done", node: "one" },
      { type: "text", key: "", text: "B", state: "done", node: "two", isContinuation: true },
      { type: "reasoning", key: "", text: "R", state: "done" },
      { type: "reasoning", key: "", text: "S", state: "done" },
    ]);
  });

  test("skips empty texts", () => {
    expect(copied({ type: "text-start" }, call, said("A"))).toBe("A");
    const text = { type: "text", key: "", text: "A", state: "done" } as const;
    expect(joinTextParts([text, { ...text, text: "", state: "streaming" }])).toBe("A");
    expect(joinTextParts([{ ...text, text: null as never }, text])).toBe("A");
  });
});

function piecesOf(...chunks: StreamChunk[]): string[] {
  const toPiece = createTextPieces();
  return chunks.map(toPiece).filter((piece) => piece !== "");
}

describe("the pieces of the text", () => {
  test("are the deltas, with a blank line before the first delta of each further text", () => {
    expect(
      piecesOf(said("Let me "), said("look."), call, result, said(""), said("It is "), said("42.")),
    ).toEqual(["Let me ", "look.", "\n\nIt is ", "42."]);
  });

  test("continue the text after a file, an object, the result of a known call or more of known reasoning", () => {
    expect(piecesOf(call, said("a"), result, said("b"), file, said("c"), object, said("d"))).toEqual([
      "a",
      "b",
      "c",
      "d",
    ]);
    expect(piecesOf(thought("x", "r"), said("a"), thought("y", "r"), said("b"))).toEqual(["a", "b"]);
  });

  test("begin another text after the progress or the denial of an unknown call, but not after an edited input", () => {
    const fields = { tool: "t", toolCallId: "2" };
    for (const chunk of [
      { type: "tool-call-progress", ...fields, content: 1 },
      { type: "tool-call-denied", ...fields },
    ] as const) {
      expect(piecesOf(said("a"), chunk, said("b"), chunk, said("c"))).toEqual(["a", "\n\nb", "c"]);
    }
    const ready = (input: unknown): StreamChunk => ({ type: "tool-call-ready", ...fields, input });
    const ask: StreamChunk = {
      type: "interrupt",
      requestId: "r",
      resumeToken: "k",
      input: { kind: "text", multiple: false },
      toolCallId: "2",
    };
    expect(piecesOf(ready(1), ask, said("a"), ready(2), said("b"))).toEqual(["a", "b"]);
    expect(piecesOf(ready(1), said("a"), ready(2), said("b"))).toEqual(["a", "\n\nb"]);
  });

  test("include whole messages, except those that repeat streamed text", () => {
    expect(piecesOf(whole("A"), whole("A"))).toEqual(["A", "\n\nA"]);
    expect(
      piecesOf(
        said("B"),
        call,
        said("C"),
        whole("C"),
        whole(" C\n"),
        whole("B\t\n C"),
        whole("B"),
        whole("D"),
      ),
    ).toEqual(["B", "\n\nC", "\n\nD"]);
  });

  test("of parallel texts come in the order of the stream", () => {
    expect(piecesOf(said("A1", "a"), said("B1", "b"), said("A2", "a"), said("C"))).toEqual([
      "A1",
      "\n\nB1",
      "A2",
      "\n\nC",
    ]);
    const begun: StreamChunk = { type: "text-start", segmentId: "a" };
    expect(piecesOf(begun, said("B", "b"), said("A", "a"), said("!", "b"))).toEqual(["B", "\n\nA", "!"]);
  });

  test("take linear time: 8,000 messages next to a growing text cost about as much as eight runs of 1,000", () => {
    const ratio = costOfWhole(8000, (count) => {
      const chunks = Array.from({ length: count }, (_, index) => [
        said("a long piece ", "k"),
        said(`${index}`),
        whole(`other ${index}`),
      ]).flat();
      return cost(() => chunks.map(createTextPieces()));
    });
    expect(ratio).toBeLessThanOrEqual(3);
  });
});

test("each piece is exactly what its chunk adds to the text of the message, for any sequence of chunks", () => {
  const text = fc.constantFrom("", "x", "y", "zz");
  const key = fc.constantFrom(undefined, undefined, undefined, "", "a", "b");
  const toolCallId = fc.constantFrom("", "1", "2");
  const input = fc.constantFrom(undefined, 1, 2);
  const tool = fc.constantFrom("t", "u");
  const anyChunk: fc.Arbitrary<StreamChunk> = fc.oneof(
    { weight: 8, arbitrary: fc.tuple(text, key).map(([delta, segmentId]) => said(delta, segmentId)) },
    { weight: 2, arbitrary: fc.tuple(text, key).map(([delta, segmentId]) => thought(delta, segmentId)) },
    { weight: 3, arbitrary: fc.constantFrom("", "x", "y", "xy", "x y", "x\n\ny", "zzx", " x ").map(whole) },
    fc
      .tuple(fc.constantFrom("text-end", "reasoning-start", "reasoning-end"), key)
      .map(([type, segmentId]) => ({ type, segmentId }) as StreamChunk),
    fc.tuple(toolCallId, input).map(([id, given]) => start(id, given)),
    toolCallId.map((id): StreamChunk => ({ type: "tool-call-delta", toolCallId: id, delta: "{" })),
    fc.tuple(toolCallId, tool, input).map(
      ([id, name, given]): StreamChunk => ({
        type: "tool-call-ready",
        tool: name,
        toolCallId: id,
        input: given,
      }),
    ),
    toolCallId.map(resultOf),
    fc
      .tuple(fc.constantFrom("tool-call-progress", "tool-call-denied"), toolCallId)
      .map(([type, id]) => ({ type, tool: "t", toolCallId: id, content: 1 }) as StreamChunk),
    toolCallId.map(
      (id): StreamChunk => ({
        type: "interrupt",
        requestId: id,
        resumeToken: "k",
        input: { kind: "text", multiple: false },
        toolCallId: id,
      }),
    ),
    toolCallId.map(
      (id): StreamChunk => ({ type: "tool-call-error", tool: "t", toolCallId: id, message: "m" }),
    ),
    fc.constantFrom<StreamChunk>(
      { type: "text-start" },
      { type: "tool-result", content: 1 },
      { type: "tool-result", tool: "t", content: 1 },
      { type: "structured-data-invalidated", streamId: "o", checkpointId: "c" },
      { type: "interrupt", requestId: "r", resumeToken: "k", input: { kind: "text", multiple: false } },
      { type: "interrupt-resolved", requestId: "1", outcome: "answered", answer: "deny" },
      { type: "step-start", stepId: "1" },
      { type: "step-end", stepId: "1" },
      { type: "data", name: "d", data: 1 },
      { type: "data", name: "d", data: 1, id: "1" },
      { type: "data", name: "d", data: 1, transient: true },
      { type: "metadata", metadata: { a: 1 } },
      { type: "part-metadata", providerMetadata: { a: 1 } },
      { type: "text-delta", delta: "", providerMetadata: { a: 1 } },
      { type: "reasoning-delta", delta: "", providerMetadata: { a: 1 } },
      { type: "text-end", citations: [{ sourceId: "s" }] },
      { type: "status", message: "m" },
      { type: "error", message: "m" },
      file,
      object,
      source,
    ),
  );
  fc.assert(
    fc.property(fc.array(anyChunk, { maxLength: 30 }), (chunks) => {
      const accumulator = createMessageAccumulator();
      const toPiece = createTextPieces();
      let pieces = "";
      let before = "";
      for (const chunk of chunks) {
        accumulator.apply(chunk);
        const piece = toPiece(chunk);
        pieces += piece;
        const after = joinTextParts(accumulator.message.parts);
        // An earlier text has grown: the piece is the same, in another place.
        if (!after.startsWith(before)) expect([...pieces].sort()).toEqual([...after].sort());
        else expect(piece).toBe(after.slice(before.length));
        before = after;
      }
    }),
    { numRuns: 2000 },
  );
});
