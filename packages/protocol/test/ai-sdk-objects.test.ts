import { expect, test } from "vitest";
import { createAISDKTranslator } from "../src/ai-sdk-translator.ts";
import type { StreamChunk } from "../src/chunks.ts";
import { contentOf, translate } from "./ai-sdk-events.ts";

const object = { type: "structured-data", streamId: "o1", dataType: "recipe" } as const;
const set = (path: string, value: unknown): StreamChunk => ({ ...object, kind: "set", path, value });
const whole = (data: unknown) => ({ type: "data-recipe", id: "o1", data });

test("an object is sent whole: at first, once for each flush, and at its end", () => {
  const translator = createAISDKTranslator();
  const send = (chunk: StreamChunk) => contentOf(translator.translate(chunk));
  expect(send(set("a", 1))).toEqual([whole({ a: 1 })]);
  expect([send(set("b", 2)), send(set("c", 3))]).toEqual([[], []]);
  expect(translator.flush()).toEqual([whole({ a: 1, b: 2, c: 3 })]);
  expect(translator.flush()).toEqual([]);
  expect(send({ ...object, kind: "final", data: { d: 4 } })).toEqual([whole({ d: 4 })]);
  expect(translator.flush()).toEqual([]);
});

test("what was not flushed is sent before the end", () => {
  const translator = createAISDKTranslator();
  const events = [set("a", 1), set("b", 2)].flatMap((chunk) => translator.translate(chunk));
  expect(contentOf([...events, ...translator.end("truncated")]).slice(0, 2)).toEqual([
    whole({ a: 1 }),
    whole({ a: 1, b: 2 }),
  ]);
});

test("a large object that grows slowly is sent in all a few times its size", () => {
  const pieces = Array.from(
    { length: 2_000 },
    (_, index): StreamChunk => ({
      ...object,
      kind: "append",
      path: "items",
      items: [`item ${index} ${"x".repeat(50)}`],
    }),
  );
  const received = JSON.stringify(pieces).length;
  const sent = JSON.stringify(translate(pieces)).length;
  expect(sent).toBeLessThan(12 * received);
});

test("an object that no longer holds becomes null, and can be built again", () => {
  const gone: StreamChunk = { type: "structured-data-invalidated", streamId: "o1", checkpointId: "1" };
  expect(contentOf(translate([set("a", 1), gone, gone, set("b", 2)]))).toEqual([
    whole({ a: 1 }),
    whole(null),
    whole({ b: 2 }),
  ]);
});

test("a chunk that does not fit its object is passed over, and changes no prototype", () => {
  const events = translate([set("a", 1), set("a.b", 2), set("__proto__.c", 3), set("d", 4)]);
  expect(contentOf(events)).toEqual([whole({ a: 1 }), whole({ a: 1, d: 4 })]);
  expect(({} as { c?: unknown }).c).toBeUndefined();
});
