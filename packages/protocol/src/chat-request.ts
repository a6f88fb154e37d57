/**
 * The body that a client posts to a chat route, with the list of its fields, and the answer of a route that does not
 * stream. Validates nothing: `schemas.ts` does.
 */
import type { ErrorChunk, StreamChunk, StructuredDataChunk } from "./chunks.ts";

/** One message of the conversation so far. */
export interface ChatMessage {
  role: "user" | "assistant" | "system";
  content: string;
  id?: string | undefined;
  /** Milliseconds since 1970-01-01 UTC. */
  timestamp?: number | undefined;
  metadata?: Record<string, unknown> | undefined;
}

/** The answer to an `interrupt`. The token comes from a client: the agent verifies it. */
export type ChatResume = { requestId: string; resumeToken: string } & (AnsweredResume | CancelledResume);

interface AnsweredResume {
  /** @defaultValue `"answered"` */
  outcome?: "answered" | undefined;
  /**
   * A text, or the ids of options. One id may come as a string or as an array of one, whatever the question was:
   * `[answer].flat()` reads both.
   */
  answer: string | string[];
}

interface CancelledResume {
  /** The user does not want to answer. */
  outcome: "cancelled";
  answer?: string | string[] | undefined;
  /** What the user says instead, if anything. */
  reason?: string | undefined;
}

/** The fields of a request's body that an agent gets beside the messages. */
export interface ChatAgentFields {
  /** At most 256 characters, as every id here. */
  sessionId?: string | undefined;
  workflowId?: string | undefined;
  /** Anything the application wants to hand to its agent. */
  context?: Record<string, unknown> | undefined;
  /** The answer to an `interrupt`. Its token comes from the client: the agent verifies it. */
  resume?: ChatResume | undefined;
}

/** What a client posts to a chat route. */
export interface ChatRequestBody extends ChatAgentFields {
  messages: ChatMessage[];
  /** `false` asks for one buffered JSON answer instead of a stream. */
  stream?: boolean | undefined;
  /** 1 to 128 visible ASCII characters; a repeated POST with the same key attaches to the same run. */
  idempotencyKey?: string | undefined;
}

/**
 * Every field of the body, and whether it is the route's own or also an option of the agent. Parser, route and clients
 * work from this list, so that a new field is an edit here and in the schema.
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

/** A whole stream as one value: the JSON that a route answers to `stream: false`. */
export interface BufferedStreamResult {
  /** Every chunk, in order. */
  chunks: StreamChunk[];
  /** The texts of the answer in order, with a blank line between them: what a chat copies of it. */
  text: string;
  /** The `structured-data` chunks among `chunks`. */
  structured: StructuredDataChunk[];
  /** Present when the outcome of the stream was an `error` chunk: see {@link ErrorChunk}. */
  error?: ErrorChunk | undefined;
}
