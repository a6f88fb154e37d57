import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { type ChunkDecoder, type ChunkDecoderOptions, createChunkDecoder } from "../src/chunk-decoder.ts";
import { encodeChunk } from "../src/encode-chunk.ts";
import { anyChunk } from "./chunk-arbitraries.ts";
import { cost, costOfWhole } from "./cost.ts";
import { anyCut, byteByByte, bytesOf } from "./pieces.ts";
import { pull, pullChunks } from "./pull.ts";
import { transcripts } from "./transcripts.ts";

/** Everything that a caller can observe of a stream that arrives in these pieces. */
function read(pieces: Uint8Array[], options?: ChunkDecoderOptions) {
  const unknown: unknown[] = [];
  const decoder = createChunkDecoder({ onUnknownChunk: (chunk) => unknown.push(chunk), ...options });
  const decoded: unknown[] = [];
  let error: { name: string; code: string; message: string } | undefined;
  try {
    for (const one of pullChunks(decoder, pieces)) decoded.push(one);
    decoder.end();
  } catch (thrown) {
    const { name, code, message } = thrown as { name: string; code: string; message: string };
    error = { name, code, message };
  }
  const { complete, done, lastEventId } = decoder;
  return { decoded, unknown, error, complete, done, lastEventId };
}

/** The chunks of a text that arrives in one piece. */
const chunksOf = (decoder: ChunkDecoder, text: string) => [...pull(decoder, [bytesOf(text)])];

const delta = (text: string) => ({ type: "text-delta", delta: text });
const frame = (chunk: unknown) => `data: ${JSON.stringify(chunk)}\n\n`;

/** A transcript that may be broken: frames in any order, some of them invalid or cut off. */
const anyTranscript = fc
  .array(
    fc.oneof(
      { weight: 5, arbitrary: anyChunk.map((chunk) => encodeChunk(chunk)) },
      {
        weight: 2,
        arbitrary: fc
          .tuple(anyChunk, fc.nat(99))
          .map(([chunk, seq]) => encodeChunk(chunk, { id: `run.${seq}` })),
      },
      fc.constantFrom(
        "data: [DONE]\n\n",
        "data: {\n\n",
        "data: null\n\n",
        'data: {"type":"text-delta"}\n\n',
        'data: {"type":"x-new","語":1}\n\n',
        'event: ping\ndata: {"broken\n\n',
        ":hb=8000\n\n",
        "retry: 5\n\n",
        "id: run.100\n\n",
        'data: {"type":\r\ndata: "done"}\r\n\r\n',
        'data: {"type":"text-delta","delta":"a","x":[{}\n\n',
        "data: {}]}\n\n",
        'data: {"type":"done"},{"type":"done"}\n\n',
        'data: {"type":"text-delta","delta":"\n\n',
        'data: "}\n\n',
        'data: {"type":"text-delta","delta":"\\u00e9","n":1}\n\n',
        'data: {"type":"te',
        "\r",
        "\n",
      ),
    ),
    { maxLength: 8 },
  )
  .map((frames) => frames.join(""));

