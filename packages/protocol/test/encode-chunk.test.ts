import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createChunkDecoder } from "../src/chunk-decoder.ts";
import type { StreamChunk } from "../src/chunks.ts";
import {
  appendToPiece,
  DONE_FRAME,
  encodeChunk,
  encodeChunkJson,
  encodeComment,
  encodeRetry,
  endPiece,
  stringifyChunk,
} from "../src/encode-chunk.ts";
import { createSSEDecoder } from "../src/sse-decoder.ts";
import { anyChunk, anyText, chunkOf, variants } from "./chunk-arbitraries.ts";
import { anyCut, bytesOf } from "./pieces.ts";
import { pull, pullChunks } from "./pull.ts";

/** The characters that end a line for Python's `str.splitlines()`. */
const pythonLineBreaks = [..."\n\r\v\f\x1c\x1d\x1e\u0085\u2028\u2029"];
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above.
const splitLinesAsPython = (text: string) => text.split(/\r\n|[\n\r\v\f\x1c-\x1e\u0085\u2028\u2029]/);

const eventsOf = (text: string) => [...pull(createSSEDecoder(), [bytesOf(text)])];

describe("encodeChunk", () => {
  test("prints one data line and a blank line", () => {
    expect(encodeChunk({ type: "text-delta", delta: "Hi\n" })).toBe(
      'data: {"type":"text-delta","delta":"Hi\\n"}\n\n',
    );
  });

  test("prints the id line first", () => {
    expect(encodeChunk({ type: "done" }, { id: "run.7" })).toBe('id: run.7\ndata: {"type":"done"}\n\n');
  });

  const end = { type: "done" } as const;
  for (const variant of variants) {
    test(`prints ${Object.values(variant.literals).join("/")} so that it decodes to the same chunk, however the bytes are cut`, () => {
      fc.assert(
        fc.property(
          chunkOf(variant).chain((chunk) =>
            fc.tuple(
              fc.constant(chunk),
              anyCut(
                bytesOf(encodeChunk(chunk, { id: "run.1" }) + encodeChunk(end, { id: "run.2" }) + DONE_FRAME),
                3,
              ),
            ),
          ),
          ([chunk, pieces]) => {
            const decoder = createChunkDecoder();
            const decoded = [...pullChunks(decoder, pieces)];
            decoder.end();
            expect(decoded).toEqual([
              { chunk, eventId: "run.1" },
              { chunk: end, eventId: "run.2" },
            ]);
          },
        ),
      );
    });
  }

  test("leaves out undefined properties, as JSON does", () => {
    expect(encodeChunk({ type: "done", data: undefined })).toBe('data: {"type":"done"}\n\n');
  });

  const cycle: Record<string, unknown> = { type: "done" };
  cycle.data = cycle;
  const unserializable = {
    undefined: [undefined, "expected an object, got undefined"],
    "a function": [() => {}, "expected an object, got function"],
    "a symbol": [Symbol("s"), "expected an object, got symbol"],
    "a BigInt inside": [{ type: "done", data: 1n }, "BigInt"],
    "an object whose toJSON() returns nothing": [
      { type: "done", toJSON() {} },
      "its toJSON() returned nothing",
    ],
    "a cycle": [cycle, "circular"],
  } as const;
  for (const [name, [value, words]] of Object.entries(unserializable)) {
    test(`throws for ${name} and prints nothing`, () => {
      expect(() => encodeChunk(value as never)).toThrow(
        expect.objectContaining({
          name: "StreamProtocolError",
          code: "unserializable-chunk",
          message: expect.stringContaining(words),
        }),
      );
    });
  }

  test("keeps what JSON.stringify threw as the cause, and its text in the message", () => {
    const cause = new Error("too secret to print");
    for (const [thrown, words] of [
      [cause, "too secret to print"],
      ["a text", "a text"],
    ] as const) {
      const toJSON = () => {
        throw thrown;
      };
      expect(() => encodeChunk({ type: "done", toJSON })).toThrow(
        expect.objectContaining({ message: `The chunk cannot be written as JSON: ${words}`, cause: thrown }),
      );
    }
  });

  test("prints one event for any field value, whatever line breaks it contains", () => {
    fc.assert(
      fc.property(anyChunk, (chunk) => {
        expect(eventsOf(encodeChunk(chunk))).toHaveLength(1);
      }),
    );
  });

  test("prints one line even for a reader that splits lines as Python does, and JSON restores the text", () => {
    const text = pythonLineBreaks.join("x");
    for (const chunk of [
      { type: "text-delta", delta: text },
      { type: "text-delta", delta: "é\u0085" },
      { type: "text-delta", delta: "a", segmentId: text },
      { type: "tool-call-result", tool: "t", toolCallId: "c", content: { [text]: [text, "語\u2028"] } },
      { type: "error", message: text },
      { type: `x-${text}`, at: text },
    ] as const) {
      const [line = "", ...rest] = splitLinesAsPython(encodeChunk(chunk as StreamChunk));
      expect(rest).toEqual(["", ""]);
      expect(JSON.parse(line.slice("data: ".length))).toEqual(chunk);
    }
    expect(encodeChunk({ type: "text-delta", delta: "\u0085\u2028\u2029" })).toBe(
      'data: {"type":"text-delta","delta":"\\u0085\\u2028\\u2029"}\n\n',
    );
  });

  test("throws for an id that is empty, longer than 128 bytes, or not visible ASCII", () => {
    for (const id of ["a\rb", "a\nb", "a\r\nb", "a\0b", "a b", "a\x7f", "é", "", "x".repeat(129)]) {
      expect(() => encodeChunk({ type: "done" }, { id })).toThrow(
        expect.objectContaining({ name: "StreamProtocolError", code: "invalid-frame" }),
      );
    }
    expect(() => encodeChunk({ type: "done" }, { id: "a b" })).toThrow(
      'Event id "a b": expected 1 to 128 visible ASCII characters.',
    );
    expect(encodeChunk({ type: "done" }, { id: "~".repeat(128) })).toContain(`id: ${"~".repeat(128)}\n`);
  });

  test("prints one event for any id or throws a typed error, and never prints two events", () => {
    fc.assert(
      fc.property(anyText, (id) => {
        let frame: string;
        try {
          frame = encodeChunk({ type: "done" }, { id });
        } catch (error) {
          expect(error).toMatchObject({ name: "StreamProtocolError", code: "invalid-frame" });
          return;
        }
        expect(eventsOf(frame)).toEqual([{ type: "message", data: '{"type":"done"}', lastEventId: id, id }]);
      }),
    );
  });
});

