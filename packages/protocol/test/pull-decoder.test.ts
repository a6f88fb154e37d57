import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkChunk } from "../src/check-chunk.ts";
import { encodeChunk } from "../src/encode-chunk.ts";
import { createPullDecoder } from "../src/pull-decoder.ts";
import { createSSEDecoder } from "../src/sse-decoder.ts";
import { anyChunk, anyEscapedText } from "./chunk-arbitraries.ts";
import { anyCut, bytesOf } from "./pieces.ts";

const delta = (text: string) => ({ type: "text-delta", delta: text });
const frame = (chunk: unknown) => `data: ${JSON.stringify(chunk)}\n\n`;

interface Reading {
  chunks: unknown[];
  unknown: unknown[];
  failed: boolean;
  retryMs: number | undefined;
  heartbeatMs: number | undefined;
  mustStay: boolean | undefined;
}

function pull(pieces: Uint8Array[]): Reading {
  const unknown: unknown[] = [];
  const decoder = createPullDecoder({ onUnknownChunk: (chunk) => unknown.push(chunk) });
  const chunks: unknown[] = [];
  let failed = false;
  try {
    for (const piece of pieces) {
      decoder.push(piece);
      for (let chunk = decoder.next(); chunk !== undefined; chunk = decoder.next()) chunks.push(chunk);
    }
  } catch {
    failed = true;
  }
  const { retryMs, heartbeatMs, mustStay } = decoder;
  return { chunks, unknown, failed, retryMs, heartbeatMs, mustStay };
}

/** The same by way of the parser of record, `JSON.parse` and the strict checker. */
function readTheLongWay(text: string): Reading {
  const reading: Reading = {
    chunks: [],
    unknown: [],
    failed: false,
    retryMs: undefined,
    heartbeatMs: undefined,
    mustStay: undefined,
  };
  const decoder = createSSEDecoder({
    onComment: (comment) => {
      const announced = /^hb=(\d{1,9})$/.exec(comment);
      if (announced !== null) reading.heartbeatMs = Number(announced[1]);
      if (comment === "stay") reading.mustStay = true;
    },
  });
  // Byte by byte, so that nothing is read behind the end.
  for (const byte of bytesOf(text)) {
    for (const { type, data } of decoder.decode(Uint8Array.of(byte))) {
      if (type !== "message") continue;
      if (data === "[DONE]") return { ...reading, retryMs: decoder.retryMs };
      try {
        const chunk = JSON.parse(data);
        const problem = checkChunk(chunk);
        if (problem?.code === "invalid-chunk") throw problem;
        reading[problem === undefined ? "chunks" : "unknown"].push(chunk);
      } catch {
        return { ...reading, failed: true, retryMs: decoder.retryMs };
      }
    }
  }
  return { ...reading, retryMs: decoder.retryMs };
}

/** The JSON of a delta, or nearly: texts raw as well as quoted, with a character too many somewhere. */
const nearlyDelta = fc
  .tuple(
    fc.constantFrom("text", "reasoning", "text-delta", "x"),
    fc.tuple(anyEscapedText, fc.boolean()),
    fc.option(fc.tuple(anyEscapedText, fc.boolean())),
    fc.option(fc.tuple(fc.nat(60), fc.constantFrom("", " ", '"', "\\", "}", ",", "\u0001"))),
  )
  .map(([type, text, segment, change]) => {
    const quote = ([content, isRaw]: [string, boolean]) =>
      isRaw ? `"${content.replace(/[\r\n]/g, "")}"` : JSON.stringify(content);
    const json = `{"type":"${type}-delta","delta":${quote(text)}${segment ? `,"segmentId":${quote(segment)}` : ""}}`;
    return change === null ? json : json.slice(0, change[0]) + change[1] + json.slice(change[0]);
  });

/** A few lines that may be an event, in any of the standard's spellings. */
const anyLines = fc
  .array(
    fc.oneof(
      { weight: 3, arbitrary: nearlyDelta.map((json) => `data: ${json}`) },
      { weight: 2, arbitrary: anyChunk.map((chunk) => `data:${JSON.stringify(chunk)}`) },
      fc.constantFrom(
        'data: {"type":',
        'data: "done"}',
        "data:[DONE]",
        "data: [DONE]",
        "data",
        "data:",
        "data : x",
        " data: x",
        "data:  1",
        "event: message",
        "event:",
        "event: ping",
        "id: 7",
        "id:a:b",
        "id: \0",
        "retry: 5",
        "retry:70",
        "retry: 5s",
        "retry: -1",
        ":hb=8000",
        ": hb=0",
        ":  hb=1",
        ": hb=2 ",
        ":stay",
        ": stay ",
        ":",
        "语: x",
        "\ufeffdata: x",
      ),
    ),
    { minLength: 1, maxLength: 3 },
  )
  .chain((lines) =>
    fc.constantFrom("\n", "\r", "\r\n").map((end) => lines.map((line) => line + end).join("") + end),
  );

test("reads what the SSE decoder, JSON and the strict checker read, however the bytes are cut", () => {
  let chunks = 0;
  fc.assert(
    fc.property(
      fc
        .array(fc.oneof({ weight: 2, arbitrary: nearlyDelta.map((json) => `data: ${json}\n\n`) }, anyLines), {
          maxLength: 6,
        })
        .map((events) => events.join(""))
        .chain((text) => fc.tuple(fc.constant(text), anyCut(bytesOf(text)))),
      ([text, pieces]) => {
        const reading = pull(pieces);
        chunks += reading.chunks.length;
        expect(reading).toEqual(readTheLongWay(text));
      },
    ),
    { numRuns: 5000 },
  );
  expect(chunks).toBeGreaterThan(500);
});

test("the fields of a delta come in the order in which they were sent, as from JSON", () => {
  for (const chunk of [delta("a"), { ...delta("a"), segmentId: "s" }]) {
    const [pulled] = pull([bytesOf(frame(chunk))]).chunks;
    expect(JSON.stringify(pulled)).toBe(JSON.stringify(chunk));
  }
});

describe("asked for one by one", () => {
  test("nothing is parsed before it is asked for, and pieces may come meanwhile", () => {
    const decoder = createPullDecoder();
    decoder.push(bytesOf(`${frame(delta("a"))}data: {"type":`));
    decoder.push(bytesOf(`"text-delta","delta":"b"}\n`));
    expect(decoder.next()).toEqual(delta("a"));
    decoder.push(bytesOf(`\n${frame(delta("c"))}data: broken\n\n`));
    expect(decoder.next()).toEqual(delta("b"));
    expect(decoder.next()).toEqual(delta("c"));
    expect(decoder.complete).toBe(false);
    expect(() => decoder.next()).toThrow("Not JSON");
  });

  test("each chunk's event id is lastEventId while it is the last one given", () => {
    const decoder = createPullDecoder();
    decoder.push(
      bytesOf(
        encodeChunk({ type: "text-start" }, { id: "r.0" }) + encodeChunk({ type: "done" }, { id: "r.1" }),
      ),
    );
    expect(decoder.lastEventId).toBe("");
    decoder.next();
    expect(decoder.lastEventId).toBe("r.0");
    decoder.next();
    expect(decoder.lastEventId).toBe("r.1");
    expect(decoder).toMatchObject({ complete: true, done: false });
  });
});
