import type { ChatAgentFields, ChatRequestBody } from "@kortyx/protocol";
import { expectTypeOf, test } from "vitest";
import type { ChatOptions } from "../../src/chat/chat.ts";
import type { RequestChatOptions } from "../../src/route/request-chat.ts";
import type { StreamChatFromRouteOptions } from "../../src/route/stream-from-route.ts";

type Route = Extract<ChatOptions, { transport?: undefined }>;

test("every field of the body is an option of each function that requests an answer", () => {
  type Field = Exclude<keyof ChatRequestBody, "stream">;
  expectTypeOf<Field>().toExtend<keyof StreamChatFromRouteOptions>();
  expectTypeOf<Field>().toExtend<keyof RequestChatOptions>();
  type SetByChat = "resume" | "resumes" | "toolResults" | "trigger" | "messageId";
  expectTypeOf<keyof ChatAgentFields>().toExtend<keyof Route | SetByChat>();
  expectTypeOf<StreamChatFromRouteOptions["context"]>().toEqualTypeOf<ChatRequestBody["context"]>();
});

test("an option that a function does not know is a type error", () => {
  const options = { endpoint: "/", messages: [] };
  // @ts-expect-error requestChat makes one request
  const _runs: RequestChatOptions = { ...options, runs: true };
  // @ts-expect-error streamChatFromRoute requests a stream
  const _stream: StreamChatFromRouteOptions = { ...options, stream: false };
  // @ts-expect-error a chat decides on its messages
  const _messages: ChatOptions = { endpoint: "/", messages: [] };
});
