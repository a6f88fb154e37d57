import fc from "fast-check";
import { expect, test } from "vitest";
import type { ChatTypes } from "../src/chat-types.ts";
import { isStreamChunk } from "../src/check-chunk.ts";
import { createStructuredStreamAccumulator, reduceStructuredChunks } from "../src/fold-structured-data.ts";
import { createStructuredStreamWriter } from "../src/write-structured-data.ts";

interface Recipe {
  title: string;
  steps: { text: string; tags: string[] }[];
  times: Record<string, { minutes: number }>;
}
interface AppTypes extends ChatTypes {
  structured: { recipe: Recipe };
}
const writerOf = (streamId: string) =>
  createStructuredStreamWriter<AppTypes, "recipe">({ dataType: "recipe", streamId });

test("each method makes the chunk of its kind, with the fields that all chunks of the object share", () => {
  const options = {
    dataType: "recipe",
    streamId: "r",
    schemaId: "s",
    schemaVersion: "1",
    id: "i",
    node: "n",
  };
  const { set, append, textDelta, final } = createStructuredStreamWriter(options);
  const common = { type: "structured-data", ...options };
  expect([set("a.b", 1), append("c", 1, 2), textDelta("d", "e"), final({})]).toEqual([
    { ...common, kind: "set", path: "a.b", value: 1 },
    { ...common, kind: "append", path: "c", items: [1, 2] },
    { ...common, kind: "text-delta", path: "d", delta: "e" },
    { ...common, kind: "final", data: {} },
  ]);
});

test("a writer keeps nothing: the same call makes an equal chunk, and another object", () => {
  const recipe = writerOf("r");
  expect(recipe.append("steps")).toEqual(recipe.append("steps"));
  expect(recipe.append("steps")).not.toBe(recipe.append("steps"));
});

const text = fc.string({ maxLength: 8 });
const recipes: fc.Arbitrary<Recipe> = fc.record({
  title: text,
  steps: fc.array(fc.record({ text, tags: fc.array(text, { maxLength: 3 }) }), { maxLength: 4 }),
  times: fc.dictionary(fc.stringMatching(/^[a-z]{1,5}$/), fc.record({ minutes: fc.integer() }), {
    maxKeys: 3,
  }),
});

/** Writes an object piece by piece: texts letter by letter, lists item by item. */
function* write(streamId: string, { title, steps, times }: Recipe) {
  const recipe = writerOf(streamId);
  yield recipe.textDelta("title", "");
  for (const letter of title) yield recipe.textDelta("title", letter);
  yield recipe.append("steps");
  for (const [index, step] of steps.entries()) {
    yield recipe.append("steps", { text: "", tags: [] });
    for (const letter of step.text) yield recipe.textDelta(`steps.${index}.text`, letter);
    for (const tag of step.tags) yield recipe.append(`steps.${index}.tags`, tag);
  }
  yield recipe.set("times", {});
  for (const [name, { minutes }] of Object.entries(times)) yield recipe.set(`times.${name}.minutes`, minutes);
}

test("what is written is what the fold reads, before the final chunk and after it", () => {
  fc.assert(
    fc.property(recipes, (recipe) => {
      const chunks = [...write("r", recipe)];
      expect(chunks.every(isStreamChunk)).toBe(true);
      const accumulator = createStructuredStreamAccumulator<Recipe>(chunks);
      expect(accumulator.get("r")).toMatchObject({ dataType: "recipe", status: "streaming" });
      expect(accumulator.get("r")?.data).toEqual(recipe);
      const { data, status } = accumulator.apply(writerOf("r").final(recipe));
      expect({ data, status }).toEqual({ data: recipe, status: "done" });
    }),
  );
});

test("writers of two objects build two objects", () => {
  const states = reduceStructuredChunks([writerOf("1").set("title", "a"), writerOf("2").set("title", "b")]);
  expect([...states.values()].map(({ data }) => data)).toEqual([{ title: "a" }, { title: "b" }]);
});
