/** Bodies that show one rule of reading each. */
import type { Body, ReaderCase } from "./reader-case.ts";

const event = (chunk: object, id?: string): string =>
  `${id === undefined ? "" : `id: ${id}\n`}data: ${JSON.stringify(chunk)}\n\n`;

const text = (delta: string): object => ({ type: "text-delta", delta });
const hi = event(text("Hi"));
const doneChunk = { type: "done" };
const done = event(doneChunk);
const error = { type: "error", message: "It failed." };
const end = "data: [DONE]\n\n";
const later = { type: "x-later" };
/** The ids of a run, on texts. */
const withIds = (...ids: string[]): string => ids.map((id, at) => event(text(String(at)), id)).join("");

type Row = [name: string, section: string, ...bodies: (string | Uint8Array)[]];

const lines: Row[] = [
  ["one byte order mark at the start is ignored", "2.3 (1)", `\ufeff${hi}${done}`],
  [
    "a second byte order mark belongs to its line",
    "2.3 (1)",
    `\ufeff\ufeff${hi}${done}`,
    `${hi}\ufeff${hi}${done}`,
  ],
  ["characters are whole, wherever their bytes are cut", "2.3 (1)", event(text("é € 😀 日本")) + done],
  [
    "bytes that are not UTF-8 are replaced",
    "2.3 (1)",
    ...["ff", "c3", "e282", "f09f98", "c080", "eda080"].map((hex) =>
      Buffer.concat([
        Buffer.from('data: {"type":"text-delta","delta":"a'),
        Buffer.from(hex, "hex"),
        Buffer.from(`b"}\n\n${done}`),
      ]),
    ),
  ],
  [
    "a line ends at CR LF, LF or CR",
    "2.3 (2)",
    `${hi}${done}`.replaceAll("\n", "\r\n"),
    `${hi}${done}`.replaceAll("\n", "\r"),
    `data: {"type":\r\ndata: "x-a"}\r\n\ndata: {"type":\rdata: "x-b"}\n\r${done}`,
  ],
  [
    "no other character ends a line",
    "2.3 (2)",
    `data: {"type":"text-delta","delta":"a\u0085b\u2028c\u2029d"}\n\n${done}`,
  ],
  [
    "comments are ignored, also within a block",
    "2.3 (3)",
    `:\n: hi\n\n:data: no\n${hi}data: {"type":\n:no\ndata: "done"}\n\n:end`,
  ],
  [
    "one space after the colon is no part of a value",
    "2.3 (4)",
    `${hi.replace(": ", ":") + hi.replace(": ", ":  ")}data:[DONE]\n\n`,
  ],
  ["a line without a colon is a name", "2.3 (4)", `data\n${hi}event: x-a\nevent\n${done}`],
  [
    "the lines of data are joined by LF",
    "2.3 (5)",
    `data: {"type":\ndata: "text-delta",\ndata: "delta":"Hi"}\n\n${done}`,
    // Without the LF between them, the digits would be one number.
    `data: {"type":"x-later","value":1\ndata: 2}\n\n${done}`,
  ],
  ["other names are ignored", "2.3 (5)", `Data: 1\n data: 2\ndata2: 3\n: 4\nx-later: 5\n${hi}${done}`],
  [
    "the last type of a block counts, and no type is message",
    "2.3 (5)",
    `event: ping\nevent: message\n${hi}event:\n${done}`,
  ],
  ["a block of another type is ignored", "2.3 (6)", `event: ping\ndata: no JSON\n\n${hi}${done}`],
  ["a block without data is ignored", "2.3 (6)", `event: message\n\n${hi}\n\n${done}`],
  [
    "what follows the last blank line is dropped",
    "2.3 (7)",
    `${hi}data: {"type":"done"}\n`,
    `${hi}data: {"type":"done"}`,
    `${hi}data: [DONE]\n`,
  ],
];

