/**
 * The body that a client posts to a chat route, the list of its fields, and the buffered result of a route that does
 * not stream. Validation is in `request-schemas.ts`.
 */
import type { ChatTypes } from "./chat-types.ts";
import type { ErrorChunk, StreamChunk, StructuredDataChunk } from "./chunks.ts";

/** One message of the conversation so far. */
export interface ChatMessage<Types extends ChatTypes = ChatTypes> {
  /** Who wrote the message. */
  role: "user" | "assistant" | "system";
  /** The text of the message. */
  content: string;
  /** At most 256 characters. */
  id?: string | undefined;
  /** Milliseconds since 1970-01-01 UTC. */
  timestamp?: number | undefined;
  /** Anything that the application stores with the message. Kortyx agents read `metadata.resume`. */
  metadata?: Types["metadata"] | undefined;
}

/** The answer to an `interrupt`. The token comes from a client: the agent verifies it. */
export type ChatResume = ResumedInterrupt & (AnsweredResume | CancelledResume);

interface ResumedInterrupt {
  /** The `requestId` of the `interrupt`. At most 256 characters. */
  requestId: string;
  /** The `resumeToken` of the `interrupt`, unchanged. */
  resumeToken: string;
}

interface AnsweredResume {
  /** @defaultValue `"answered"` */
  outcome?: "answered" | undefined;
  /**
   * A text, or the ids of options. A single id may be a string or an array of one, for any kind of question:
   * `[answer].flat()` reads both.
   */
  answer: string | string[];
}

interface CancelledResume {
  /** The user does not want to answer. */
  outcome: "cancelled";
  /** Accepted from clients that always send the field. Has no meaning here. */
  answer?: string | string[] | undefined;
  /** The user's words instead of an answer, if any. */
  reason?: string | undefined;
}

/** The fields of a request's body that an agent receives in addition to the messages. */
export interface ChatAgentFields<Types extends ChatTypes = ChatTypes> extends Pick<Types, "context"> {
  /** The conversation that the request continues. At most 256 characters. */
  sessionId?: string | undefined;
  /** Selects a workflow of the agent. At most 256 characters. */
  workflowId?: string | undefined;
  /** The answer to an `interrupt`. Its token comes from the client: the agent verifies it. */
  resume?: ChatResume | undefined;
}

/** What a client posts to a chat route. */
export interface ChatRequestBody<Types extends ChatTypes = ChatTypes> extends ChatAgentFields<Types> {
  /** The conversation so far, oldest message first. */
  messages: ChatMessage<Types>[];
  /** `false` requests one buffered JSON result instead of a stream. */
  stream?: boolean | undefined;
  /** 1 to 128 visible ASCII characters; a repeated POST with the same key attaches to the same run. */
  idempotencyKey?: string | undefined;
}

/**
 * Every field of the body, and whether it is only for the route or also an option of the agent. Parser, route and
 * clients use this list, so a new field needs an edit only here and in the schema.
 */
export const chatRequestFields = {
  messages: "route",
  sessionId: "agent",
  workflowId: "agent",
  context: "agent",
  stream: "route",
  idempotencyKey: "route",
  resume: "agent",
} satisfies { [Field in keyof ChatRequestBody]-?: Field extends keyof ChatAgentFields ? "agent" : "route" };

/** A whole stream as one value: the JSON that a route returns for `stream: false`. */
export interface BufferedStreamResult<Types extends ChatTypes = ChatTypes> {
  /** Every chunk, in order. */
  chunks: StreamChunk<Types>[];
  /** The texts of the answer in order, separated by blank lines: what a chat copies. */
  text: string;
  /** The `structured-data` chunks among `chunks`. */
  structured: StructuredDataChunk<Types>[];
  /** Present when the outcome of the stream was an `error` chunk: see {@link ErrorChunk}. */
  error?: ErrorChunk | undefined;
}
