import { expectTypeOf, test } from "vitest";
import type { MessagePart, ToolCallPart } from "../src/assistant-message.ts";
import type {
  ChatTypes,
  CustomChunk,
  DataOf,
  DataTypeName,
  PartialData,
  ToolInput,
  ToolName,
  ToolOutput,
  UndeclaredName,
} from "../src/chat-types.ts";
import type { StreamChunk, StreamChunkOf } from "../src/chunks.ts";

interface Recipe {
  title: string;
  steps: { text: string }[];
}
interface AppTypes extends ChatTypes {
  structured: { recipe: Recipe };
  tools: { search: { input: { query: string }; output: string[] } };
}

test("without declared types, every name is a string and every value unknown", () => {
  expectTypeOf<ToolName<ChatTypes>>().toEqualTypeOf<string>();
  expectTypeOf<DataTypeName<ChatTypes>>().toEqualTypeOf<string>();
  expectTypeOf<ToolInput<ChatTypes, "search">>().toEqualTypeOf<unknown>();
  expectTypeOf<ToolOutput<ChatTypes, "search">>().toEqualTypeOf<unknown>();
  expectTypeOf<DataOf<ChatTypes, "recipe">>().toEqualTypeOf<unknown>();
  expectTypeOf<CustomChunk<ChatTypes>>().toBeNever();
  expectTypeOf<StreamChunkOf<"tool-call-start">["input"]>().toEqualTypeOf<unknown>();
});

test("declared tools and objects have their value types, and those of undeclared ones are unknown", () => {
  expectTypeOf<ToolName<AppTypes>>().toEqualTypeOf<"search" | UndeclaredName>();
  expectTypeOf<ToolInput<AppTypes, "search">>().toEqualTypeOf<{ query: string }>();
  expectTypeOf<ToolOutput<AppTypes, "search">>().toEqualTypeOf<string[]>();
  expectTypeOf<DataOf<AppTypes, "recipe">>().toEqualTypeOf<Recipe>();
  expectTypeOf<ToolInput<AppTypes, UndeclaredName>>().toEqualTypeOf<unknown>();
  expectTypeOf<DataOf<AppTypes, UndeclaredName>>().toEqualTypeOf<unknown>();
});

test("an undeclared name is a string that a stream may contain, but never a literal", () => {
  expectTypeOf<UndeclaredName>().toExtend<string>();
  // @ts-expect-error a string is not an undeclared name
  const _name: UndeclaredName = "search";
});

test("comparing a tool with a declared name narrows its values", () => {
  const part = {} as Extract<MessagePart<AppTypes>, ToolCallPart>;
  if (part.tool === "search") expectTypeOf(part.input).toEqualTypeOf<{ query: string } | undefined>();
  else expectTypeOf(part.input).toEqualTypeOf<unknown>();
  const chunk = {} as StreamChunkOf<"structured-data", AppTypes>;
  if (chunk.dataType === "recipe" && chunk.kind === "final") expectTypeOf(chunk.data).toEqualTypeOf<Recipe>();
});

test("a chunk of an application is also a chunk of the contract", () => {
  expectTypeOf<StreamChunk<AppTypes>>().toExtend<StreamChunk>();
  expectTypeOf<MessagePart<AppTypes>>().toExtend<MessagePart>();
  expectTypeOf<StreamChunk>().not.toExtend<StreamChunk<AppTypes>>();
});

test("anything in a growing object may be missing, at every depth", () => {
  expectTypeOf<PartialData<Recipe>>().toEqualTypeOf<{
    title?: string | undefined;
    steps?: { text?: string | undefined }[] | undefined;
  }>();
  expectTypeOf<PartialData<unknown>>().toEqualTypeOf<unknown>();
  expectTypeOf<PartialData<{ values: Record<string, number> }>>().toEqualTypeOf<{
    values?: Record<string, number | undefined> | undefined;
  }>();
});
