import { expect, test } from "vitest";
import { createBlockReader, type Recording } from "../../src/doctor/recording.ts";

const createRecording = (type: string): Recording => ({
  httpVersion: "1.1",
  status: 200,
  headers: { "content-type": type },
  headersMs: 0,
  blocks: [],
  text: "",
  endMs: 0,
  end: "whole",
});

/** Reads pieces, each a millisecond after the one before it. */
function read(pieces: string[], type = "text/event-stream"): Recording {
  const recording = createRecording(type);
  const reader = createBlockReader(recording);
  for (const [index, piece] of pieces.entries()) reader(new TextEncoder().encode(piece), index + 1);
  return recording;
}

const stream = ':hb=8000\n\nid: r.0\ndata: {"type":"text-delta","delta":"é"}\n\n:hb=8000\n\ndata: [DONE]\n\n';

test("events and comments keep their order, with the type of a chunk, the data of anything else, and ids", () => {
  expect(read([stream]).blocks).toEqual([
    { beganMs: 1, atMs: 1, comment: "hb=8000" },
    { beganMs: 1, atMs: 1, type: "text-delta", id: "r.0" },
    { beganMs: 1, atMs: 1, comment: "hb=8000" },
    { beganMs: 1, atMs: 1, type: "[DONE]", id: undefined },
  ]);
});

test("a block lasts from its first byte to its last, wherever the pieces are cut", () => {
  for (let cut = 1; cut < stream.length; cut++) {
    const { blocks } = read([stream.slice(0, cut), stream.slice(cut)]);
    expect(blocks.map(({ comment, type }) => comment ?? type)).toEqual([
      "hb=8000",
      "text-delta",
      "hb=8000",
      "[DONE]",
    ]);
    // At most one block is in both pieces: it has a byte before the cut, and its last line end after it.
    const split = blocks.filter(({ beganMs, atMs }) => beganMs !== atMs);
    const before = stream.slice(0, cut).split("\n\n").at(-1)!.replace(/^\n/, "");
    const isSplit = before.startsWith(":") ? !before.endsWith("\n") : before !== "";
    expect([cut, split.length]).toEqual([cut, isSplit ? 1 : 0]);
  }
});

test("the line end that follows a comment does not begin the next event", () => {
  expect(read([":hb=8000\n", "\n", "data: 1\n\n"]).blocks.map(({ beganMs }) => beganMs)).toEqual([1, 3]);
});

test("of a body that is no event stream, the beginning is kept as text", () => {
  const { text, blocks } = read(["<h1>Log in", "</h1>", "x".repeat(1000)], "text/html");
  expect(text).toBe(`<h1>Log in</h1>${"x".repeat(285)}`);
  expect(blocks).toEqual([]);
});

test("a time to retry is kept", () => {
  expect(read([stream]).retryMs).toBeUndefined();
  expect(read(["data: 1\n\nretry: 700\n\n"]).retryMs).toBe(700);
});
