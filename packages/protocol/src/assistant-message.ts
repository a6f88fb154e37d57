/**
 * What an assistant message is: its parts, and how they look when nothing more comes. Its text is in `answer-text.ts`.
 */
import type { ErrorChunk, FileChunk, InterruptChunk, SourceChunk, TokenUsage } from "./chunks.ts";
import type { StructuredStreamState } from "./fold-structured-data.ts";

/**
 * A text, or a piece of the model's reasoning. Without a key it ends where another part begins, so that the parts stand
 * in the order in which they were said; with one, it runs beside them until its `-end` chunk.
 */
export interface TextPart {
  readonly type: "text" | "reasoning";
  /**
   * What tells parallel texts apart: `segmentId ?? opId ?? id` of their chunks; `""` without any. Not unique: render parts
   * by their position.
   */
  readonly key: string;
  /** Empty only between an explicit start and the first delta. */
  readonly text: string;
  readonly state: "streaming" | "done";
  /** The text before stopped here only for a file or an object: in the text of the answer, nothing separates the two. */
  readonly isContinuation?: true | undefined;
  readonly node?: string | undefined;
}

/** A tool call, from the first piece of its input to its result. */
export interface ToolCallPart {
  readonly type: "tool-call";
  /**
   * As the agent chose it. Not unique: once a call has its result, the same id begins another call, and so does each
   * start with an empty id. Render parts by their position.
   */
  readonly toolCallId: string;
  /** `""` until a chunk names the tool. */
  readonly tool: string;
  /** `interrupted`: the stream ended before the tool had answered. */
  readonly state: "input-streaming" | "running" | "done" | "error" | "interrupted";
  /** The JSON text of the input so far; not parsed, because it is not whole. */
  readonly inputText: string;
  /** The input, once it is whole. */
  readonly input?: unknown;
  readonly content?: unknown;
  readonly structuredContent?: unknown;
  /** Why the call failed, from `tool-call-error`. */
  readonly errorMessage?: string | undefined;
  readonly node?: string | undefined;
}

/** A structured object that grows while it is streamed. */
export interface StructuredDataPart extends StructuredStreamState {
  readonly type: "structured-data";
}

/** One part of an assistant message. */
export type MessagePart =
  | TextPart
  | ToolCallPart
  | StructuredDataPart
  | Readonly<InterruptChunk>
  | Readonly<SourceChunk>
  | Readonly<FileChunk>;

/** One assistant message, as far as it has been streamed. Never changes once it was handed out. */
export interface AssistantMessage {
  /** The id of the run that produced it, where there is one. */
  readonly id?: string | undefined;
  readonly parts: readonly MessagePart[];
  /**
   * `aborted` after an `abort` chunk, `truncated` when the stream was cut, `error` when its outcome was one: see
   * {@link ErrorChunk}.
   */
  readonly status: "streaming" | "done" | "aborted" | "error" | "truncated";
  /** The reason of the `abort` chunk. */
  readonly abortReason?: string | undefined;
  /** The error that the stream ended on. */
  readonly error?: Readonly<ErrorChunk> | undefined;
  /** The question that waits for an answer. */
  readonly interrupt?: Readonly<InterruptChunk> | undefined;
  readonly usage?: Readonly<TokenUsage> | undefined;
}

/** @returns the part as it is when nothing more comes: the same object when nothing in it was open. */
export function closePart(part: MessagePart): MessagePart {
  if (part.type === "text" || part.type === "reasoning") {
    return part.state === "done" ? part : { ...part, state: "done" };
  }
  const isOpen = part.type === "tool-call" && part.state !== "done" && part.state !== "error";
  return isOpen ? { ...part, state: "interrupted" } : part;
}
