import { joinTextParts, reduceMessage, type StreamChunk } from "@kortyx/protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createTextPieces } from "../../src/stream/text-pieces.ts";

const said = (delta: string, segmentId?: string): StreamChunk => ({ type: "text-delta", delta, segmentId });
const thought = (delta: string, segmentId?: string): StreamChunk => ({
  type: "reasoning-delta",
  delta,
  segmentId,
});
const whole = (content: string): StreamChunk => ({ type: "message", content });
const start = (toolCallId: string): StreamChunk => ({
  type: "tool-call-start",
  tool: "t",
  toolCallId,
  input: {},
});
const result = (toolCallId: string): StreamChunk => ({
  type: "tool-call-result",
  tool: "t",
  toolCallId,
  content: 1,
});
const file: StreamChunk = { type: "file", mediaType: "image/png", url: "/a.png" };
const object: StreamChunk = { type: "structured-data", streamId: "o", dataType: "d", kind: "final", data: 1 };

function piecesOf(...chunks: StreamChunk[]): string[] {
  const toPiece = createTextPieces();
  return chunks.map(toPiece).filter((piece) => piece !== "");
}

describe("the pieces of a text", () => {
  test("are the deltas; the first of another text begins with a blank line", () => {
    expect(
      piecesOf(
        said("Let me "),
        said("look."),
        start("1"),
        result("1"),
        said(""),
        said("It is "),
        said("42."),
      ),
    ).toEqual(["Let me ", "look.", "\n\nIt is ", "42."]);
  });

  test("go on after the result of a known call, a file, an object and a known piece of reasoning", () => {
    expect(
      piecesOf(start("1"), said("a"), result("1"), said("b"), file, said("c"), object, said("d")),
    ).toEqual(["a", "b", "c", "d"]);
    expect(piecesOf(thought("x", "r"), said("a"), thought("y", "r"), said("b"))).toEqual(["a", "b"]);
  });

  test("hold whole messages, unless they repeat what was streamed", () => {
    expect(piecesOf(whole("A"), whole("A"))).toEqual(["A", "\n\nA"]);
    expect(
      piecesOf(
        said("B"),
        start("1"),
        said("C"),
        whole("C"),
        whole(" C\n"),
        whole("B C"),
        whole("B"),
        whole("D"),
      ),
    ).toEqual(["B", "\n\nC", "\n\nD"]);
  });

  test("of parallel texts come as they are said", () => {
    expect(piecesOf(said("A1", "a"), said("B1", "b"), said("A2", "a"), said("C"))).toEqual([
      "A1",
      "\n\nB1",
      "A2",
      "\n\nC",
    ]);
  });
});

test("the pieces one after the other are what is copied of the message, for every loop of an agent", () => {
  const word = fc.constantFrom("", "x", "y", "zz");
  const turn = (id: number): fc.Arbitrary<StreamChunk[]> =>
    fc
      .array(
        fc.oneof(
          { weight: 6, arbitrary: word.map((delta) => [said(delta)]) },
          { weight: 2, arbitrary: word.map((delta) => [thought(delta)]) },
          { weight: 2, arbitrary: fc.constantFrom("x", "y", "xy", "x y").map((content) => [whole(content)]) },
          fc.constantFrom<StreamChunk[]>(
            [file],
            [object],
            [{ type: "source", id: "s" }],
            [{ type: "text-start" }],
            [{ type: "text-end" }],
            [{ type: "reasoning-start" }],
            [{ type: "reasoning-end" }],
            [{ type: "status", message: "m" }],
            [
              {
                type: "interrupt",
                requestId: "r",
                resumeToken: "k",
                input: { kind: "text", multiple: false },
              },
            ],
            [said("k", `k${id}`), { type: "text-end", segmentId: `k${id}` }],
            [
              { type: "tool-call-ready", tool: "t", toolCallId: `ready ${id}`, input: 1 },
              result(`ready ${id}`),
            ],
          ),
        ),
        { maxLength: 6 },
      )
      .map((chunks) => [start(`${id}`), ...chunks.flat(), result(`${id}`)]);
  fc.assert(
    fc.property(fc.tuple(turn(1), turn(2), turn(3)), (turns) => {
      const chunks = turns.flat();
      expect(piecesOf(...chunks).join("")).toBe(joinTextParts(reduceMessage(chunks).parts));
    }),
    { numRuns: 1000 },
  );
});
