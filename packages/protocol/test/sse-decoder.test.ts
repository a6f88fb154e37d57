import { createParser } from "eventsource-parser";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createSSEDecoder, type SSEDecoderOptions, type SSEEvent } from "../src/sse-decoder.ts";
import cases from "./conformance/sse-cases.json" with { type: "json" };
import { cost, costOfWhole } from "./cost.ts";
import { anyCut, byteByByte, bytesOf, cutAt } from "./pieces.ts";
import { pull } from "./pull.ts";

interface Reading {
  events: SSEEvent[];
  lastEventId: string;
  retry: number | null;
  error: string | null;
}

/** Everything that a caller can observe of a stream that arrives in these pieces. */
function read(pieces: Uint8Array[], options?: SSEDecoderOptions): Reading {
  const decoder = createSSEDecoder(options);
  const events: SSEEvent[] = [];
  let error: string | null = null;
  try {
    for (const event of pull(decoder, pieces)) events.push(event);
    decoder.end();
  } catch (thrown) {
    error = (thrown as { code: string }).code;
  }
  return { events, lastEventId: decoder.lastEventId, retry: decoder.retryMs ?? null, error };
}

describe("conformance cases", () => {
  test("number 66", () => expect(cases.length).toBe(66));

  for (const { id, title, hex, expect: expected } of cases) {
    const bytes = Uint8Array.from(Buffer.from(hex, "hex"));
    test(`${id} ${title}: whole, at every two-way split, and byte by byte`, () => {
      // The cases have the id in force at each event, but not the event's own id.
      const reading = { ...expected, error: null };
      const { events, ...rest } = read([bytes]);
      expect({ events: events.map(({ id: _, ...event }) => event), ...rest }).toEqual(reading);
      for (let place = 0; place <= bytes.length; place++) {
        expect(read(cutAt(bytes, [place])), `split at ${place}`).toEqual({ events, ...rest });
      }
      expect(read(byteByByte(bytes))).toEqual({ events, ...rest });
    });
  }
});

/** Reads the whole text with eventsource-parser alone, and keeps the last id as the standard requires. */
function readWithParser(text: string): Omit<Reading, "error"> & { comments: string[] } {
  const events: SSEEvent[] = [];
  const comments: string[] = [];
  let lastEventId = "";
  let retry: number | null = null;
  const parser = createParser({
    onId: (id) => {
      lastEventId = id;
    },
    onEvent: ({ event, data, id }) => events.push({ type: event ?? "message", data, lastEventId, id }),
    onRetry: (ms) => {
      retry = ms;
    },
    onComment: (comment) => comments.push(comment),
  });
  parser.feed(text);
  return { events, lastEventId, retry, comments };
}

/** Texts that cover the whole grammar of SSE. */
const grammar = fc
  .array(
    fc.oneof(
      {
        weight: 6,
        arbitrary: fc.constantFrom("data: ", "id: ", "data: a\n\n", "id: 1\ndata: b\n\n", "\n\n", "\n"),
      },
      fc.constantFrom(
        "data:",
        "data",
        "id:",
        "id",
        "d",
        "i",
        "da",
        "event: ",
        "event:x",
        "retry: 5",
        ": c",
        ":",
      ),
      fc.constantFrom("\r", "\r\n", "\r\r", "\0", " ", "é", "語", "\u{1f600}", "\u2028", "x", "[DONE]", "{}"),
      fc.constantFrom("id: \0\ndata: z\n\n", "data: a\ndata: b\n\n", "retry: 7\n", "data: a\n:hb=9\n\n"),
    ),
    { maxLength: 24 },
  )
  .map((tokens) => tokens.join(""));

describe("event by event", () => {
  test("reads what eventsource-parser reads, over the whole grammar and however the bytes are cut", () => {
    fc.assert(
      fc.property(
        grammar.chain((text) => fc.tuple(fc.constant(text), anyCut(bytesOf(text)))),
        ([text, pieces]) => {
          const comments: string[] = [];
          const { error, ...reading } = read(pieces, { onComment: (comment) => comments.push(comment) });
          expect(error).toBeNull();
          expect({ ...reading, comments }).toEqual(readWithParser(text));
        },
      ),
      { numRuns: 5000 },
    );
  });

  test("a byte order mark is stripped once, at the start only, however it is cut", () => {
    const bytes = bytesOf("\ufeff\ufeffdata: 1\n\n\ufeffdata: 2\n\ndata: 3\n\n");
    for (const pieces of [[bytes], byteByByte(bytes)]) {
      expect(read(pieces).events.map((event) => event.data)).toEqual(["3"]);
    }
  });
});

