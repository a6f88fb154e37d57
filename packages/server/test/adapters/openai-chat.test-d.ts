import type { ChatTypes } from "@kortyx/protocol";
import { expectTypeOf, test } from "vitest";
import { describeProviderError } from "../../src/adapters/describe-provider-error.ts";
import { fromOpenAIChat, type ModelStream, type OpenAIChatEvent } from "../../src/openai.ts";
import type { ChatAgent } from "../../src/route/chat-agent.ts";
import type { OnStreamError } from "../../src/stream/mask-error.ts";

interface AppTypes extends ChatTypes {
  context: { tenant: string };
  tools: { search: { input: { query: string }; output: string[] } };
}

declare const events: AsyncIterable<OpenAIChatEvent>;

test("an agent with declared types can return the adapter's stream as it is", () => {
  const agent: ChatAgent<AppTypes> = { streamChat: () => fromOpenAIChat(Promise.resolve(events)) };
  expectTypeOf(agent.streamChat).returns.not.toBeAny();
  expectTypeOf(fromOpenAIChat<AppTypes>(events)).toEqualTypeOf<ModelStream<AppTypes>>();
});

test("what describes errors is an onError, and its result can be spread", () => {
  expectTypeOf(describeProviderError).toExtend<OnStreamError>();
  expectTypeOf<NonNullable<ReturnType<typeof describeProviderError>>["message"]>().toEqualTypeOf<string>();
});
