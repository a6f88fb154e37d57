/**
 * What a chat is: its state, options and actions. Types only; `create-chat.ts` creates one.
 */
import type {
  ChatAgentFields,
  ChatMessage,
  ChatTypes,
  FileMessagePart,
  InterruptChunk,
  StreamChunk,
  ToolCallPart,
} from "@kortyx/protocol";
import type { RouteStreamOptions } from "../route/stream-from-route.ts";
import type { ChatTools } from "./chat-tools.ts";
import type { AssistantUIMessage, UIMessage } from "./messages.ts";
import type { ChatTransport } from "./route-transport.ts";
import type { StoredMessage } from "./stored-message.ts";

/** The status of a chat. `error`: the last answer failed; another one may be requested. */
export type ChatStatus = "ready" | "submitted" | "streaming" | "stopping" | "error";

/** All the state that a user interface needs. Immutable: a newer state is a new object. */
export interface ChatSnapshot<Types extends ChatTypes = ChatTypes> {
  /** The conversation. An unchanged message is the same object as in the previous snapshot. */
  readonly messages: readonly UIMessage<Types>[];
  /** Whether an answer is requested, streaming or failed. */
  readonly status: ChatStatus;
  /** The agent's progress: the latest `status` chunk, until text follows or the answer ends. */
  readonly statusMessage?: string | undefined;
  /** The connection was lost, or could not be made, and is being restored; the answer then continues. */
  readonly reconnecting: boolean;
  /** While `reconnecting`: why the connection was lost, or why the latest attempt failed. */
  readonly connectionError?: Error | undefined;
  /**
   * Why the last answer failed (`status` is `"error"`), or why the last action was refused (`status` stays as it was):
   * `send` while an answer is streaming, or a `stop` that did not reach the server. The next success clears it.
   */
  readonly error?: Error | undefined;
  /** The newest of `interrupts`. */
  readonly interrupt?: Readonly<InterruptChunk> | undefined;
  /**
   * The questions that wait for an answer, oldest first. Those with a `toolCallId` wait for `approve()`, `deny()` or
   * `edit()`, the others for `respond()`. Empty while an answer is requested or streaming.
   */
  readonly interrupts: readonly Readonly<InterruptChunk>[];
  /**
   * Save it, and the messages, to continue after a reload. Missing in a new conversation until the first message, so
   * that nothing random is rendered.
   */
  readonly sessionId?: string | undefined;
  /** How long the last answer took. */
  readonly timing?: ChatTiming | undefined;
}

/** How long an answer took. */
export interface ChatTiming {
  /** When the answer was requested, in milliseconds since 1970-01-01 UTC. */
  readonly startedAt: number;
  /** Time to the first chunk, in milliseconds. */
  readonly firstChunkMs?: number | undefined;
  /** Total duration, in milliseconds; set when the answer has ended. */
  readonly durationMs?: number | undefined;
}

/** The fields of a request that a chat sets itself. */
export type FieldsOfChat =
  | "sessionId"
  | "resume"
  | "resumes"
  | "toolResults"
  | "tools"
  | "trigger"
  | "messageId";

interface ChatBehaviour<Types extends ChatTypes>
  extends Omit<ChatAgentFields<Types>, FieldsOfChat>,
    Pick<RouteStreamOptions, "runs" | "onConnectionChange"> {
  /** The session to continue. @defaultValue a new UUID, created with the first message */
  sessionId?: string | undefined;
  /**
   * The conversation so far. It may arrive later, while the chat has no messages: an options function is called again
   * before each action, and `useChat` shows those of a later render. Accepts messages of a snapshot, the `message` and
   * `messages` of a route's `onFinish`, and texts of the user or the assistant (`{ role, content }`); any other message is
   * a `ChatStateError` `invalid-message`, and what is no array a `TypeError`.
   */
  initialMessages?: readonly StoredMessage<Types>[] | undefined;
  /**
   * Selects the messages that are sent to the agent. For an agent that keeps its own sessions, use
   * `(messages) => messages.slice(-1)`.
   *
   * @defaultValue all messages that are not empty
   */
  selectMessages?: ((messages: ChatMessage<Types>[]) => ChatMessage<Types>[]) | undefined;
  /**
   * What is sent of earlier answers: their texts, or also their tool calls with the results, files, data and reasoning.
   *
   * @defaultValue `"parts"` once the route has shown that it reads them, by `acceptsParts` of its `run-start`, and for
   * the rest of an answer that has asked for an approval or called a tool of this page; `"text"` before
   */
  history?: "text" | "parts" | undefined;
  /**
   * The most bytes of JSON that the messages of a request may take. The oldest exchanges are left out; the last user
   * message and what follows it are always sent, or the answer fails with a `ChatStateError` `too-large`. A route that
   * accepts larger bodies (`maxBodyBytes`) needs a larger value here; `Infinity` never trims.
   *
   * @defaultValue 1,000,000
   */
  maxHistoryBytes?: number | undefined;
  /**
   * Tools that run here, by name, when the agent calls them with `executor: "client"`. A chat runs those of answers that
   * it requested, each call once, and sends the results when no question is open and no call is left without a result.
   * After a reload, or in another tab, {@link Chat.runTools} runs them.
   */
  tools?: ChatTools<Types> | undefined;
  /**
   * Uploads a `File` that is sent. Returns the absolute URL under which the agent can load it, and any other field of the
   * part. If it throws, the message is not sent. `signal` is aborted when the chat is stopped or closed.
   *
   * @defaultValue the file becomes a `data:` URL, which counts in the size of this and every later request
   */
  uploadFile?:
    | ((file: File, options: { signal: AbortSignal }) => Promise<UploadedFile> | UploadedFile)
    | undefined;
  /** Called with every chunk, before the state shows it. If it throws, the answer fails. */
  onChunk?: ((chunk: StreamChunk<Types>) => void) | undefined;
  /**
   * Called when an answer has ended, for any reason; `message` is missing if it failed or was left before its first
   * chunk. Not called for a `resume` that shows no run.
   */
  onFinish?:
    | ((result: { message?: AssistantUIMessage<Types> | undefined; error?: Error | undefined }) => void)
    | undefined;
}

