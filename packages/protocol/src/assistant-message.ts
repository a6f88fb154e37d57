/**
 * What an assistant message is: its parts, and how they are closed at the end. The rules for its text are in
 * `answer-text.ts`.
 */
import type {
  ChatTypes,
  DataName,
  DataOf,
  DataTypeName,
  DataValue,
  PartialData,
  ToolInput,
  ToolName,
  ToolOutput,
} from "./chat-types.ts";
import type {
  CheckpointChunk,
  Citation,
  DataChunk,
  ErrorChunk,
  FileChunk,
  FinishReason,
  InterruptChunk,
  InterruptResolvedChunk,
  ModelUsage,
  ProviderMetadata,
  SourceChunk,
  TokenUsage,
  ToolExecutor,
  TraceChunk,
} from "./chunks.ts";
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
  /** Empty between an explicit start and the first delta, and where the provider has hidden it. */
  readonly text: string;
  /** `done` once nothing more is added to this text. */
  readonly state: "streaming" | "done";
  /** This continues the text before it, interrupted only by files, data or objects: no blank line between them. */
  readonly isContinuation?: true | undefined;
  /** The sources that the text quotes. Their ranges count in the text of all parts of the segment. */
  readonly citations?: readonly Citation[] | undefined;
  /** What the provider wants back in a later request. */
  readonly providerMetadata?: ProviderMetadata | undefined;
  /** The node of the workflow that began the part. */
  readonly node?: string | undefined;
}

/**
 * The state of a tool call. `awaiting-approval`: an open question is about it. `awaiting-client`: the client must run it.
 * `denied`: a person or a policy has refused it. `interrupted`: the stream ended before the tool's result, or a question
 * about the call was closed without an answer, and nothing is waited for.
 */
export type ToolCallState =
  | "input-streaming"
  | "running"
  | "awaiting-approval"
  | "awaiting-client"
  | "done"
  | "error"
  | "denied"
  | "interrupted";

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
  /** What has become of the call so far. */
  readonly state: ToolCallState;
  /** The JSON text of the input so far; unparsed, because it is incomplete. */
  readonly inputText: string;
  /** The input, once complete. */
  readonly input?: Input | undefined;
  /** The result, for a model or a user; while the tool runs, the result so far. Any JSON value. */
  readonly content?: Output | undefined;
  /** The same result as data for a program, if the tool returned both. */
  readonly structuredContent?: unknown;
  /** Why the call failed, from `tool-call-error`, or was denied, from `tool-call-denied` or `interrupt-resolved`. */
  readonly errorMessage?: string | undefined;
  /** The `code` of `tool-call-error`. */
  readonly errorCode?: string | undefined;
  /** Who runs the tool; absent for the server. */
  readonly executor?: ToolExecutor | undefined;
  /** For the user: "Searching the web". */
  readonly title?: string | undefined;
  /** What `inputText` is; absent for JSON. */
  readonly inputFormat?: "json" | "text" | (string & {}) | undefined;
  /** The text that the call belongs to: its `segmentId`. */
  readonly parentSegmentId?: string | undefined;
  /** The application does not know the tool's types. */
  readonly isDynamic?: boolean | undefined;
  /** Sent back with the result of a call that the client runs. */
  readonly resumeToken?: string | undefined;
  /** What the provider wants back in a later request. */
  readonly providerMetadata?: ProviderMetadata | undefined;
  /** What the provider wants back with the result. */
  readonly resultProviderMetadata?: ProviderMetadata | undefined;
  /** The node of the workflow, as a chunk of the call has named it last. */
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

/** A question to the user, and what became of it. */
export interface InterruptPart extends Readonly<InterruptChunk> {
  /** How the question was closed; absent if it was not. */
  readonly resolution?: Readonly<InterruptResolvedChunk> | undefined;
}