const events: Row[] = [
  ["[DONE] ends the stream, whatever follows", "2.4 (1)", `${hi}${end}${hi}data: no JSON\n\n`, end + end],
  ["only exactly [DONE] is the end", "2.4 (1)", `${hi}data: [DONE] \n\n`, `${hi}data: [done]\n\n`],
  [
    "what is not a chunk is a violation, after the chunks before it",
    "2.4 (2)",
    ...['{"type":', "[]", "1", "null", '"done"', "{}", '{"type":1}', "", '{"type":"x-a","b":NaN}'].map(
      (data) => `${hi}data: ${data}\n\n${done}`,
    ),
  ],
  [
    "what is almost JSON is a violation",
    "2.4 (2)",
    ...['{"type":"x-a"} {}', '{"type":"x-a",}', "{'type':'x-a'}", '{"type":"x-a"', '{"type":"x-a\t"}'].map(
      (data) => `${hi}data: ${data}\n\n${done}`,
    ),
  ],
  [
    "null in an optional field counts as absent, and a missing required value as null",
    "2.4 (2)",
    ...[
      '{"type":"text-delta","delta":"Hi","node":null,"id":null}',
      '{"type":"tool-call-ready","tool":"now","toolCallId":"c"}',
      '{"type":"data","name":"toast","transient":null}',
    ].map((data) => `data: ${data}\n\n${done}`),
  ],
  [
    "null is a value in a field of any JSON value",
    "2.4 (2)",
    event({ type: "tool-call-start", tool: "now", toolCallId: "c", input: null }) + done,
    event({ type: "interrupt-resolved", requestId: "q", outcome: "answered", answer: null }) + done,
  ],
  ["a chunk of an unknown type is no violation", "2.4 (4)", event(later) + hi + done],
  [
    "an answer without [DONE] is complete after a done or an abort",
    "3.1 (1)",
    hi + done,
    `${hi}${event({ type: "abort", reason: "stopped" })}`,
  ],
  [
    "[DONE] completes an answer that is no run",
    "3.1 (2)",
    hi + end,
    end,
    event(text("Hi"), "7") + end,
    event(error) + end,
  ],
  [
    "[DONE] does not complete a run without its end",
    "3.1 (2)",
    event(text("Hi"), "r.0") + end,
    event(error, "r.0") + event(later, "r.1") + end,
    `id: r.0\n\n${hi}${end}`,
    `${event(text("Hi"), "r.0")}id:\n\n${end}`,
  ],
  [
    "[DONE] completes a run after a done, an abort or an error",
    "3.1 (2)",
    ...[doneChunk, { type: "abort", reason: "stopped" }, error].map(
      (chunk) => event(text("Hi"), "r.0") + event(chunk, "r.1") + end,
    ),
  ],
  [
    "without its end, an answer is cut off",
    "3.1 (3)",
    "",
    ":hb=8000\n\n",
    hi,
    event(error),
    done + event(later),
  ],
  [
    "an error is the outcome before a done without a reason, and a warning before one with it",
    "3.2",
    event(error) + done,
    event(error) + event({ type: "done", finishReason: "stop" }),
    event(error) + event({ type: "done", finishReason: null }),
  ],
];

const ids: Row[] = [
  [
    "an id stays until another one replaces it",
    "4.2 (1)",
    `${event(text("a"), "7")}${hi}`,
    `${event(text("a"), "7")}id: 8\n\n`,
    `${event(text("a"), "7")}id\n${done}`,
  ],
  ["the last id of a block counts, and none with U+0000", "2.3 (5)", `id: 6\nid: 7\nid: 8\0\n${done}`],
  ["the id of a block that is ignored counts", "4.2 (1)", `id: 7\n\nid: 8\nevent: ping\ndata: 1\n\n${done}`],
  [
    "the id of [DONE] and of a violation does not count",
    "4.2 (1)",
    `${event(doneChunk, "7")}id: 8\n${end}`,
    `${event(text("Hi"), "7")}id: 8\ndata: 1\n\n`,
  ],
  [
    "a repeated event is skipped",
    "4.2 (2)",
    withIds("r.0", "r.1", "r.1", "r.0", "r.2") + event(doneChunk, "r.3"),
    `${withIds("r.0", "r.1")}id: r.0\ndata: no JSON\n\n${event(doneChunk, "r.2")}`,
  ],
  [
    "a missing event is a violation",
    "4.2 (2)",
    withIds("r.0", "r.2") + done,
    `${withIds("r.0")}id: r.2\n\n${done}`,
  ],
  ["an event of another run is a violation", "4.2 (2)", withIds("r.0", "s.1") + done],
  [
    "the first event may have any position, and a run any dots",
    "4.2 (2)",
    withIds("r.7", "r.8") + done,
    withIds("a.b.0", "a.b.0", "a.b.1") + done,
  ],
  [
    "other ids have no order",
    "4.2 (3)",
    ...["r.01", "r.-1", "r", ".0", "r.1000000000000000", `${"r".repeat(127)}.0`, "r é.0", "r.٣"].map(
      (id) => withIds("r.0", id, "r.1") + event(doneChunk, "r.2"),
    ),
  ],
  [
    "retry is digits only, and the last one counts",
    "2.5",
    `retry: 5\n\n${hi}retry: 1x\n\nretry: 70\nretry: -1\n\nretry: ٣\n\n${done}`,
  ],
  ["retry counts when its line has ended", "2.5", `${hi}retry: 70\n`, `${hi}retry: 70`],
];