describe("stringifyChunk", () => {
  test("prints known and unknown types as JSON with three line breaks escaped, ready for a frame", () => {
    fc.assert(
      fc.property(fc.oneof(anyChunk, fc.constant({ type: "x-new", at: "\u2028" })), (chunk) => {
        const expected = JSON.stringify(chunk)
          .replaceAll("\u0085", "\\u0085")
          .replaceAll("\u2028", "\\u2028")
          .replaceAll("\u2029", "\\u2029");
        expect(stringifyChunk(chunk)).toBe(expected);
        expect(encodeChunkJson(stringifyChunk(chunk))).toBe(encodeChunk(chunk));
      }),
    );
  });

  test.each([
    [{ type: "text-delta", delta: 1 }, "invalid-chunk", /delta must be a string; got a number/],
    [undefined, "invalid-chunk", /got undefined/],
    [{ type: "tool-call-ready", tool: "t", toolCallId: "c", input: 1n }, "unserializable-chunk", /BigInt/],
  ])("refuses %o", (value, code, message) => {
    expect(() => stringifyChunk(value)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    );
  });
});

describe("appendToPiece", () => {
  test.each([0, 1, 2, 3])("a piece of %i chunks is the same text as their frames", (count) => {
    const texts = Array.from({ length: count }, (_, index) =>
      stringifyChunk({ type: "status", message: `${index}` }),
    );
    const frames = texts.map((text) => encodeChunkJson(text)).join("");
    expect(endPiece(texts.reduce(appendToPiece, ""))).toBe(frames);
  });
});

describe("encodeComment", () => {
  test("prints a comment and a blank line", () => {
    expect(encodeComment("hb=8000")).toBe(":hb=8000\n\n");
  });

  test("never lets a text open a field or end the comment early", () => {
    expect(encodeComment("a\rdata: 1\n\ndata: 2\r\n\r\nid: 3")).toBe(
      ":a\n:data: 1\n:\n:data: 2\n:\n:id: 3\n\n",
    );
    fc.assert(
      fc.property(fc.array(anyText), (texts) => {
        const frame = encodeComment(texts.join("data: x"));
        expect(eventsOf(`${frame}data: after\n\n`)).toEqual([
          { type: "message", data: "after", lastEventId: "" },
        ]);
      }),
    );
  });
});

describe("encodeComment, read by a loop that splits lines as Python does", () => {
  test.each(pythonLineBreaks)("never lets a text open a field (%j)", (lineBreak) => {
    const comment = encodeComment(`a${lineBreak}data: 1${lineBreak}${lineBreak}id: 2`);
    for (const line of splitLinesAsPython(comment)) expect(line).toMatch(/^(:|$)/);
    expect(comment).toBe(":a\n:data: 1\n:\n:id: 2\n\n");
  });
});

describe("encodeRetry", () => {
  test("prints whole milliseconds", () => {
    expect(encodeRetry(0)).toBe("retry: 0\n\n");
    expect(encodeRetry(3000)).toBe("retry: 3000\n\n");
  });

  test("throws for anything but a whole number >= 0", () => {
    for (const ms of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
      expect(() => encodeRetry(ms)).toThrow(
        expect.objectContaining({ name: "StreamProtocolError", code: "invalid-frame" }),
      );
    }
  });
});

test("the error for an invalid retry time names the value", () => {
  expect(() => encodeRetry(-1)).toThrow("Retry time -1: expected a whole number of milliseconds >= 0.");
});

test("the frame that ends a stream is [DONE]", () => expect(DONE_FRAME).toBe("data: [DONE]\n\n"));
