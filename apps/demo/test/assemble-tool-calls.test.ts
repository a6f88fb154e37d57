import type { StreamChunk } from "@kortyx/server";
import { expect, test } from "vitest";
import { createToolCallAssembler } from "../src/assemble-tool-calls.ts";
import type { ToolCallPiece } from "../src/completion-piece.ts";

function assemble(...pieces: Partial<ToolCallPiece>[]) {
  const assembler = createToolCallAssembler();
  const chunks: StreamChunk[] = pieces.flatMap((piece) => assembler.apply({ inputText: "", ...piece }));
  const calls = assembler.calls.map(({ id, tool, inputText }) => ({ id, tool, inputText }));
  return { chunks, calls, ids: assembler.calls.map(({ toolCallId }) => toolCallId) };
}

test("a call begins with its name, and its input follows in pieces", () => {
  const { chunks, calls, ids } = assemble(
    { index: 0, id: "a", tool: "search" },
    { index: 0, inputText: "{" },
    { index: 0, inputText: "}" },
  );
  const [toolCallId] = ids;
  expect(chunks).toEqual([
    { type: "tool-call-start", tool: "search", toolCallId },
    { type: "tool-call-delta", toolCallId, delta: "{" },
    { type: "tool-call-delta", toolCallId, delta: "}" },
  ]);
  expect(calls).toEqual([{ id: "a", tool: "search", inputText: "{}" }]);
});

test("input that comes before the name is kept until then", () => {
  const { chunks, ids } = assemble(
    { index: 0, inputText: "{" },
    { index: 0, tool: "search", inputText: "}" },
  );
  expect(chunks).toEqual([
    { type: "tool-call-start", tool: "search", toolCallId: ids[0] },
    { type: "tool-call-delta", toolCallId: ids[0], delta: "{}" },
  ]);
});

test("a name or an id that is repeated changes nothing", () => {
  const piece = { index: 0, id: "a", tool: "search" };
  expect(assemble({ ...piece, inputText: "{" }, { ...piece, inputText: "}" }).calls).toEqual([
    { id: "a", tool: "search", inputText: "{}" },
  ]);
});

test("pieces of several calls are told apart by their index", () => {
  const { calls } = assemble(
    { index: 1, id: "b", tool: "search" },
    { index: 0, id: "a", tool: "search" },
    { index: 1, inputText: "1" },
    { index: 0, inputText: "0" },
  );
  expect(calls).toEqual([
    { id: "b", tool: "search", inputText: "1" },
    { id: "a", tool: "search", inputText: "0" },
  ]);
});

test.each([[0], [undefined]])("calls that all have the index %j are told apart by their ids", (index) => {
  const { calls, ids } = assemble(
    { index, id: "a", tool: "search", inputText: "0" },
    { index, id: "b", tool: "search", inputText: "1" },
    { index, inputText: "2" },
  );
  expect(calls).toEqual([
    { id: "a", tool: "search", inputText: "0" },
    { id: "b", tool: "search", inputText: "12" },
  ]);
  expect(ids[0]).not.toBe(ids[1]);
});

test("a call without a name is none", () => {
  expect(assemble({ index: 0, id: "a", inputText: "{}" })).toEqual({ chunks: [], calls: [], ids: [] });
});