/** An answer that is cut off, and the body of the response with the rest. */
type ResumedRow = [name: string, section: string, ...bodies: [first: string | Uint8Array, rest: string][]];

const two = withIds("r.0", "r.1");
const resumed: ResumedRow[] = [
  [
    "a resumed answer continues after its last event",
    "4.2",
    [two, event(text("2"), "r.2") + event(doneChunk, "r.3")],
    [two, event(text("2"), "r.2")],
    [`retry: 70\n\n${two}`, ""],
  ],
  [
    "what the rest repeats is skipped, and what it leaves out is missing",
    "4.2 (2)",
    [two, withIds("r.0", "r.1", "r.2") + event(doneChunk, "r.3")],
    [two, withIds("r.3") + done],
    [two, withIds("s.2") + done],
  ],
  [
    "no line and no block continues in the next body",
    "2.3 (7)",
    ...['data: {"type":"done"}', 'data: {"type":"done"}\n', "event: ping\n", "data: "].map(
      (cut): [string, string] => [two + cut, event(text("2"), "r.2") + event(doneChunk, "r.3")],
    ),
  ],
  [
    "each body is decoded anew, and may begin with a byte order mark",
    "2.3 (1)",
    [Buffer.from(`${two}id: r.2\ndata: €`).subarray(0, -1), event(doneChunk, "r.2")],
    [two, `\ufeff${event(doneChunk, "r.2")}`],
  ],
  [
    "what ends an answer is its last chunk, in whichever body",
    "3.1",
    [withIds("r.0") + event(error, "r.1"), end],
    [two, end],
    [withIds("r.0") + event(error, "r.1"), event(doneChunk, "r.2")],
    [withIds("r.0") + event(error, "r.1") + event(later, "r.2"), end],
  ],
];

const bytesOf = (body: string | Uint8Array): Uint8Array =>
  typeof body === "string" ? Buffer.from(body) : body;

const toBody = (index: number, bytes: string | Uint8Array, rest?: string): Body => ({
  variant: `body ${index + 1}`,
  bytes: bytesOf(bytes),
  rest: rest === undefined ? undefined : bytesOf(rest),
  cuts: "everywhere",
});

const ruleCases: ReaderCase[] = [...lines, ...events, ...ids].map(([name, section, ...bodies]) => ({
  name,
  section,
  bodies: bodies.map((body, index) => toBody(index, body)),
}));

const resumedCases: ReaderCase[] = resumed.map(([name, section, ...bodies]) => ({
  name,
  section,
  isResumed: true,
  bodies: bodies.map(([first, rest], index) => toBody(index, first, rest)),
}));

/** More than the 65,536 bytes at which the readers of lines in some languages end. */
const longCase: ReaderCase = {
  name: "a line may be long",
  section: "2.3",
  bodies: [
    {
      variant: "a text of 100,000 letters",
      bytes: Buffer.from(event(text("a".repeat(100_000))) + done),
      cuts: "nowhere",
    },
  ],
};

export const wireCases: ReaderCase[] = [...ruleCases, longCase, ...resumedCases];
