/**
 * What answers a conversation, and what it gets of a request. Calls no agent.
 */
import type { ChatAgentFields, ChatMessage, ChatRequestBody } from "@kortyx/protocol";
import { chatRequestFields } from "@kortyx/protocol/internal";
import type { ChunkIterable } from "../stream/source.ts";

/** What an agent gets beside the messages. */
export interface ChatAgentOptions extends ChatAgentFields {
  /**
   * The keys of the request's body that the contract does not name, and no others. Untrusted, like everything that a
   * client sends: never spread it over other options. The route's limits of the body bound its size and depth. A route
   * always sets it.
   */
  body?: Record<string, unknown> | undefined;
  /** What `authorize` returned; absent where it is `"anonymous"`. */
  owner?: string | undefined;
  /** Aborted when the answer is no longer wanted: pass it to the model. A route always sets it. */
  signal?: AbortSignal | undefined;
}

/** The options of an agent that a route calls, with what a route always sets. */
export interface RouteAgentOptions extends ChatAgentOptions {
  body: Record<string, unknown>;
  signal: AbortSignal;
}

/** Anything that answers a conversation with chunks. */
export interface ChatAgent {
  streamChat(messages: ChatMessage[], options: ChatAgentOptions): ChunkIterable | PromiseLike<ChunkIterable>;
}

/** @param request - What the options hold beside the fields of the body. */
export function toAgentOptions(
  body: ChatRequestBody,
  request: { owner: string | undefined; signal: AbortSignal },
): RouteAgentOptions {
  const names = Object.keys(chatRequestFields) as (keyof typeof chatRequestFields)[];
  const forAgent = names.filter((name) => chatRequestFields[name] === "agent");
  return {
    ...Object.fromEntries(forAgent.map((name) => [name, body[name]])),
    body: Object.fromEntries(Object.entries(body).filter(([key]) => !Object.hasOwn(chatRequestFields, key))),
    ...request,
  };
}