/** A chat over a route, or over the application's own transport. */
export type ChatOptions<Types extends ChatTypes = ChatTypes> = ChatBehaviour<Types> &
  (
    | (Omit<RouteStreamOptions, "signal"> & {
        /** Only instead of a route. */
        transport?: undefined;
      })
    | {
        /** Reaches the agent in another way than over a route. */
        transport: ChatTransport<Types>;
        /** Only without a transport. */
        endpoint?: undefined;
      }
  );

/** Where an uploaded file can be loaded. The other fields of its part default to those of the `File`. */
export type UploadedFile = Pick<FileMessagePart, "url"> & Partial<FileMessagePart>;

/** What the user says: a text, or a message whose `id` may replace an earlier one. */
export type ChatInput<Types extends ChatTypes = ChatTypes> =
  | string
  | (Omit<ChatMessage<Types>, "role"> & {
      /** Attachments, in addition to `parts`. A `File` goes through the option `uploadFile` first. */
      files?: ArrayLike<File | FileMessagePart> | undefined;
    });

/**
 * The answer to a question: a text, the ids of options, or a cancellation, with the user's words instead. For a question
 * of kind `json` any JSON value but a cancellation.
 */
export type ChatAnswer =
  | string
  | string[]
  | {
      outcome: "cancelled";
      /** The content of the message that cancels. A Kortyx agent treats it as a new question. @defaultValue `""` */
      reason?: string | undefined;
    }
  | object
  | number
  | boolean
  | null;

/** The answer to one of several questions. */
export interface InterruptResponse {
  /** The question. */
  interrupt: Pick<InterruptChunk, "requestId">;
  /** As of {@link Chat.respond}; for a tool call `"approve"`, `"deny"` or `"edit"`. */
  answer: ChatAnswer;
  /** The changed input of a tool call, with `"edit"`. */
  input?: unknown;
  /** The user's words, such as why a call is denied. */
  reason?: string | undefined;
}

/** A tool call of an answer: its part, or its id. */
type CallReference = Pick<ToolCallPart, "toolCallId">;

/**
 * The state of one conversation, and the actions on it.
 *
 * Every action can be passed directly as an event handler, such as `onClick={stop}`. A refused action sets the
 * snapshot's `error` and rejects for callers that await it; for all others the rejection is handled.
 */
