/**
 * What a chat is: its state, its options, and what can be done with it. Only types: `create-chat.ts` makes one.
 */
import type { ChatMessage, ChatRequestBody, InterruptChunk, StreamChunk } from "@kortyx/protocol";
import type { ChatTransport } from "./chat-transport.ts";
import type { RouteStreamOptions } from "./stream-from-route.ts";
import type { AssistantUIMessage, UIMessage } from "./ui-message.ts";

/** Where a chat stands. `error`: the last answer failed, and the next one may be asked for. */
export type ChatStatus = "ready" | "submitted" | "streaming" | "stopping" | "error";

/** All that a user interface needs to know. Never changes: a newer state is another object. */
export interface ChatSnapshot {
  /** The conversation. A message that has not changed is the same object as in the snapshot before. */
  readonly messages: readonly UIMessage[];
  readonly status: ChatStatus;
  /** The connection was lost and is being restored; the answer goes on after that. */
  readonly reconnecting: boolean;
  /** While `reconnecting`: why the connection was lost, or why the newest attempt failed. */
  readonly connectionError?: Error | undefined;
  /** Why the last answer failed. */
  readonly error?: Error | undefined;
  /** The question that waits for `respond()`. */
  readonly interrupt?: Readonly<InterruptChunk> | undefined;
  /** Keep it, and the messages, to go on after a reload. */
  readonly sessionId: string;
  /** Of the last answer. */
  readonly timing?: ChatTiming | undefined;
}

export interface ChatTiming {
  /** When the answer was asked for, in milliseconds since 1970-01-01 UTC. */
  readonly startedAt: number;
  /** How long the first chunk took, in milliseconds. */
  readonly firstChunkMs?: number | undefined;
  /** How long it all took, in milliseconds; set when the answer has ended. */
  readonly durationMs?: number | undefined;
}

interface ChatBehaviour
  extends Pick<ChatRequestBody, "workflowId" | "context">,
    Pick<RouteStreamOptions, "idempotent" | "onConnectionChange"> {
  /** The session to go on with. @defaultValue a new one */
  sessionId?: string | undefined;
  /** The conversation so far. */
  initialMessages?: readonly UIMessage[] | undefined;
  /**
   * What the agent is sent of the conversation.
   *
   * @defaultValue everything that was said; an agent that keeps its sessions wants `(messages) => messages.slice(-1)`
   */
  selectMessages?: ((messages: ChatMessage[]) => ChatMessage[]) | undefined;
  /** Called with every chunk, before the state shows it. What it throws fails the answer. */
  onChunk?: ((chunk: StreamChunk) => void) | undefined;
  /**
   * Called when an answer has ended, in whatever way; `message` is missing when it failed or was left before anything of
   * it came.
   */
  onFinish?:
    | ((result: { message?: AssistantUIMessage | undefined; error?: Error | undefined }) => void)
    | undefined;
}

/** A chat over a route, or over a transport of the application's own. */
export type ChatOptions = ChatBehaviour &
  (
    | (Omit<RouteStreamOptions, "signal"> & { transport?: undefined })
    | { transport: ChatTransport; endpoint?: undefined }
  );

/** What the user says: a text, or a message whose `id` may replace an earlier one. */
export type ChatInput = string | Omit<ChatMessage, "role">;

/** The state of one conversation, and what can be done with it. */
export interface Chat {
  /** The state as it was last told to the subscribers. The same object until then. */
  getSnapshot(): ChatSnapshot;
  /**
   * Calls back at once and whenever the state has changed: a change of status at once, growing text once per frame.
   *
   * @returns a function that ends it.
   */
  subscribe(listener: (snapshot: ChatSnapshot) => void): () => void;
  /**
   * Says something. With the `id` of an earlier message, that message is replaced, and what followed it is dropped.
   *
   * @returns a promise that resolves when the answer has ended, in whatever way.
   * @throws ChatStateError `busy`, as a rejection.
   */
  send(input: ChatInput): Promise<void>;
  /**
   * Answers a question of the agent's.
   *
   * @param answer - A text, or the ids of options.
   * @throws ChatStateError `busy` or `not-pending`, as a rejection.
   */
  respond(interrupt: Pick<InterruptChunk, "requestId">, answer: string | string[]): Promise<void>;
  /**
   * Asks for another answer to the last thing that the user said, in place of the one that is there.
   *
   * @throws ChatStateError `busy` or `nothing-to-regenerate`, as a rejection.
   */
  regenerate(): Promise<void>;
  /**
   * Follows the newest run of the session, if there is one: after a reload, or in another tab.
   *
   * @returns a promise that resolves when there is none, or when it has ended.
   */
  resume(): Promise<void>;
  /**
   * Ends the answer, for everybody who follows it. Resolves when it has ended; what has come is kept.
   * Without an id of the run or of its request, or with a transport that cannot stop, it is only left.
   *
   * @throws As a rejection, what the transport's `stop` threw; the answer goes on then.
   */
  stop(): Promise<void>;
  /** Stops following the answer, which a route with runs goes on with. The chat can be used again. */
  close(): void;
  /**
   * Stops the answer, and starts over: no messages, a new session.
   *
   * @throws As `stop` does; nothing has changed then.
   */
  clear(): Promise<void>;
}
