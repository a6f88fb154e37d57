import { expectTypeOf, test } from "vitest";
import type { AssistantMessage, MessagePart, ToolCallPart } from "../src/assistant-message.ts";
import type {
  ChatTypes,
  CustomChunk,
  DataName,
  DataOf,
  DataTypeName,
  DataValue,
  PartialData,
  ToolInput,
  ToolName,
  ToolOutput,
  UndeclaredName,
} from "../src/chat-types.ts";
import type { StreamChunk, StreamChunkOf } from "../src/chunks.ts";
import { createMessageAccumulator } from "../src/fold-message.ts";
import type { AssistantUIMessage } from "../src/ui-message.ts";

interface Recipe {
  title: string;
  steps: { text: string }[];
}
interface AppTypes extends ChatTypes {
  structured: { recipe: Recipe };
  data: { weather: { celsius: number } };
  metadata: { model: string; cost?: number };
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

test("comparing data with a declared name narrows its value, in chunks and in messages", () => {
  const chunk = {} as StreamChunkOf<"data", AppTypes>;
  if (chunk.name === "weather") expectTypeOf(chunk.data).toEqualTypeOf<{ celsius: number }>();
  else expectTypeOf(chunk.data).toEqualTypeOf<unknown>();
  const part = {} as MessagePart<AppTypes>;
  if (part.type === "data" && part.name === "weather") {
    expectTypeOf(part.data).toEqualTypeOf<{ celsius: number }>();
  }
  expectTypeOf<DataName<AppTypes>>().toEqualTypeOf<"weather" | UndeclaredName>();
  expectTypeOf<DataName<ChatTypes>>().toEqualTypeOf<string>();
  expectTypeOf<DataValue<AppTypes, UndeclaredName>>().toEqualTypeOf<unknown>();
  expectTypeOf<DataValue<ChatTypes, "weather">>().toEqualTypeOf<unknown>();
});

test("the progress of a tool has the type of its output", () => {
  const chunk = {} as StreamChunkOf<"tool-call-progress", AppTypes>;
  if (chunk.tool === "search") expectTypeOf(chunk.content).toEqualTypeOf<string[]>();
  else expectTypeOf(chunk.content).toEqualTypeOf<unknown>();
});

test("metadata is set or removed key by key, and any of it may be missing in a message", () => {
  expectTypeOf<StreamChunkOf<"metadata", AppTypes>["metadata"]>().toEqualTypeOf<{
    model?: string | null;
    cost?: number | null;
  }>();
  expectTypeOf<AssistantMessage<AppTypes>["metadata"]>().toEqualTypeOf<
    Readonly<{ model?: string; cost?: number }> | undefined
  >();
  const accumulator = createMessageAccumulator<AppTypes, { role: "assistant" }>();
  expectTypeOf(accumulator.message.metadata?.cost).toEqualTypeOf<number | undefined>();
  expectTypeOf(accumulator.message.role).toEqualTypeOf<"assistant">();
  // @ts-expect-error a model is a text
  const _wrong: StreamChunk<AppTypes> = { type: "metadata", metadata: { model: 1 } };
});

test("an earlier message of the application may be continued", () => {
  const earlier = {} as AssistantUIMessage<AppTypes>;
  const accumulator = createMessageAccumulator<AppTypes, AssistantUIMessage<AppTypes>>(earlier);
  expectTypeOf(accumulator.message).toExtend<AssistantUIMessage<AppTypes>>();
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
