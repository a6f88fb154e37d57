import { expectTypeOf, test } from "vitest";
import type { z } from "zod";
import type { ChatMessage, ChatRequestBody } from "../src/chat-request.ts";
import type { StreamChunk, StreamChunkOf, StreamChunkType } from "../src/chunks.ts";
import type { chatMessageSchema, chatRequestBodySchema, streamChunkSchema } from "../src/schemas.ts";

/** The known fields of a loose schema's type, at every depth, without index signatures. */
type Known<Type> = Type extends readonly (infer Item)[]
  ? Known<Item>[]
  : Type extends string
    ? Type
    : Type extends object
      ? string extends keyof Type
        ? { [Key in keyof Type as string extends Key ? never : Key]: Known<Type[Key]> } extends infer Fields
          ? keyof Fields extends never
            ? Record<string, Type[string & keyof Type]>
            : Fields
          : never
        : { [Key in keyof Type]: Known<Type[Key]> }
      : Type;

type ZodChunk = z.output<typeof streamChunkSchema>;

test("the interfaces have exactly the known fields of the schemas, type by type", () => {
  type Pairs = {
    [Type in StreamChunkType]: [Known<Extract<ZodChunk, { type: Type }>>, Known<StreamChunkOf<Type>>];
  };
  type Differences = {
    [Type in StreamChunkType]: [Pairs[Type][0]] extends [Pairs[Type][1]]
      ? [Pairs[Type][1]] extends [Pairs[Type][0]]
        ? never
        : Type
      : Type;
  }[StreamChunkType];
  expectTypeOf<Differences>().toBeNever();
  expectTypeOf<ZodChunk["type"]>().toEqualTypeOf<StreamChunkType>();
});

test("the request types have the known fields of their schemas", () => {
  expectTypeOf<Known<z.output<typeof chatMessageSchema>>>().toExtend<ChatMessage>();
  expectTypeOf<ChatMessage>().toExtend<Known<z.input<typeof chatMessageSchema>>>();
  expectTypeOf<Known<z.output<typeof chatRequestBodySchema>>>().toExtend<ChatRequestBody>();
  expectTypeOf<ChatRequestBody>().toExtend<Known<z.input<typeof chatRequestBodySchema>>>();
});

test("`type` narrows a chunk, and an unknown field is a type error", () => {
  expectTypeOf<StreamChunkOf<"text-delta">["delta"]>().toEqualTypeOf<string>();
  const chunk = { type: "session", sessionId: "s" } as StreamChunk;
  if (chunk.type === "session") expectTypeOf(chunk.sessionId).toEqualTypeOf<string>();
  // @ts-expect-error a misspelt field
  const _wrong: StreamChunk = { type: "text-delta", dleta: "x" };
});