describe("maxEventBytes", () => {
  const kilobyte = "x".repeat(1000);
  const shapes = {
    "an unterminated line": `data: ${kilobyte}`,
    "many data lines": "data: 12345\n".repeat(100),
    "one complete line": `data: ${kilobyte}\n\n`,
    "an unknown field": `${kilobyte}: 1\n\n`,
    "many comment lines": ": 12345\r\n".repeat(100),
  };
  for (const [shape, text] of Object.entries(shapes)) {
    test(`limits ${shape}, after the events before it are delivered`, () => {
      const bytes = bytesOf(`data: before\n\n${text}data: after\n\n`);
      for (const pieces of [[bytes], byteByByte(bytes), cutAt(bytes, [14, 500])]) {
        expect(read(pieces, { maxEventBytes: 500 })).toEqual({
          events: [{ type: "message", data: "before", lastEventId: "" }],
          lastEventId: "",
          retry: null,
          error: "too-large",
        });
      }
    });
  }

  test("counts bytes, not characters: a 3-byte character counts three times", () => {
    // "data: " + 3 characters of 3 bytes + LF = 16 bytes
    const bytes = bytesOf("data: 語語語\n\n");
    expect(read([bytes], { maxEventBytes: 16 }).error).toBeNull();
    expect(read([bytes], { maxEventBytes: 15 }).error).toBe("too-large");
  });

  test("accepts an event of exactly the limit and refuses one byte more, at every split and with every line ending", () => {
    for (const end of ["\n", "\r", "\r\n"]) {
      const bytes = bytesOf(`data: 1${end}${end}data: 1234${end}${end}data: 2${end}${end}`);
      const limit = 11;
      for (let place = 0; place <= bytes.length; place++) {
        const pieces = cutAt(bytes, [place]);
        expect(read(pieces, { maxEventBytes: limit }).events).toHaveLength(3);
        expect(read(pieces, { maxEventBytes: limit - 1 })).toMatchObject({
          events: [{ data: "1" }],
          error: "too-large",
        });
      }
    }
  });

  test("gives the same events and the same outcome however the bytes are cut", () => {
    fc.assert(
      fc.property(
        grammar.chain((text) =>
          fc.tuple(fc.constant(text), anyCut(bytesOf(text)), fc.integer({ min: 1, max: 40 })),
        ),
        ([text, pieces, maxEventBytes]) => {
          const { events, error } = read(pieces, { maxEventBytes });
          const whole = read([bytesOf(text)], { maxEventBytes });
          expect({ events, error }).toEqual({ events: whole.events, error: whole.error });
          const bytewise = read(byteByByte(bytesOf(text)), { maxEventBytes });
          expect({ events, error }).toEqual({ events: bytewise.events, error: bytewise.error });
        },
      ),
      { numRuns: 3000 },
    );
  });

  test("does not overestimate the size of an event with mixed line endings in awkward pieces", () => {
    const cases: [pieces: string[], limit: number][] = [
      [["data: 1\r", "data: 2", "\n", "\n", "data: 34\n\n"], 20],
      [["data: 1\n\ndata: 2\r\r", "data: 3456789\n\n"], 20],
      [["x\r", "y\n\ndata: 1", "\n", "\n", "data: 2345\n\n"], 16],
    ];
    for (const [pieces, maxEventBytes] of cases) {
      expect(read(pieces.map(bytesOf), { maxEventBytes }).error, JSON.stringify(pieces)).toBeNull();
    }
  });

  test("still delivers the events before an oversized one when a piece ends in the middle of a character", () => {
    const bytes = bytesOf(`data: 語\n\ndata: ${"語".repeat(40)}\n\n`);
    expect(read(cutAt(bytes, [7, 30]), { maxEventBytes: 50 })).toMatchObject({
      events: [{ data: "語" }],
      error: "too-large",
    });
  });

  test("counts the bytes of a character that is cut right after a blank line", () => {
    const bytes = bytesOf("\n\n語");
    expect(read(cutAt(bytes, [4]), { maxEventBytes: 2 }).error).toBe("too-large");
    expect(read(cutAt(bytes, [4]), { maxEventBytes: 3 }).error).toBeNull();
  });

  test("counts a byte that is not UTF-8 once, however the bytes are cut", () => {
    const bytes = Uint8Array.from([...bytesOf("data: a\n\ndata: "), ...Array(20).fill(0xff), 10, 10]);
    for (let place = 0; place <= bytes.length; place++) {
      expect(read(cutAt(bytes, [place]), { maxEventBytes: 27 }).events, `${place}`).toHaveLength(2);
      expect(read(cutAt(bytes, [place]), { maxEventBytes: 26 }).error, `${place}`).toBe("too-large");
    }
  });

  test("counts a multi-byte character in full after an event that was read", () => {
    const bytes = bytesOf(`data: a\n\ndata: ${"€".repeat(16)}\n\n`);
    for (let place = 0; place <= bytes.length; place++) {
      expect(read(cutAt(bytes, [place]), { maxEventBytes: 50 }).error, `${place}`).toBe("too-large");
    }
  });

  test("throws on every call, after delivering the events before the oversized one", () => {
    const decoder = createSSEDecoder({ maxEventBytes: 10 });
    decoder.push(bytesOf("data: 1\n\ndata: 12345\n\n"));
    expect(decoder.next()?.data).toBe("1");
    const message = "An event is larger than maxEventBytes, 10 bytes.";
    expect(() => decoder.next()).toThrow(message);
    decoder.push(bytesOf("data: 1\n\n"));
    expect(() => decoder.next()).toThrow(message);
    expect(() => decoder.end()).toThrow(message);
  });

  test("is 8 MiB by default", () => {
    const line = (bytes: number) => bytesOf(`data: ${"x".repeat(bytes - 7)}\n\n`);
    expect(read([line(8 * 1024 * 1024)]).error).toBeNull();
    expect(read([line(8 * 1024 * 1024 + 1)]).error).toBe("too-large");
  });
});

