/**
 * The chunks that travel on a stream, as plain interfaces made to be read on hover.
 * The zod schemas live in `chunk-schemas.ts`, the checker that readers run in `check-chunk.ts`.
 */
import type { ChatTypes, DataOf, DataTypeName, ToolInput, ToolName, ToolOutput } from "./chat-types.ts";

/** Where a chunk comes from. All three are free-form names chosen by the agent. */
export interface ChunkOrigin {
  /** The node of the workflow that produced the chunk. */
  node?: string | undefined;
  /** Groups chunks of one logical part when they have no `segmentId` or `opId`. */
  id?: string | undefined;
  /** The operation inside the node that produced the chunk. */
  opId?: string | undefined;
}

/** Names the session that the stream belongs to. */
export interface SessionChunk {
  type: "session";
  sessionId: string;
}

/** First entry of every run's log: it makes the run addressable before its first token. */
export interface RunStartChunk {
  type: "run-start";
  /** Minted by the server; also the id of the assistant message that the run produces. */
  runId: string;
  sessionId?: string | undefined;
  /** The user's message that began the run. */
  input?: unknown;
}

/** A point in the session that the agent can return to. */
export interface CheckpointChunk {
  type: "checkpoint";
  id: string;
  sessionId: string;
  /** Integer >= 0. */
  turnIndex: number;
  label?: string | undefined;
}

/** Identifiers of a tracing system. `runId` is the tracer's, unrelated to {@link RunStartChunk.runId}. */
export interface TraceChunk {
  type: "trace";
  traceId: string;
  spanId: string;
  runId: string;
  rootSpanName: string;
}

/** A line of progress for the user ("Searching the docs"), not part of the answer. */
export interface StatusChunk {
  type: "status";
  message: string;
  node?: string | undefined;
}

/** A whole text at once, from agents that do not stream it. */
export interface MessageChunk {
  type: "message";
  content: string;
  node?: string | undefined;
}

/** Opens a text, also before its first delta. Optional: a delta opens its text by itself. */
export interface TextStartChunk extends ChunkOrigin {
  type: "text-start";
  segmentId?: string | undefined;
}

/**
 * The next piece of a text. Texts that run in parallel are told apart by `segmentId ?? opId ?? id`; a text without any of
 * them ends where another part begins.
 */
export interface TextDeltaChunk extends ChunkOrigin {
  type: "text-delta";
  delta: string;
  segmentId?: string | undefined;
}

/** Closes a text. */
export interface TextEndChunk extends ChunkOrigin {
  type: "text-end";
  segmentId?: string | undefined;
}

/** Opens a piece of the model's reasoning. */
export interface ReasoningStartChunk extends ChunkOrigin {
  type: "reasoning-start";
  segmentId?: string | undefined;
}

/** The next piece of reasoning. */
export interface ReasoningDeltaChunk extends ChunkOrigin {
  type: "reasoning-delta";
  delta: string;
  segmentId?: string | undefined;
}

/** Closes a piece of reasoning. */
export interface ReasoningEndChunk extends ChunkOrigin {
  type: "reasoning-end";
  segmentId?: string | undefined;
}

/** A tool call begins. `input` is absent while it is being streamed. */
export interface ToolCallStartChunk<Tool extends string = string, Input = unknown> extends ChunkOrigin {
  type: "tool-call-start";
  tool: Tool;
  /** Names the call until its result or failure; after that, the same id begins another call. */
  toolCallId: string;
  input?: Input | undefined;
}

/** The next piece of the JSON text of a tool call's input. */
export interface ToolCallDeltaChunk<Tool extends string = string> extends ChunkOrigin {
  type: "tool-call-delta";
  toolCallId: string;
  delta: string;
  tool?: Tool | undefined;
}

/** The streamed input of a tool call, whole. */
export interface ToolCallReadyChunk<Tool extends string = string, Input = unknown> extends ChunkOrigin {
  type: "tool-call-ready";
  tool: Tool;
  toolCallId: string;
  /** Any JSON value; `null` where the tool takes nothing. */
  input: Input;
}