describe("chunks of one piece", () => {
  const counted = (n: number) => ({ type: "text-delta", delta: "word", n });
  const framesOf = (count: number) => Array.from({ length: count }, (_, n) => frame(counted(n))).join("");
  /** The lengths of the texts that `run` passes to JSON.parse. */
  const parsedLengths = (run: () => void): number[] => {
    const parse = vi.spyOn(JSON, "parse");
    run();
    const lengths = parse.mock.calls.map(([text]) => text.length);
    parse.mockRestore();
    return lengths;
  };

  test("are parsed together", () => {
    const decoder = createChunkDecoder();
    const lengths = parsedLengths(() => {
      expect(chunksOf(decoder, framesOf(100))).toEqual(Array.from({ length: 100 }, (_, n) => counted(n)));
    });
    expect(lengths).toHaveLength(1);
  });

  test("cost a consumer that leaves early at most 16 Ki characters of JSON", () => {
    const decoder = createChunkDecoder();
    const lengths = parsedLengths(() => {
      decoder.push(bytesOf(framesOf(20_000)));
      expect(decoder.next()).toEqual(counted(0));
    });
    expect(lengths).toEqual([expect.closeTo(16 * 1024, -3)]);
  });

  test("come before the error of a wrong one, which names its place", () => {
    const decoder = createChunkDecoder();
    decoder.push(bytesOf(`${framesOf(3)}data: {"type":\n\n${framesOf(3)}`));
    expect([decoder.next(), decoder.next(), decoder.next()]).toEqual([counted(0), counted(1), counted(2)]);
    expect(() => decoder.next()).toThrow('Chunk 4 is not JSON: "{\\"type\\":".');
  });

  test("are parsed once more when one of them is wrong, not once for each", () => {
    const text = `${framesOf(300)}data: {"type":\n\n`;
    const lengths = parsedLengths(() => {
      expect(() => chunksOf(createChunkDecoder(), text)).toThrow("Chunk 301 is not JSON");
    });
    expect(lengths.reduce((sum, length) => sum + length, 0)).toBeLessThan(2.5 * text.length);
  });

  test("are parsed together again after one that is parsed alone", () => {
    const list = { type: "tool-call-ready", tool: "t", toolCallId: "1", input: [{}, {}] };
    const decoder = createChunkDecoder();
    const lengths = parsedLengths(() => {
      expect(chunksOf(decoder, framesOf(50) + frame(list) + framesOf(50))).toHaveLength(101);
    });
    expect(lengths).toHaveLength(3);
  });
});

