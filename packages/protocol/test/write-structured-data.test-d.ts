import { expectTypeOf, test } from "vitest";
import type { ChatTypes } from "../src/chat-types.ts";
import type { StreamChunk } from "../src/chunks.ts";
import { createStructuredStreamWriter } from "../src/write-structured-data.ts";

interface Step {
  text: string;
  minutes?: number;
  tags: string[];
  state: "open" | "done";
  note: string | null;
  steps?: Step[];
}
interface Recipe {
  title: string;
  steps: Step[];
  author: { name: string };
  times: Record<string, { minutes: number }>;
  size: { people: number } | { grams: number };
  extra: unknown;
}
interface AppTypes extends ChatTypes {
  structured: { recipe: Recipe };
}
declare const index: number;
const recipe = createStructuredStreamWriter<AppTypes, "recipe">({ dataType: "recipe", streamId: "1" });

test("a path leads through objects, arrays, records, unions and optional fields, at any depth", () => {
  recipe.set("title", "Soup");
  recipe.set("author", { name: "Ann" });
  recipe.set("steps.0", { text: "", tags: [], state: "open", note: null });
  recipe.set(`steps.${index}.minutes`, 5);
  recipe.set("steps.0.steps.1.steps.2.note", null);
  recipe.set("times.baking.minutes", 20);
  recipe.set("size.people", 2);
  recipe.set("size.grams", 500);
  recipe.append("steps.0.tags", "hot", "quick");
  recipe.textDelta(`steps.${index}.text`, "Boil");
  recipe.textDelta("steps.0.note", "Careful");
});

test("where the type is unknown, every path and value is right", () => {
  recipe.set("extra.any.path", 1);
  recipe.append("extra.list", 1, "a");
  recipe.textDelta("extra.text", "a");
  const untyped = createStructuredStreamWriter({ dataType: "any", streamId: "1" });
  untyped.set("any.path", 1);
  untyped.append("list", 1, "a");
  untyped.textDelta("text", "a");
  untyped.final([1]);
});

test("a path that leads nowhere, or to a value of another kind, is a mistake", () => {
  // @ts-expect-error misspelt
  recipe.set("titel", "Soup");
  // @ts-expect-error misspelt, deeper
  recipe.set("steps.0.txt", "Boil");
  // @ts-expect-error an index that is not a number
  recipe.set("steps.first.text", "Boil");
  // @ts-expect-error a string has no fields
  recipe.set("author.name.first", "Ann");
  // @ts-expect-error the whole object is written by final()
  recipe.set("", {});
  // @ts-expect-error a number
  recipe.textDelta("steps.0.minutes", "5");
  // @ts-expect-error one of two strings, which do not grow
  recipe.textDelta("steps.0.state", "do");
  // @ts-expect-error a string
  recipe.append("title", "Soup");
});

test("a value of another type is a mistake", () => {
  // @ts-expect-error a number
  recipe.set("title", 1);
  // @ts-expect-error undefined cannot be written
  recipe.set("steps.0.minutes", undefined);
  // @ts-expect-error a number
  recipe.append("steps.0.tags", 1);
  // @ts-expect-error not the whole object
  recipe.final({ title: "Soup" });
  // @ts-expect-error an undeclared object
  createStructuredStreamWriter<AppTypes, "recip">({ dataType: "recip", streamId: "1" });
});

test("the name of a declared object is a type parameter too, without which nothing would be checked", () => {
  // @ts-expect-error no second parameter
  createStructuredStreamWriter<AppTypes>({ dataType: "recipe", streamId: "1" });
  createStructuredStreamWriter<ChatTypes>({ dataType: "recipe", streamId: "1" }).set("any.path", 1);
});

test("every chunk is one that the application's agent may send", () => {
  expectTypeOf<ReturnType<(typeof recipe)["set" | "append" | "textDelta" | "final"]>>().toExtend<
    StreamChunk<AppTypes>
  >();
});