/** What a tool call returned. `isError` marks a result that the tool itself reports as a failure. */
export interface ToolCallResultChunk<Tool extends string = string, Output = unknown> extends ChunkOrigin {
  type: "tool-call-result";
  tool: Tool;
  toolCallId: string;
  /** Any JSON value: a text, or blocks of content. */
  content: Output;
  structuredContent?: unknown;
  isError?: boolean | undefined;
}

/** A tool call failed without a result. */
export interface ToolCallErrorChunk<Tool extends string = string> extends ChunkOrigin {
  type: "tool-call-error";
  tool: Tool;
  toolCallId: string;
  message: string;
}

/** Legacy form of a tool's result, without a call id. */
export interface ToolResultChunk {
  type: "tool-result";
  /** Any JSON value. */
  content: unknown;
  tool?: string | undefined;
  node?: string | undefined;
}

interface StructuredDataBase<DataType> {
  type: "structured-data";
  /** Chunks with the same `streamId` build one object. */
  streamId: string;
  /** What the object is, for the UI that renders it ("recipe", "comparison"). */
  dataType: DataType;
  schemaId?: string | undefined;
  schemaVersion?: string | undefined;
  id?: string | undefined;
  node?: string | undefined;
}

/** Puts `value` at `path`. */
export interface StructuredDataSetChunk<DataType extends string = string>
  extends StructuredDataBase<DataType> {
  kind: "set";
  /** Dot path; a numeric segment indexes an array: `"steps.0.title"`. */
  path: string;
  value: unknown;
}

/** Adds items to the end of the array at `path`. */
export interface StructuredDataAppendChunk<DataType extends string = string>
  extends StructuredDataBase<DataType> {
  kind: "append";
  path: string;
  items: unknown[];
}

/** Adds text to the end of the string at `path`. */
export interface StructuredDataTextDeltaChunk<DataType extends string = string>
  extends StructuredDataBase<DataType> {
  kind: "text-delta";
  path: string;
  delta: string;
}

/** The whole object; nothing may follow it. */
export interface StructuredDataFinalChunk<DataType extends string = string, Data = unknown>
  extends StructuredDataBase<DataType> {
  kind: "final";
  data: Data;
}

/** One step in building a structured object that the UI shows while it grows. */
export type StructuredDataChunk<Types extends ChatTypes = ChatTypes> = {
  [Name in DataTypeName<Types>]:
    | StructuredDataSetChunk<Name>
    | StructuredDataAppendChunk<Name>
    | StructuredDataTextDeltaChunk<Name>
    | StructuredDataFinalChunk<Name, DataOf<Types, Name>>;
}[DataTypeName<Types>];

/** The object of `streamId` no longer holds, because the session went back to a checkpoint. */
export interface StructuredDataInvalidatedChunk {
  type: "structured-data-invalidated";
  streamId: string;
  checkpointId: string;
}

interface InterruptInputBase {
  id?: string | undefined;
  schemaId?: string | undefined;
  schemaVersion?: string | undefined;
  meta?: Record<string, unknown> | undefined;
}

/** A question that is answered in the user's own words. */
export interface InterruptTextInput extends InterruptInputBase {
  kind: "text";
  multiple: boolean;
  question?: string | undefined;
}

/** One of the answers that an interrupt offers. */
export interface InterruptOption {
  id: string;
  label: string;
  description?: string | undefined;
}

/** A question with given answers. */
export interface InterruptChoiceInput extends InterruptInputBase {
  kind: "choice" | "multi-choice";
  multiple: boolean;
  question: string;
  options: InterruptOption[];
}

/** A question to the user. Its stream ends with `done` and `finishReason: "interrupt"`. */
export interface InterruptChunk extends ChunkOrigin {
  type: "interrupt";
  requestId: string;
  /** Opaque to the client, which sends it back with the answer. */
  resumeToken: string;
  /** A question of an unknown `kind` is passed on unchanged: a user interface needs a default. */
  input: InterruptTextInput | InterruptChoiceInput;
  workflow?: string | undefined;
  schemaId?: string | undefined;
  schemaVersion?: string | undefined;
  meta?: Record<string, unknown> | undefined;
}

/** A citation. */
export interface SourceChunk {
  type: "source";
  id: string;
  url?: string | undefined;
  title?: string | undefined;
  node?: string | undefined;
}

