import { expect, test } from "vitest";
import { measureArrival } from "../../src/doctor/arrival.ts";
import type { Block, Recording } from "../../src/doctor/recording.ts";

const event = (atMs: number, beganMs = atMs): Block => ({ atMs, beganMs, type: "text-delta" });
const heartbeat = (atMs: number): Block => ({ atMs, beganMs: atMs, comment: "hb=8000" });
const events = (count: number, startMs: number, stepMs: number): Block[] =>
  Array.from({ length: count }, (_, index) => event(startMs + index * stepMs));

const record = (blocks: Block[], over: Partial<Recording> = {}): Recording => ({
  httpVersion: "1.1",
  status: 200,
  headers: {},
  headersMs: 30,
  blocks,
  text: "",
  endMs: blocks.at(-1)?.atMs ?? 30,
  end: "whole",
  ...over,
});

const conditions = { controlMs: 10, graceMs: 0 };
const delayOf = (recording: Recording, over = {}) =>
  measureArrival(recording, { ...conditions, ...over }).delay?.ms;

const inTime: [string, Block[]][] = [
  [
    "a run that opens with two comments at once",
    [{ ...heartbeat(30), comment: "stay" }, heartbeat(30), ...events(50, 400, 80)],
  ],
  ["an answer at the pace of a model", [heartbeat(30), ...events(50, 400, 80)]],
  [
    "an agent that is silent for a minute, with heartbeats early and late by 10 %",
    [heartbeat(30), event(100), ...[7300, 14_500, 23_300, 32_100, 40_000].map(heartbeat), event(41_000)],
  ],
  [
    "an agent that returns everything at once, after the comment that opens the stream",
    [heartbeat(30), ...events(50, 9000, 0)],
  ],
  [
    "an agent that works for 3 s before it responds, and then sends nine events at once",
    [...events(9, 3000, 0), ...events(50, 3100, 80)],
  ],
  ["an answer of four events after 3 s", events(4, 3000, 0)],
  [
    "an answer that begins with events, and pauses for as long as a heartbeat may be late",
    [event(30), heartbeat(8830), event(9000)],
  ],
  [
    "a server that sends no heartbeats, and an agent that pauses",
    [{ ...heartbeat(30), comment: "hb=0" }, event(100), event(60_000)],
  ],
];
test.each(inTime)("%s was not held back", (_, blocks) => {
  expect(delayOf(record(blocks))).toBeUndefined();
});

const heldBack: [string, Recording, number][] = [
  ["all events arrive together", record([heartbeat(5000), ...events(30, 5000, 0)]), 4990],
  [
    "the first ten events arrive together, and the rest in time",
    record([heartbeat(3000), ...events(10, 3000, 0), ...events(20, 3100, 80)]),
    2990,
  ],
  [
    "the first comment comes long after the headers",
    record([heartbeat(3030), ...events(30, 3100, 80)]),
    3000,
  ],
  ["an event stops in the middle", record([heartbeat(30), event(2400, 100), ...events(30, 2500, 80)]), 2300],
  [
    "two heartbeats arrive with the event before them, which was sent 14.4 s earlier at least",
    record([heartbeat(30), event(20_000), heartbeat(20_000), heartbeat(20_000), event(25_000)]),
    14_400,
  ],
  [
    "heartbeats catch up with what was before them",
    record([heartbeat(30), event(7000), heartbeat(9200), event(9300), heartbeat(14_300)]),
    7200 - 2200 - 100 + 7200 - 5000,
  ],
  [
    "a heartbeat was due, and did not come",
    record([heartbeat(30), event(100), event(12_000)]),
    11_900 - 8800,
  ],
  [
    "nothing more comes until the doctor leaves",
    record([heartbeat(30), event(100)], { end: "left", endMs: 120_000 }),
    119_900 - 8800,
  ],
];
test.each(heldBack)("bytes were held back if %s", (_, recording, ms) => {
  expect(delayOf(recording)).toBeCloseTo(ms, 5);
});

test("a connection that is cut in silence has held nothing back", () => {
  const cut = record([heartbeat(30), event(100)], { end: "broken", endMs: 60_000 });
  expect(delayOf(cut)).toBeUndefined();
});

test("a delay counts only beyond a second, and beyond what this process was late itself", () => {
  const lateBy = (ms: number) => record([heartbeat(10 + ms), ...events(30, 10 + ms, 0)]);
  expect(delayOf(lateBy(1000))).toBeUndefined();
  expect(delayOf(lateBy(1001))).toBe(1001);
  expect(delayOf(lateBy(1500), { graceMs: 500 })).toBeUndefined();
  expect(delayOf(lateBy(1501), { graceMs: 500 })).toBe(1501);
});

test("short stops in the middle of events count if there are three", () => {
  const stops = (count: number, ms: number) =>
    record(Array.from({ length: count }, (_, index) => event(1000 * index + ms, 1000 * index)));
  expect(measureArrival(stops(3, 250), conditions).delay).toEqual({
    ms: 250,
    evidence: "3 events stopped in the middle, for up to 0.25 s",
  });
  expect(delayOf(stops(2, 250))).toBeUndefined();
  expect(delayOf(stops(3, 249))).toBeUndefined();
  expect(delayOf(stops(3, 250), { graceMs: 1 })).toBeUndefined();
});

test("a path that is slow for every response holds nothing back", () => {
  expect(delayOf(record([...events(30, 3000, 0)]), { controlMs: 2500 })).toBeUndefined();
});

test("an arrival is described by its moments, its silences and its spread", () => {
  const blocks = [heartbeat(30), event(200), event(210), event(900)];
  expect(measureArrival(record(blocks, { endMs: 1000 }), conditions)).toEqual({
    firstByteMs: 30,
    events: 3,
    moments: 3,
    longestSilenceMs: 690,
    heartbeatMs: 8000,
    delay: undefined,
    isSpread: true,
    isInOnePiece: false,
    isInBursts: false,
  });
  const together = measureArrival(record([heartbeat(30), event(279)], { endMs: 5000 }), conditions);
  expect(together).toMatchObject({ isSpread: false, longestSilenceMs: 4721 });
  expect(measureArrival(record([]), conditions)).toMatchObject({ firstByteMs: undefined, isSpread: false });
});

test("an answer came in one piece if its events came together, long after the first byte", () => {
  const isInOnePiece = (blocks: Block[]) => measureArrival(record(blocks), conditions).isInOnePiece;
  expect(isInOnePiece([heartbeat(30), ...events(5, 1500, 0)])).toBe(true);
  expect(isInOnePiece([heartbeat(30), ...events(4, 1500, 0)])).toBe(false);
  expect(isInOnePiece([heartbeat(30), ...events(5, 1000, 0)])).toBe(false);
  expect(isInOnePiece([heartbeat(30), ...events(5, 1500, 100)])).toBe(false);
});

test("an answer came in bursts if most pauses separate several events", () => {
  const isInBursts = (blocks: Block[]) => measureArrival(record(blocks), conditions).isInBursts;
  const bursts = (count: number, size: number, pauseMs: number) =>
    Array.from({ length: count }, (_, index) => events(size, 30 + index * pauseMs, 0)).flat();
  expect(isInBursts(bursts(3, 5, 250))).toBe(true);
  expect(isInBursts(bursts(2, 5, 250))).toBe(false);
  expect(isInBursts(bursts(3, 4, 250))).toBe(false);
  expect(isInBursts(bursts(3, 5, 249))).toBe(false);
});

test("an answer may have more events than a call can have arguments", () => {
  expect(measureArrival(record(events(300_000, 30, 0.1)), conditions).events).toBe(300_000);
});
