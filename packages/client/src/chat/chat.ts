/**
 * What a chat is: its state, its options, and what can be done with it. Only types: `create-chat.ts` makes one.
 */
import type { ChatAgentFields, ChatMessage, InterruptChunk, StreamChunk } from "@kortyx/protocol";
import type { RouteStreamOptions } from "../route/stream-from-route.ts";
import type { AssistantUIMessage, UIMessage } from "./messages.ts";
import type { ChatTransport } from "./route-transport.ts";
import type { StoredMessage } from "./stored-message.ts";

/** Where a chat stands. `error`: the last answer failed, and the next one may be requested. */
export type ChatStatus = "ready" | "submitted" | "streaming" | "stopping" | "error";

/** All that a user interface needs to know. Never changes: a newer state is another object. */
export interface ChatSnapshot {
  /** The conversation. A message that has not changed is the same object as in the snapshot before. */
  readonly messages: readonly UIMessage[];
  readonly status: ChatStatus;
  /** What the agent says that it does: the newest `status` chunk, until text follows or the answer ends. */
  readonly statusMessage?: string | undefined;
  /** The connection was lost and is being restored; then the answer continues. */
  readonly reconnecting: boolean;
  /** While `reconnecting`: why the connection was lost, or why the newest attempt failed. */
  readonly connectionError?: Error | undefined;
  /**
   * Why the last answer failed (`status` is `"error"`), or why the last action was refused (`status` stays what it
   * was): `send` while an answer is streaming, or a `stop` that did not reach the server. The next success clears it.
   */
  readonly error?: Error | undefined;
  /** The question that waits for `respond()`. */
  readonly interrupt?: Readonly<InterruptChunk> | undefined;
  /**
   * Keep it, and the messages, to continue after a reload. Missing in a new conversation until the first question is
   * asked, so that nothing random is rendered.
   */
  readonly sessionId?: string | undefined;
  /** Of the last answer. */
  readonly timing?: ChatTiming | undefined;
}

export interface ChatTiming {
  /** When the answer was requested, in milliseconds since 1970-01-01 UTC. */
  readonly startedAt: number;
  /** How long the first chunk took, in milliseconds. */
  readonly firstChunkMs?: number | undefined;
  /** How long it all took, in milliseconds; set when the answer has ended. */
  readonly durationMs?: number | undefined;
}

interface ChatBehaviour
  extends Omit<ChatAgentFields, "sessionId" | "resume">,
    Pick<RouteStreamOptions, "runs" | "onConnectionChange"> {
  /** The session to continue. @defaultValue a new one, a UUID, with the first question */
  sessionId?: string | undefined;
  /**
   * The conversation so far. It may come later, while the chat has no messages: options that are a function are called
   * again before each action, and `useChat` shows what a later render brings. Takes the messages of a snapshot, the
   * `message` and `messages` of a route's `onFinish`, and texts (`{ role, content }`); what is neither is a
   * `ChatStateError` `invalid-message`.
   */
  initialMessages?: readonly StoredMessage[] | undefined;
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

/** The answer to a question: a text, the ids of options, or that it is cancelled, with what the user says instead. */
export type ChatAnswer =
  | string
  | string[]
  | {
      outcome: "cancelled";
      /** The content of the message that cancels. An agent of Kortyx takes it for a new question. @defaultValue `""` */
      reason?: string | undefined;
    };

/**
 * The state of one conversation, and what can be done with it.
 *
 * Every action may be an event handler as it is, such as `onClick={stop}`. A refusal is in the snapshot's `error`, and
 * its promise rejects for callers that wait for it; for all others it is handled.
 */
export interface Chat {
  /** The state that subscribers got last. The same object until the next one. */
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
   * @throws ChatStateError, as a rejection: `busy`; `empty-message` for blank text without metadata; `invalid-message`
   * for what is not a message, such as the event of `onClick={send}`.
   */
  send(input: ChatInput): Promise<void>;
  /**
   * Answers a question of the agent's, or cancels it. The answer goes to the agent as `resume`, and stays in the `metadata`
   * of the message that it adds, so that {@link Chat.regenerate} repeats it, after a reload too.
   *
   * @param answer - A text, the ids of options, or `{ outcome: "cancelled" }`.
   * @throws ChatStateError, as a rejection: `busy`, `not-pending`, or `invalid-message` for another kind of answer.
   *
   * @example
   * ```ts
   * await chat.respond(interrupt, ["apples", "pears"]);
   * await chat.respond(interrupt, { outcome: "cancelled", reason: "Show me the vegetables." });
   * ```
   */
  respond(interrupt: Pick<InterruptChunk, "requestId">, answer: ChatAnswer): Promise<void>;
  /**
   * Asks for another answer to the last thing that the user said, in place of the present one.
   *
   * @throws ChatStateError `busy` or `nothing-to-regenerate`, as a rejection.
   */
  regenerate(): Promise<void>;
  /**
   * Replaces the messages by what the application knows better: a loaded history, a changed or a removed message.
   * Status and session stay.
   *
   * @param messages - The new messages, or a function that gets the present ones and returns the new ones.
   * @throws ChatStateError, as a rejection: `busy`, so that a growing answer is never lost; `invalid-message` for what
   * is not an array of messages.
   */
  setMessages(
    messages: readonly StoredMessage[] | ((messages: readonly UIMessage[]) => readonly StoredMessage[]),
  ): Promise<void>;
  /**
   * Follows the newest run of the session, if it has one: after a reload, or in another tab. Without a session,
   * nothing is requested.
   *
   * @returns a promise that resolves when the run has ended, or at once if the session has none.
   */
  resume(): Promise<void>;
  /**
   * Ends the answer for every follower. Resolves when it has ended; the part that has arrived is kept.
   * Without an id of the run or of its request, or with a transport that cannot stop, it is only left.
   *
   * @throws As a rejection, what the transport's `stop` threw; the answer continues then.
   */
  stop(): Promise<void>;
  /** Stops following the answer; a route with runs continues it. The chat can be used again. */
  close(): void;
  /**
   * Stops the answer, and starts over: no messages, and a new session with the next question.
   *
   * @throws As `stop` does; nothing has changed then.
   */
  clear(): Promise<void>;
}
