import { describe, expect, test } from "vitest";
import { joinTextParts } from "../src/assistant-message.ts";
import type { StreamChunk } from "../src/chunks.ts";
import { reduceMessage } from "../src/fold-message.ts";

const said = (delta: string, segmentId?: string): StreamChunk => ({ type: "text-delta", delta, segmentId });
const whole = (content: string): StreamChunk => ({ type: "message", content });
const call: StreamChunk = { type: "tool-call-start", tool: "t", toolCallId: "1", input: {} };
const result: StreamChunk = { type: "tool-call-result", tool: "t", toolCallId: "1", content: 1 };
const file: StreamChunk = { type: "file", mediaType: "image/png", url: "/a.png" };
const object: StreamChunk = { type: "structured-data", streamId: "o", dataType: "d", kind: "final", data: 1 };
const source: StreamChunk = { type: "source", id: "s" };
const thought: StreamChunk = { type: "reasoning-delta", delta: "hm" };

const copied = (...chunks: StreamChunk[]): string => joinTextParts(reduceMessage(chunks).parts);

describe("the text of an answer", () => {
  test("is its texts in their order, with a blank line between them", () => {
    expect(copied(said("Let me "), said("look."), call, result, said("It is "), said("42."))).toBe(
      "Let me look.\n\nIt is 42.",
    );
    expect(copied(said("A"), thought, said("B"))).toBe("A\n\nB");
    expect(copied(said("A1", "a"), said("B1", "b"), said("A2", "a"))).toBe("A1A2\n\nB1");
    expect(copied(whole("A"), whole("B"))).toBe("A\n\nB");
    expect(copied(thought, call)).toBe("");
  });

  test("holds no blank line where only files and objects have split a text, sources aside", () => {
    expect(copied(said("half a "), object, said("sentence"))).toBe("half a sentence");
    expect(copied(said("A"), file, source, said("B"), object, file, said("C"))).toBe("ABC");
    expect(copied(said("A"), source, said("B"))).toBe("AB");
  });

  test("holds one where something else did, or the text had ended", () => {
    expect(copied(said("A"), file, call, said("B"))).toBe("A\n\nB");
    expect(copied(said("A"), file, thought, said("B"))).toBe("A\n\nB");
    expect(copied(said("A"), thought, file, said("B"))).toBe("A\n\nB");
    expect(copied(said("A"), { type: "text-end" }, file, said("B"))).toBe("A\n\nB");
    expect(copied(said("A"), file, { type: "text-end" }, said("B"))).toBe("A\n\nB");
    expect(copied(said("A"), file, { type: "text-start" }, said("B"))).toBe("A\n\nB");
    expect(copied(said("A"), { type: "text-end" }, { type: "text-start" }, file, said("B"))).toBe("A\n\nB");
    expect(copied(whole("A"), file, whole("B"))).toBe("A\n\nB");
    expect(copied(said("A", "a"), file, said("B", "b"))).toBe("A\n\nB");
    expect(copied(said("A"), file, said("B", "b"), said("C"))).toBe("A\n\nB\n\nC");
  });

  test("passes over texts without a word", () => {
    expect(copied({ type: "text-start" }, call, said("A"))).toBe("A");
    const text = { type: "text", key: "", text: "A", state: "done" } as const;
    expect(joinTextParts([text, { ...text, text: "", state: "streaming" }])).toBe("A");
    expect(joinTextParts([{ ...text, text: null as never }, text])).toBe("A");
  });
});