test("an event of many lines, one line a piece, takes time linear in their number", () => {
  const piece = bytesOf("data: x\n");
  const ratio = costOfWhole(16_000, (lines) => {
    const decoder = createSSEDecoder();
    return cost(() => {
      for (let line = 0; line < lines; line++) {
        decoder.push(piece);
        decoder.next();
      }
    });
  });
  expect(ratio).toBeLessThan(3);
});

test("a retry time that is too large is ignored", () => {
  expect(read([bytesOf(`retry: 5\n\nretry: ${"9".repeat(400)}\n\n`)]).retry).toBe(5);
});

test("a comment and a retry time count once their line is complete, an id and an event only after a blank line", () => {
  const comments: string[] = [];
  const decoder = createSSEDecoder({ onComment: (text) => comments.push(text) });
  decoder.push(bytesOf("id: 1\ndata: a\n\n:c\nretry: 5\nid: 3\ndata: c\n"));
  expect([decoder.next()?.data, decoder.next()]).toEqual(["a", undefined]);
  decoder.end();
  expect({ comments, id: decoder.lastEventId, retryMs: decoder.retryMs }).toEqual({
    comments: ["c"],
    id: "1",
    retryMs: 5,
  });
});

describe("events requested one by one", () => {
  test("wait while pieces arrive, and lastEventId is the id of the last one returned", () => {
    const decoder = createSSEDecoder();
    decoder.push(bytesOf("id: 1\ndata: a\n\nid: 2\n\ndata: b\n"));
    expect(decoder.lastEventId).toBe("");
    decoder.push(bytesOf("\nid: 3\n\n"));
    expect([decoder.next(), decoder.lastEventId]).toEqual([
      { type: "message", data: "a", lastEventId: "1", id: "1" },
      "1",
    ]);
    expect([decoder.next(), decoder.lastEventId]).toEqual([
      { type: "message", data: "b", lastEventId: "2" },
      "2",
    ]);
    expect([decoder.next(), decoder.lastEventId]).toEqual([undefined, "3"]);
  });

  test("reach a slow consumer completely and in order", () => {
    const decoder = createSSEDecoder();
    const got: (string | undefined)[] = [];
    for (let event = 0; event < 20; event += 2) {
      decoder.push(bytesOf(`data: ${event}\n\ndata: ${event + 1}\n\n`));
      got.push(decoder.next()?.data);
    }
    while (got.length < 21) got.push(decoder.next()?.data);
    expect(got).toEqual([...Array.from({ length: 20 }, (_, event) => `${event}`), undefined]);
  });

  test("take time linear in their number when the consumer lags by one event", () => {
    const piece = bytesOf(`data: ${"x".repeat(500)}\n\n`);
    const ratio = costOfWhole(8_000, (count) => {
      const decoder = createSSEDecoder();
      decoder.push(piece);
      return cost(() => {
        for (let event = 0; event < count; event++) {
          decoder.push(piece);
          decoder.next();
        }
      });
    });
    expect(ratio).toBeLessThan(3);
  });

  test("take time linear in their number when they arrive in one piece", () => {
    const ratio = costOfWhole(16_000, (count) => {
      const bytes = bytesOf("data: x\n\n".repeat(count));
      return cost(() => {
        for (const _ of pull(createSSEDecoder(), [bytes]));
      });
    });
    expect(ratio).toBeLessThan(3);
  });
});