/** A step begins here: one call of the model, with the tools that run because of it. */
export interface StepPart {
  readonly type: "step";
  /** Names the step within its message. */
  readonly stepId: string;
  /** For the user. */
  readonly name?: string | undefined;
  /** `done` once its `step-end` has come, or its stream has ended. */
  readonly state: "running" | "done";
  /** Why the model stopped. */
  readonly finishReason?: FinishReason | undefined;
  /** The tokens of this step. */
  readonly usage?: Readonly<TokenUsage> | undefined;
  /** The model that took the step. */
  readonly model?: string | undefined;
}

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
  | { [Name in DataName<Types>]: Readonly<DataChunk<Name, DataValue<Types, Name>>> }[DataName<Types>]
  | InterruptPart
  | StepPart
  | Readonly<SourceChunk>
  | Readonly<FileChunk>;

/** One assistant message, as streamed so far. Immutable once handed out. */
export interface AssistantMessage<Types extends ChatTypes = ChatTypes> {
  /** The id of the run that produced it, if any; of a continued message, its id before that. */
  readonly id?: string | undefined;
  /** Of a message that was continued: the id of the latest run that did. */
  readonly runId?: string | undefined;
  /** In the order in which they began. */
  readonly parts: readonly MessagePart<Types>[];
  /**
   * `aborted` after an `abort` chunk, or when the user left; `truncated` when the stream was cut off, `error` when it ended
   * on an `error` chunk: see {@link ErrorChunk}.
   */
  readonly status: "streaming" | "done" | "aborted" | "error" | "truncated";
  /** The reason of the `abort` chunk. */
  readonly abortReason?: string | undefined;
  /** The error that the stream ended on. */
  readonly error?: Readonly<ErrorChunk> | undefined;
  /** The newest of `interrupts`. */
  readonly interrupt?: Readonly<InterruptChunk> | undefined;
  /** The questions that are open, oldest first; absent if there are none. */
  readonly interrupts?: readonly Readonly<InterruptChunk>[] | undefined;
  /** Why the answer ended, from `done`. */
  readonly finishReason?: FinishReason | undefined;
  /** The tokens that the answer cost, from `done`; of an answer that was continued, the sum. */
  readonly usage?: Readonly<TokenUsage> | undefined;
  /** The same by model. */
  readonly usageByModel?: readonly Readonly<ModelUsage>[] | undefined;
  /** What `metadata` chunks have said. Any key may be missing. */
  readonly metadata?: Readonly<Partial<NonNullable<Types["metadata"]>>> | undefined;
  /** The latest `checkpoint`: the session can return to it. */
  readonly checkpoint?: Readonly<CheckpointChunk> | undefined;
  /** The latest `trace`. */
  readonly trace?: Readonly<TraceChunk> | undefined;
}

/** Whether a tool call has ended: with a result, a failure or a refusal. Nothing reopens it. */
export const isFinishedCall = (state: ToolCallState): boolean =>
  state === "done" || state === "error" || state === "denied";

/** Whether calls and questions wait after a `done` with this reason. */
export const waitsAfter = (finishReason: FinishReason | undefined): boolean =>
  // Null if the chunk was never repaired.
  (finishReason ?? "interrupt") === "interrupt" || finishReason === "tool-calls";

/**
 * @param isWaiting - Calls keep waiting for a person or the client: see {@link waitsAfter}.
 * @returns the part as closed at the end of the stream: the same object if nothing in it was open.
 */
export function closePart(part: MessagePart, isWaiting = false): MessagePart {
  switch (part.type) {
    case "text":
    case "reasoning":
    case "step":
      return part.state === "done" ? part : { ...part, state: "done" };
    case "tool-call": {
      const { state } = part;
      const isAwaited = isWaiting && (state === "awaiting-approval" || state === "awaiting-client");
      return isAwaited || isFinishedCall(state) || state === "interrupted"
        ? part
        : { ...part, state: "interrupted" };
    }
    default:
      return part;
  }
}