/** A file that is part of the answer. */
export interface FileChunk {
  type: "file";
  /** A media type as in RFC 6838, such as `image/png`. */
  mediaType: string;
  url: string;
  name?: string | undefined;
  node?: string | undefined;
}

/** The workflow moves on to another node or workflow. */
export interface TransitionChunk {
  type: "transition";
  transitionTo: string;
  payload?: unknown;
}

/**
 * Something went wrong. Not terminal by itself: it is the outcome when the stream ends after it, or when a `done` without a
 * `finishReason` follows, and a warning when anything else does. `-end`, `status`, `trace` and `checkpoint` chunks may
 * stand between.
 */
export interface ErrorChunk {
  type: "error";
  /** Text for the user; must hold no secrets. */
  message: string;
  code?: string | undefined;
  /** Whether the same request may succeed later. */
  retryable?: boolean | undefined;
  /** The id under which the server logged the real error. */
  correlationId?: string | undefined;
}

/** Terminal: the answer ends before it is whole. */
export interface AbortChunk {
  type: "abort";
  /** `"stopped"`, `"timeout"`, `"shutdown"`, or a reason of the application's own. */
  reason: string;
}

/** Token counts, as the model's provider reports them. */
export interface TokenUsage {
  inputTokens?: number | undefined;
  outputTokens?: number | undefined;
  totalTokens?: number | undefined;
}

/** Terminal: the answer is whole. */
export interface DoneChunk {
  type: "done";
  data?: unknown;
  /** `"interrupt"` when the stream waits for an answer to an {@link InterruptChunk}. */
  finishReason?: string | undefined;
  usage?: TokenUsage | undefined;
}

/** The chunks with the values of a tool, for each tool. */
type ToolValueChunk<Types extends ChatTypes> = {
  [Tool in ToolName<Types>]:
    | ToolCallStartChunk<Tool, ToolInput<Types, Tool>>
    | ToolCallReadyChunk<Tool, ToolInput<Types, Tool>>
    | ToolCallResultChunk<Tool, ToolOutput<Types, Tool>>;
}[ToolName<Types>];

/**
 * One chunk of a stream, told apart by `type`; with declared types, the chunks of tools also by `tool`, and those of
 * structured objects by `dataType`.
 */
export type StreamChunk<Types extends ChatTypes = ChatTypes> =
  | SessionChunk
  | RunStartChunk
  | CheckpointChunk
  | TraceChunk
  | StatusChunk
  | MessageChunk
  | TextStartChunk
  | TextDeltaChunk
  | TextEndChunk
  | ReasoningStartChunk
  | ReasoningDeltaChunk
  | ReasoningEndChunk
  | ToolValueChunk<Types>
  | ToolCallDeltaChunk<ToolName<Types>>
  | ToolCallErrorChunk<ToolName<Types>>
  | ToolResultChunk
  | StructuredDataChunk<Types>
  | StructuredDataInvalidatedChunk
  | InterruptChunk
  | SourceChunk
  | FileChunk
  | TransitionChunk
  | ErrorChunk
  | AbortChunk
  | DoneChunk;

/** A chunk that is itself a part of the message. */
export type PartChunk = InterruptChunk | SourceChunk | FileChunk;

/** The `type` of every chunk known to this version. */
export type StreamChunkType = StreamChunk["type"];

/** Picks the chunk of one type: `StreamChunkOf<"text-delta">`. */
export type StreamChunkOf<Type extends StreamChunkType, Types extends ChatTypes = ChatTypes> = Extract<
  StreamChunk<Types>,
  { type: Type }
>;

/** A chunk whose `type` this version does not know: not an error; passed on unchanged. */
export interface UnknownChunk {
  type: string;
  [field: string]: unknown;
}

/** A chunk that ends its stream: nothing may follow it but `[DONE]`. */
export type TerminalChunk = DoneChunk | AbortChunk;

/** Whether a chunk ends its stream. `error` does not: more may follow it. */
export function isTerminalChunk(chunk: StreamChunk | UnknownChunk): chunk is TerminalChunk {
  return chunk.type === "done" || chunk.type === "abort";
}
