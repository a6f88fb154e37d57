import type { ChatAgentFields, ChatTypes } from "@kortyx/protocol";
import { expectTypeOf, test } from "vitest";
import type { ChatAgent, ChatAgentOptions } from "../../src/route/chat-agent.ts";
import type { ChatRouteOptions } from "../../src/route/chat-route.ts";

type RouteAgent = ChatRouteOptions["agent"];
type AgentOptions = Parameters<RouteAgent["streamChat"]>[1];

test("an agent receives every field that is meant for agents", () => {
  expectTypeOf<keyof ChatAgentFields>().toExtend<keyof ChatAgentOptions>();
  expectTypeOf<AgentOptions>().toExtend<ChatAgentOptions>();
});

test("a route always passes its agent a signal and the unknown keys of the body", () => {
  expectTypeOf<AgentOptions["signal"]>().toEqualTypeOf<AbortSignal>();
  expectTypeOf<AgentOptions["body"]>().toEqualTypeOf<Record<string, unknown>>();
  expectTypeOf<ChatAgent>().toExtend<RouteAgent>();
});

interface OnlyContext extends ChatTypes {
  context: { tenant: string };
}
interface WithTools extends ChatTypes {
  tools: { search: { input: { query: string }; output: string[] } };
}

test("an untyped agent fits a route with a typed context, and not one whose tools it may not know", () => {
  expectTypeOf<ChatAgent>().toExtend<ChatRouteOptions<OnlyContext>["agent"]>();
  expectTypeOf<ChatAgent>().not.toExtend<ChatRouteOptions<WithTools>["agent"]>();
});

test("a typed agent fits its own route, and one that is not typed if it requires no context", () => {
  expectTypeOf<ChatAgent<OnlyContext>>().toExtend<ChatRouteOptions<OnlyContext>["agent"]>();
  expectTypeOf<ChatAgent<WithTools>>().toExtend<ChatRouteOptions<WithTools>["agent"]>();
  expectTypeOf<ChatAgent<WithTools>>().toExtend<RouteAgent>();
});

test("the context is required or optional as the application declares it", () => {
  expectTypeOf<ChatAgentOptions<OnlyContext>["context"]>().toEqualTypeOf<{ tenant: string }>();
  interface WithoutContext {
    sessionId: string;
  }
  expectTypeOf<WithoutContext>().not.toExtend<ChatAgentOptions<OnlyContext>>();
  expectTypeOf<WithoutContext>().toExtend<ChatAgentOptions<{ context?: { tenant: string } }>>();
});
