/**
 * What an assistant message is: its parts, and how they are closed at the end. The rules for its text are in
 * `answer-text.ts`.
 */
import type {
  ChatTypes,
  DataOf,
  DataTypeName,
  PartialData,
  ToolInput,
  ToolName,
  ToolOutput,
} from "./chat-types.ts";
import type { ErrorChunk, InterruptChunk, PartChunk, TokenUsage } from "./chunks.ts";
import type { StructuredStreamState } from "./fold-structured-data.ts";

/**
 * A text, or a piece of the model's reasoning. Without a key it ends where another part begins, so the parts keep the
 * order in which they were said; with one, it runs in parallel with others until its `-end` chunk.
 */
export interface TextPart {
  /** `reasoning` is the model's thinking, not part of the answer. */
  readonly type: "text" | "reasoning";
  /**
   * Distinguishes parallel texts: `segmentId ?? opId ?? id` of their chunks; `""` without any. Not unique: render parts
   * by their position.
   */
  readonly key: string;
  /** Empty only between an explicit start and the first delta. */
  readonly text: string;
  /** `done` once nothing more is added to this text. */
  readonly state: "streaming" | "done";
  /** This continues the text before it, interrupted only by a file or an object: no blank line separates the two. */
  readonly isContinuation?: true | undefined;
  /** The node of the workflow that produced the latest piece. */
  readonly node?: string | undefined;
}

/** A tool call, from the first piece of its input to its result. */
export interface ToolCallPart<Tool extends string = string, Input = unknown, Output = unknown> {
  readonly type: "tool-call";
  /**
   * As the agent chose it. Not unique: once a call has its result, the same id begins another call, and so does each
   * start with an empty id. Render parts by their position.
   */
  readonly toolCallId: string;
  /** `""` until a chunk names the tool. */
  readonly tool: Tool;
  /** `interrupted`: the stream ended before the tool's result. */
  readonly state: "input-streaming" | "running" | "done" | "error" | "interrupted";
  /** The JSON text of the input so far; unparsed, because it is incomplete. */
  readonly inputText: string;
  /** The input, once complete. */
  readonly input?: Input | undefined;
  /** The result, for a model or a user: any JSON value. */
  readonly content?: Output | undefined;
  /** The same result as data for a program, if the tool returned both. */
  readonly structuredContent?: unknown;
  /** Why the call failed, from `tool-call-error`. */
  readonly errorMessage?: string | undefined;
  /** The node of the workflow that made the call. */
  readonly node?: string | undefined;
}

interface GrowingDataPart<DataType extends string, Data>
  extends StructuredStreamState<PartialData<Data> | undefined> {
  readonly type: "structured-data";
  readonly dataType: DataType;
  readonly status: "streaming";
}

interface FinalDataPart<DataType extends string, Data> extends StructuredStreamState<Data> {
  readonly type: "structured-data";
  readonly dataType: DataType;
  readonly status: "done";
}

/** A structured object. While it is streamed, anything in it may be missing. */
export type StructuredDataPart<DataType extends string = string, Data = unknown> =
  | GrowingDataPart<DataType, Data>
  | FinalDataPart<DataType, Data>;

/**
 * One part of an assistant message, told apart by `type`; with declared types, tool calls also by `tool`, and structured
 * objects by `dataType`.
 */
export type MessagePart<Types extends ChatTypes = ChatTypes> =
  | TextPart
  | {
      [Tool in ToolName<Types>]: ToolCallPart<Tool, ToolInput<Types, Tool>, ToolOutput<Types, Tool>>;
    }[ToolName<Types>]
  | { [Name in DataTypeName<Types>]: StructuredDataPart<Name, DataOf<Types, Name>> }[DataTypeName<Types>]
  | Readonly<PartChunk>;

/** One assistant message, as streamed so far. Immutable once handed out. */
export interface AssistantMessage<Types extends ChatTypes = ChatTypes> {
  /** The id of the run that produced it, if any. */
  readonly id?: string | undefined;
  /** In the order in which they began. */
  readonly parts: readonly MessagePart<Types>[];
  /**
   * `aborted` after an `abort` chunk, `truncated` when the stream was cut off, `error` when it ended on an `error`
   * chunk: see {@link ErrorChunk}.
   */
  readonly status: "streaming" | "done" | "aborted" | "error" | "truncated";
  /** The reason of the `abort` chunk. */
  readonly abortReason?: string | undefined;
  /** The error that the stream ended on. */
  readonly error?: Readonly<ErrorChunk> | undefined;
  /** The question that is waiting for an answer. */
  readonly interrupt?: Readonly<InterruptChunk> | undefined;
  /** The tokens that the answer cost, from `done`. */
  readonly usage?: Readonly<TokenUsage> | undefined;
}

/** @returns the part as closed at the end of the stream: the same object if nothing in it was open. */
export function closePart(part: MessagePart): MessagePart {
  if (part.type === "text" || part.type === "reasoning") {
    return part.state === "done" ? part : { ...part, state: "done" };
  }
  const isOpen = part.type === "tool-call" && part.state !== "done" && part.state !== "error";
  return isOpen ? { ...part, state: "interrupted" } : part;
}