export interface Chat<Types extends ChatTypes = ChatTypes> {
  /** The state that subscribers received last. The same object until the next one. */
  getSnapshot(): ChatSnapshot<Types>;
  /**
   * Calls back immediately and whenever the state changes: status changes at once, growing text once per frame.
   *
   * @returns a function that unsubscribes.
   */
  subscribe(listener: (snapshot: ChatSnapshot<Types>) => void): () => void;
  /**
   * Sends a message. With the `id` of an earlier message, replaces that message and drops everything after it.
   *
   * @returns a promise that resolves when the answer has ended, for any reason, and so have the tools that it calls here and
   * the rest of the answer.
   * @throws ChatStateError, as a rejection: `busy`; `empty-message` for blank text without anything else; `invalid-message`
   * for a value that is not a message, such as the event of `onClick={send}`, and for a file whose URL is relative or
   * could run as a program; the error of `uploadFile`.
   */
  send(input: ChatInput<Types>): Promise<void>;
  /**
   * Answers several questions in one request, with the decisions that {@link Chat.approve} has collected. What the agent
   * does then continues the message that asked. It may leave the other questions open.
   *
   * @throws ChatStateError, as a rejection: as for one question, and `invalid-message` for the same question twice; then
   * none is answered.
   *
   * @example
   * ```ts
   * const chat = createChat({ endpoint: "/api/chat" });
   * await chat.send("Book me a trip.");
   * const { interrupts } = chat.getSnapshot();
   * const responses = interrupts.map((interrupt) => ({ interrupt, answer: "As you like" }));
   * if (responses.length > 0) await chat.respond(responses);
   * ```
   */
  respond(responses: readonly InterruptResponse[]): Promise<void>;
  /**
   * Answers or cancels a question from the agent.
   *
   * The answer to a single question of texts or options adds a user message. It is sent to the agent as `resume` and
   * stored in the `metadata` of that message, so that {@link Chat.regenerate} repeats it, even after a reload. If the
   * question asks for JSON or is about a tool call, no message is added: the answer is sent in `resumes`, and what the
   * agent does then continues the message that asked. The same holds for one of several questions in a message, if the
   * route has shown by `acceptsParts` of a `run-start`, or by a question about a call, that it reads parts.
   *
   * @param answer - A text, the ids of options, or `{ outcome: "cancelled" }`; any JSON value for the kind `json`.
   * @throws ChatStateError, as a rejection: `busy`, `not-pending`, or `invalid-message` for another kind of answer.
   *
   * @example
   * ```ts
   * const chat = createChat({ endpoint: "/api/chat" });
   * await chat.send("What fruit do you have?");
   * const { interrupt } = chat.getSnapshot();
   * if (interrupt) await chat.respond(interrupt, ["apples", "pears"]);
   * ```
   */
  respond(interrupt: Pick<InterruptChunk, "requestId">, answer: ChatAnswer): Promise<void>;
  /**
   * Approves a tool call whose `state` is `awaiting-approval`. Decisions about the calls of a message are collected: their
   * questions are open no more, and one request has all of them when the last is made. What the agent does then continues
   * the message. `respond([…])` sends some decisions at once.
   *
   * @returns a promise that resolves when the answer has ended; at once if another call is undecided.
   * @throws ChatStateError, as a rejection: `busy`; `not-pending` if no question is open about this call;
   * `invalid-message` if its question does not offer this decision.
   *
   * @example
   * ```ts
   * const chat = createChat({ endpoint: "/api/chat" });
   * await chat.send("Pay the invoice.");
   * for (const { toolCallId } of chat.getSnapshot().interrupts) {
   *   if (toolCallId !== undefined) await chat.approve({ toolCallId });
   * }
   * ```
   */
  approve(call: CallReference): Promise<void>;
  /**
   * Refuses a tool call whose `state` is `awaiting-approval`.
   *
   * @param reason - The user's words, for the agent.
   * @throws As {@link Chat.approve} does.
   */
  deny(call: CallReference, reason?: string): Promise<void>;
  /**
   * Approves a tool call with another input, if its question has the option `edit`.
   *
   * @param input - The whole new input, any JSON value.
   * @throws As {@link Chat.approve} does.
   */
  edit(call: CallReference, input: unknown): Promise<void>;
  /**
   * Runs the tools that the last answer waits for, and sends their results: after a reload, or after a stop or a failed
   * request. Calls that have run here are not run again, and those that are running are waited for.
   *
   * @throws ChatStateError, as a rejection: `busy`, or `not-pending` if the last answer waits for no tool.
   */
  runTools(): Promise<void>;
  /**
   * Requests another answer to the last user message, replacing the current one. If the request for the rest of an answer
   * has failed, repeats that request instead, with the same decisions, answers and results; what had arrived stays.
   *
   * @throws ChatStateError `busy` or `nothing-to-regenerate`, as a rejection.
   */
  regenerate(): Promise<void>;
  /**
   * Replaces the messages, for example with a loaded history, or with a message changed or removed. Status and session
   * stay the same.
   *
   * @param messages - The new messages, or a function that receives the current ones and returns the new ones.
   * @throws ChatStateError, as a rejection: `busy`, so that a growing answer is never lost; `invalid-message` for a
   * value that is not an array of messages.
   */
  setMessages(
    messages:
      | readonly StoredMessage<Types>[]
      | ((messages: readonly UIMessage<Types>[]) => readonly StoredMessage<Types>[]),
  ): Promise<void>;
  /**
   * Follows the latest run of the session, if it has one: after a reload, or in another tab. Without a session, or with a
   * transport that cannot resume, it makes no request. A failure becomes the snapshot's `error`.
   *
   * @returns a promise that resolves when the run has ended, or as soon as it is known that there is none; while an answer
   * is streaming, when that has ended.
   */
  resume(): Promise<void>;
  /**
   * Stops the answer for every follower. Resolves when it has ended; the part that has arrived is kept. Without an id
   * of the run or of its request, or with a transport that cannot stop, the chat only stops following it. Also aborts
   * the tools that run here, and an upload.
   *
   * @throws As a rejection, the error of the transport's `stop`; the answer then continues.
   */
  stop(): Promise<void>;
  /**
   * Stops following the answer; a route with runs continues it. Aborts the tools that run here, and an upload. The chat
   * can be used again.
   */
  close(): void;
  /**
   * Stops the answer and starts over: removes all messages, and creates a new session with the next message.
   *
   * @throws As `stop` does; the chat is then unchanged.
   */
  clear(): Promise<void>;
}