describe("however the bytes are cut", () => {
  test("a random transcript, good or bad, gives the same chunks and the same outcome", () => {
    fc.assert(
      fc.property(
        anyTranscript.chain((text) => fc.tuple(fc.constant(bytesOf(text)), anyCut(bytesOf(text)))),
        ([bytes, pieces]) => {
          const whole = read([bytes]);
          expect(read(pieces)).toEqual(whole);
          expect(read(byteByByte(bytes))).toEqual(whole);
        },
      ),
      { numRuns: 600 },
    );
  });

  test("a golden transcript with one byte changed gives the same chunks and the same outcome", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...transcripts.map(({ bytes }) => bytes)).chain((bytes) =>
          fc.tuple(fc.nat(bytes.length - 1), fc.integer({ min: 0, max: 255 })).chain(([place, byte]) => {
            const changed = bytes.slice();
            changed[place] = byte;
            return fc.tuple(fc.constant(changed), anyCut(changed));
          }),
        ),
        ([bytes, pieces]) => {
          expect(read(pieces)).toEqual(read([bytes]));
        },
      ),
      { numRuns: 600 },
    );
  });

  test("a random transcript under a size limit gives the same chunks and the same outcome", () => {
    fc.assert(
      fc.property(
        anyTranscript.chain((text) =>
          fc.tuple(fc.constant(bytesOf(text)), anyCut(bytesOf(text)), fc.integer({ min: 20, max: 200 })),
        ),
        ([bytes, pieces, maxEventBytes]) => {
          expect(read(pieces, { maxEventBytes })).toEqual(read([bytes], { maxEventBytes }));
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe("a violation", () => {
  const violations = {
    "not JSON": ["data: {oops\n\n", "invalid-json", 'Chunk 3 is not JSON: "{oops".'],
    "empty data": ["data:\n\n", "invalid-json", 'Chunk 3 is not JSON: "".'],
    "JSON that is not a chunk": ["data: 7\n\n", "invalid-chunk", "Chunk 3 must be an object; got a number."],
    "a known type with a wrong field": [
      frame({ type: "abort" }),
      "invalid-chunk",
      'Chunk 3 ("abort"): reason must be a string; got undefined.',
    ],
    "an event that is too large": [
      `: ${"x".repeat(200)}\n\n`,
      "too-large",
      "An event is larger than maxEventBytes, 100 bytes.",
    ],
  } as const;
  for (const [name, [bad, code, message]] of Object.entries(violations)) {
    test(`${name}: delivers the earlier chunks of the same piece, then throws the error on every call`, () => {
      const decoder = createChunkDecoder({ maxEventBytes: 100 });
      decoder.push(bytesOf(frame(delta("a")) + frame(delta("b")) + bad + frame({ type: "done" })));
      expect([decoder.next(), decoder.next()]).toEqual([delta("a"), delta("b")]);
      const error = expect.objectContaining({ name: "StreamProtocolError", code, message });
      expect(() => decoder.next()).toThrow(error);
      decoder.push(bytesOf(frame(delta("c"))));
      expect(() => decoder.next()).toThrow(error);
      expect(() => decoder.end()).toThrow(error);
      expect(decoder.complete).toBe(false);
    });
  }

  test("after a terminal makes the stream incomplete", () => {
    const decoder = createChunkDecoder({ maxEventBytes: 100 });
    expect(chunksOf(decoder, frame({ type: "done" }))).toHaveLength(1);
    expect(decoder.complete).toBe(true);
    expect(() => chunksOf(decoder, "x".repeat(200))).toThrow();
    expect(decoder.complete).toBe(false);
    expect(() => decoder.end()).toThrow(expect.objectContaining({ code: "too-large" }));
    const other = createChunkDecoder();
    expect(() => chunksOf(other, `${frame({ type: "done" })}data: {oops\n\n`)).toThrow();
    expect(other.complete).toBe(false);
  });

  test("quotes only the start of a long event", () => {
    const { error } = read([bytesOf(`data: ${"x".repeat(5000)}\n\n`)]);
    expect(error?.message.length).toBeLessThan(160);
  });
});

describe("the end", () => {
  const truncated = { name: "StreamTruncatedError", code: "truncated" };
  const endings = {
    "[DONE]": [`${frame(delta("a"))}data: [DONE]\n\n`, undefined],
    "[DONE] and nothing else": ["data: [DONE]\n\n", undefined],
    "done without [DONE]": [frame({ type: "done" }), undefined],
    "abort without [DONE]": [frame({ type: "abort", reason: "stopped" }), undefined],
    "an error and [DONE]": [`${frame({ type: "error", message: "m" })}data: [DONE]\n\n`, undefined],
    "a terminal, then a heartbeat": [`${frame({ type: "done" })}:hb=1\n\n`, undefined],
    "an error without [DONE]": [frame({ type: "error", message: "m" }), truncated],
    "a delta": [frame(delta("a")), truncated],
    "a delta after the terminal": [frame({ type: "done" }) + frame(delta("a")), truncated],
    "an unknown chunk after the terminal": [frame({ type: "done" }) + frame({ type: "x" }), truncated],
    "half a frame": ['data: {"type":"done"}', truncated],
    "a frame without its blank line": ['data: {"type":"done"}\n', truncated],
    nothing: ["", truncated],
  } as const;
  for (const [name, [text, error]] of Object.entries(endings)) {
    test(`${name} is ${error === undefined ? "complete" : "truncated"}`, () => {
      const reading = read([bytesOf(text)]);
      expect(reading.complete).toBe(error === undefined);
      if (error === undefined) expect(reading.error).toBeUndefined();
      else expect(reading.error).toMatchObject(error);
    });
  }

  test("bytes after [DONE] are ignored, in the same piece and in later ones", () => {
    const decoder = createChunkDecoder({ maxEventBytes: 100 });
    expect(chunksOf(decoder, `data: [DONE]\n\n${frame(delta("late"))}data: {oops\n\n`)).toEqual([]);
    expect(decoder.done).toBe(true);
    expect(chunksOf(decoder, `${frame(delta("later"))}${"x".repeat(500)}`)).toEqual([]);
    decoder.end();
  });

  test("bytes after [DONE] are not kept in memory", () => {
    const decoder = createChunkDecoder();
    expect(chunksOf(decoder, "data: [DONE]\n\n")).toEqual([]);
    const piece = bytesOf(frame(delta("x".repeat(1_000_000))));
    const before = process.memoryUsage().heapUsed;
    for (let count = 0; count < 400; count++) decoder.push(piece);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(200_000_000);
    decoder.end();
  });
});

describe("the events of a run", () => {
  const event = (seq: number, chunk: unknown = delta(`${seq};`), runId = "run") =>
    `id: ${runId}.${seq}\n${frame(chunk)}`;
  const texts = (reading: ReturnType<typeof read>) =>
    reading.decoded.map((entry) => (entry as { chunk: { delta: string } }).chunk.delta).join("");

  test("are delivered once each, and a repeated one never moves lastEventId", () => {
    const reading = read([
      bytesOf(event(3) + event(4) + event(3) + event(4) + event(4) + event(5) + event(3)),
    ]);
    expect(texts(reading)).toBe("3;4;5;");
    expect(reading.lastEventId).toBe("run.5");
  });

  test("are dropped up to the resume point, even if they are invalid", () => {
    const text = `${event(0)}id: run.1\ndata: {\n\n${event(2, { type: "x-new" })}${event(3)}`;
    const reading = read([bytesOf(text)], { after: "run.2" });
    expect(texts(reading)).toBe("3;");
    expect(reading.unknown).toEqual([]);
  });

  test.each([
    ["one is missing", event(3) + event(5), {}, "3;", "Expected event run.4, got run.5"],
    ["one is missing right after the resume point", event(5), { after: "run.3" }, "", "Expected event run.4"],
    ["one belongs to another run", event(3) + event(4, undefined, "other"), {}, "3;", "got other.4"],
    ["their run is not the resumed one", event(4), { after: "r.3" }, "", "Expected event r.4"],
  ])("fail with sequence-gap when %s", (_, text, options, before, message) => {
    const reading = read([bytesOf(text)], options);
    expect(texts(reading)).toBe(before);
    expect(reading.error).toMatchObject({ code: "sequence-gap", message: expect.stringContaining(message) });
  });

  test("keep their place in the sequence even if their chunk type or event type is unknown", () => {
    const text = `${event(0)}${event(1, { type: "x-new" })}event: ping\n${event(2)}${event(3)}`;
    const reading = read([bytesOf(`${text}${event(4, { type: "done" })}`)]);
    expect(texts(reading)).toBe("0;3;");
    expect(reading.error).toBeUndefined();
  });

  test("may include chunks without an id, which do not move lastEventId", () => {
    const text = event(1) + frame(delta("x;")) + frame(delta("x;"));
    const reading = read([bytesOf(text)], { after: "run.2" });
    expect(texts(reading)).toBe("x;x;");
    expect(reading.lastEventId).toBe("run.2");
    expect(texts(read([bytesOf(event(1) + frame(delta("x;")) + frame(delta("x;")) + event(2))]))).toBe(
      "1;x;x;2;",
    );
  });

  test("continue their sequence after an id in another format", () => {
    const next = (id: string) => `id: ${id}\n${frame(delta(id))}`;
    const ids = (text: string) =>
      read([bytesOf(text)]).decoded.map((one) => (one as { eventId: string }).eventId);
    expect(ids(next("r.1") + next("foo") + next("r.1"))).toEqual(["r.1", "foo"]);
    expect(read([bytesOf(next("r.1") + next("foo") + next("r.3"))]).error?.code).toBe("sequence-gap");
    expect(createChunkDecoder({ after: "abc" }).lastEventId).toBe("abc");
  });

  test("end with [DONE], whatever its id", () => {
    const { done, error, lastEventId } = read([
      bytesOf(`id: r.1\n${frame({ type: "done" })}id: r.9\ndata: [DONE]\n\n`),
    ]);
    expect({ done, error, lastEventId }).toEqual({ done: true, error: undefined, lastEventId: "r.1" });
  });

  describe("followed by [DONE] are complete", () => {
    const done = { type: "done" };
    const failed = { type: "error", message: "m" };
    test.each([
      ["when the last one is done", event(0) + event(1, done), true],
      ["when the last one is abort", event(0) + event(1, { type: "abort", reason: "stopped" }), true],
      ["when the last one is an error with an id", event(0) + event(1, failed), true],
      ["when the last one is an error without an id", event(0) + frame(failed), true],
      [
        "when the last one is an error after another",
        event(0, { ...failed, message: "first" }) +
          event(1, failed) +
          event(2, { ...failed, message: "last" }),
        true,
      ],
      ["not when the last one is anything else", event(0), false],
      ["not when a known chunk follows the error", event(0, failed) + event(1), false],
      ["not when an unknown chunk follows the error", event(0, failed) + event(1, { type: "x" }), false],
      ["not when a chunk without an id follows the error", event(0, failed) + frame(delta("a")), false],
      ["not when there are none", "", false],
    ])("%s", (_, text, isComplete) => {
      for (const after of [undefined, "run.0"]) {
        // Without an id, the stream is not known to be a run.
        if (after === undefined && text === "") continue;
        const shifted = after ? text.replace(/run\.(\d)/g, (__, seq) => `run.${Number(seq) + 1}`) : text;
        const reading = read([bytesOf(`${shifted}data: [DONE]\n\n`)], { after });
        expect(reading.done).toBe(true);
        expect(reading.error?.code).toBe(isComplete ? undefined : "truncated");
      }
    });

    test("whatever they are, when their ids are missing or in another format", () => {
      for (const text of ["", frame(delta("a")), `id: 7\n${frame(delta("a"))}`]) {
        expect(read([bytesOf(`${text}data: [DONE]\n\n`)]).error).toBeUndefined();
      }
    });
  });

  test("are not checked for gaps when their ids are in another format", () => {
    const text = `id: b\n${frame(delta("1"))}id: a\n${frame(delta("2"))}id: a\n${frame(delta("3"))}`;
    expect(texts(read([bytesOf(text)], { after: "c" }))).toBe("123");
  });
});

describe("chunks requested one by one", () => {
  test("are parsed only when requested, while more pieces arrive", () => {
    const decoder = createChunkDecoder();
    decoder.push(bytesOf(`${frame(delta("a"))}data: {"type":`));
    decoder.push(bytesOf(`"text-delta","delta":"b"}\n`));
    expect(decoder.next()).toEqual(delta("a"));
    decoder.push(bytesOf(`\n${frame(delta("c"))}data: broken\n\n`));
    expect(decoder.next()).toEqual(delta("b"));
    expect(decoder.next()).toEqual(delta("c"));
    expect(decoder.complete).toBe(false);
    expect(() => decoder.next()).toThrow("is not JSON");
  });

  test("have their event id in lastEventId until the next one is returned", () => {
    const decoder = createChunkDecoder();
    decoder.push(bytesOf(`id: r.0\n${frame({ type: "text-start" })}id: r.1\n${frame({ type: "done" })}`));
    expect(decoder.lastEventId).toBe("");
    decoder.next();
    expect(decoder.lastEventId).toBe("r.0");
    decoder.next();
    expect(decoder.lastEventId).toBe("r.1");
    expect(decoder).toMatchObject({ complete: true, done: false });
  });

  test("keep their order among ids without data, which also set lastEventId", () => {
    const decoder = createChunkDecoder();
    decoder.push(bytesOf(`id: r.0\n${frame(delta("a"))}id: r.1\n\nid: r.2\n${frame(delta("b"))}id: r.3\n\n`));
    const ids = () => [decoder.next(), decoder.lastEventId];
    expect([ids(), ids(), ids()]).toEqual([
      [delta("a"), "r.0"],
      [delta("b"), "r.2"],
      [undefined, "r.3"],
    ]);
  });

  test("have the fields of a delta in the order sent, as from JSON.parse", () => {
    for (const chunk of [delta("a"), { ...delta("a"), segmentId: "s" }]) {
      expect(JSON.stringify(chunksOf(createChunkDecoder(), frame(chunk))[0])).toBe(JSON.stringify(chunk));
    }
  });
});

test("a terminal of strings that comes a second time completes the stream again", () => {
  const decoder = createChunkDecoder();
  for (const chunk of [{ type: "abort", reason: "a" }, delta("b"), { type: "abort", reason: "c" }]) {
    decoder.push(bytesOf(frame(chunk)));
    expect(decoder.next()).toEqual(chunk);
    expect(decoder.complete).toBe(chunk.type === "abort");
  }
});

describe("the rest of the stream", () => {
  test("a chunk of an unknown type goes to onUnknownChunk whole, and advances lastEventId", () => {
    const chunk = { type: "x-weather", degrees: 21, nested: { a: [1] } };
    const reading = read([bytesOf(`id: run.1\n${frame(delta("a"))}id: run.2\n${frame(chunk)}`)]);
    expect(reading.decoded).toEqual([{ chunk: delta("a"), eventId: "run.1" }]);
    expect(reading.unknown).toEqual([chunk]);
    expect(reading.lastEventId).toBe("run.2");
  });

  test("an invalid chunk does not advance lastEventId, nor do the chunks after it", () => {
    const text = `id: run.1\n${frame(delta("a"))}id: run.2\n${frame({ type: "abort" })}id: run.3\n${frame(delta("b"))}`;
    expect(read([bytesOf(text)]).lastEventId).toBe("run.1");
  });

  test("the error for broken JSON has the parser's error as its cause", () => {
    const decoder = createChunkDecoder();
    decoder.push(bytesOf("data: {oops\n\n"));
    expect(() => decoder.next()).toThrow(expect.objectContaining({ cause: expect.any(SyntaxError) }));
  });

  test("an event of another type is ignored, whatever its data", () => {
    expect(
      read([
        bytesOf(
          `event: ping\ndata: {oops\n\nevent: other\ndata: {oops\n\nevent: message\n${frame(delta("a"))}`,
        ),
      ]).decoded,
    ).toHaveLength(1);
  });

  test("an event of another type advances lastEventId", () => {
    expect(read([bytesOf("id: run.1\nevent: ping\ndata: x\n\n")]).lastEventId).toBe("run.1");
  });

  test("the heartbeat interval and the retry time are read from the stream", () => {
    const decoder = createChunkDecoder();
    expect(decoder.heartbeatMs).toBeUndefined();
    expect(decoder.retryMs).toBeUndefined();
    decoder.push(bytesOf(": hello\n\n:hb=8000\n\nretry: 3000\n\n:hb=soon\n\n:xhb=5\n\n:hb=99999999999\n\n"));
    expect(decoder.heartbeatMs).toBe(8000);
    expect(decoder.retryMs).toBe(3000);
  });

  test("a retry time takes effect as soon as its line is complete, even if the connection is then cut", () => {
    const decoder = createChunkDecoder();
    decoder.push(bytesOf("retry: 30"));
    expect(decoder.retryMs).toBeUndefined();
    decoder.push(bytesOf("00\n"));
    expect(decoder.retryMs).toBe(3000);
  });

  test("a server can ask its reader to keep the connection", () => {
    const decoder = createChunkDecoder();
    decoder.push(bytesOf(":stays\n\n:hb=8000\n\n: stay \n\n"));
    expect(decoder.mustStay).toBe(false);
    decoder.push(bytesOf(":stay\n\n"));
    expect(decoder.mustStay).toBe(true);
  });
});

describe("cost", () => {
  test("a 4 MiB event in 1 KiB pieces takes time linear in its size", () => {
    const mebibyte = 1024 * 1024;
    const ratio = costOfWhole(4 * mebibyte, (size) => {
      const bytes = bytesOf(frame(delta("x".repeat(size))));
      const pieces: Uint8Array[] = [];
      for (let at = 0; at < bytes.length; at += 1024) pieces.push(bytes.subarray(at, at + 1024));
      const decoder = createChunkDecoder();
      let chunks = 0;
      const took = cost(() => {
        for (const _ of pull(decoder, pieces)) chunks++;
      });
      expect(chunks).toBe(1);
      return took;
    });
    expect(ratio).toBeLessThan(3);
  });

  test("a chunk with 40,000 fields is a chunk like any other", () => {
    const fields = Object.fromEntries(Array.from({ length: 40_000 }, (_, index) => [`field${index}`, ""]));
    const chunk = { ...delta("a"), ...fields };
    const decoder = createChunkDecoder();
    expect(chunksOf(decoder, frame(chunk) + frame(delta("b")))).toEqual([chunk, delta("b")]);
  });

  test("a decoder does not hold on to the texts of its chunks", () => {
    setFlagsFromString("--expose-gc");
    const collectGarbage: () => void = runInNewContext("gc");
    const size = 4_000_000;
    const decoder = createChunkDecoder();
    const readLong = (field: string) => {
      decoder.push(bytesOf(frame({ ...delta("a"), [field]: "x".repeat(size) })));
      expect(decoder.next()).toBeDefined();
      decoder.push(bytesOf(frame(delta("a"))));
      expect(decoder.next()).toEqual(delta("a"));
    };
    readLong("first");
    collectGarbage();
    const before = process.memoryUsage().heapUsed;
    for (const field of ["second", "third", "kind", "node"]) readLong(field);
    collectGarbage();
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(size / 2);
  });
});
