import type { ChatAgentFields } from "@kortyx/protocol";
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
