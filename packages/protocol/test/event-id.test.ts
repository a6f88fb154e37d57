import fc from "fast-check";
import { expect, test } from "vitest";
import { formatEventId, parseEventId } from "../src/event-id.ts";

test("an event id is the run id, a dot and the sequence number", () => {
  expect(formatEventId("run_1", 0)).toBe("run_1.0");
  expect(parseEventId("run_1.0")).toEqual({ runId: "run_1", seq: 0 });
});

test("a run id may contain dots", () => {
  expect(parseEventId(formatEventId("a.b.7", 12))).toEqual({ runId: "a.b.7", seq: 12 });
});

test("parseEventId reads every id that formatEventId prints", () => {
  const visible = fc.string({
    unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)),
    minLength: 1,
    maxLength: 100,
  });
  fc.assert(
    fc.property(
      visible,
      fc.maxSafeNat().map((seq) => seq % 10 ** 15),
      (runId, seq) => {
        expect(parseEventId(formatEventId(runId, seq))).toEqual({ runId, seq });
      },
    ),
  );
});

test("parseEventId refuses every id that formatEventId would not print", () => {
  const strange = [
    "",
    ".",
    "7",
    ".7",
    "run.",
    "run.01",
    "run.-1",
    "run.-0",
    "run.+1",
    "run.1e3",
    "run.1.5x",
    "run. 1",
    "run.0x1",
    "r n.1",
    "é.1",
    "run\x7f.1",
    "run.1\n",
    `run.${2 ** 53}`,
    `${"r".repeat(127)}.1`,
  ];
  for (const text of strange) expect(parseEventId(text), text).toBeUndefined();
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const id = parseEventId(text);
      if (id !== undefined) expect(formatEventId(id.runId, id.seq)).toBe(text);
    }),
  );
});

test("formatEventId throws for an id that a frame cannot carry", () => {
  for (const [runId, seq] of [
    ["", 1],
    ["a b", 1],
    ["a\nb", 1],
    ["é", 1],
    ["a", -1],
    ["a", 1.5],
    ["a", 2 ** 53],
    ["a".repeat(127), 1],
  ] as const) {
    expect(() => formatEventId(runId, seq)).toThrow(
      expect.objectContaining({ name: "StreamProtocolError", code: "invalid-frame" }),
    );
  }
  expect(() => formatEventId("a b", 1)).toThrow(
    'Event id "a b.1": expected a run id of visible ASCII characters and a whole number, together at most 128 bytes.',
  );
  expect(formatEventId("a".repeat(126), 1)).toHaveLength(128);
});
