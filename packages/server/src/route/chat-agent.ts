/**
 * The interface of an agent, and the options that it receives from a request. Calls no agent.
 */
import type {
  AssistantUIMessage,
  ChatAgentFields,
  ChatMessage,
  ChatRequestBody,
  ChatTypes,
} from "@kortyx/protocol";
import { chatRequestFields } from "@kortyx/protocol/internal";
import type { ChunkIterable } from "../stream/source.ts";

/** What an agent receives in addition to the messages. */
export interface ChatAgentOptions<Types extends ChatTypes = ChatTypes> extends ChatAgentFields<Types> {
  /**
   * The keys of the request's body that the contract does not name, and no others. Untrusted, like everything that a
   * client sends: never spread it over other options. The route's body limits bound its size and depth. A route always
   * sets it.
   */
  body?: Record<string, unknown> | undefined;
  /** The message that the answer continues, as `loadMessage` returned it: not from the client. */
  continued?: AssistantUIMessage | undefined;
  /** What `authorize` returned; absent if it is `"anonymous"`. */
  owner?: string | undefined;
  /** Aborted when the answer is no longer needed: pass it to the model. A route always sets it. */
  signal?: AbortSignal | undefined;
}

/** An agent's options when called by a route, which always sets these. */
export interface RouteAgentOptions<Types extends ChatTypes = ChatTypes> extends ChatAgentOptions<Types> {
  body: Record<string, unknown>;
  signal: AbortSignal;
}

/** Anything that answers a conversation with chunks. */
export interface ChatAgent<Types extends ChatTypes = ChatTypes> {
  /** Answers the conversation, whose last message is the newest. May return chunks, or a promise of them. */
  streamChat(
    messages: ChatMessage<Types>[],
    options: ChatAgentOptions<Types>,
  ): ChunkIterable<Types> | PromiseLike<ChunkIterable<Types>>;
}

/** @param request - The options besides the fields of the body. */
export function toAgentOptions(
  body: ChatRequestBody,
  request: Pick<ChatAgentOptions, "owner" | "continued"> & { signal: AbortSignal },
): RouteAgentOptions {
  const names = Object.keys(chatRequestFields) as (keyof typeof chatRequestFields)[];
  const forAgent = names.filter((name) => chatRequestFields[name] === "agent");
  return {
    ...Object.fromEntries(forAgent.map((name) => [name, body[name]])),
    body: Object.fromEntries(Object.entries(body).filter(([key]) => !Object.hasOwn(chatRequestFields, key))),
    ...request,
  };
}
