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
  /** Sent back in later requests of the conversation. */
  sessionId: string;
}

/** First entry of every run's log: it makes the run addressable before its first token. */
export interface RunStartChunk {
  type: "run-start";
  /** Minted by the server; also the id of the assistant message that the run produces. */
  runId: string;
  /** The session that the run belongs to, if the request named one. */
  sessionId?: string | undefined;
  /** The user's message that began the run. */
  input?: unknown;
}

/** A point in the session that the agent can return to. */
export interface CheckpointChunk {
  type: "checkpoint";
  /** Names the checkpoint within its session. */
  id: string;
  /** The session that can return to this point. */
  sessionId: string;
  /** Integer >= 0. */
  turnIndex: number;
  /** A name to show the user. */
  label?: string | undefined;
}

/** Identifiers of a tracing system. `runId` is the tracer's, unrelated to {@link RunStartChunk.runId}. */
export interface TraceChunk {
  type: "trace";
  /** Names the whole trace. */
  traceId: string;
  /** Names the span of this stream. */
  spanId: string;
  /** The tracer's own id of this run. */
  runId: string;
  /** A readable name of the trace. */
  rootSpanName: string;
}

/** A line of progress for the user ("Searching the docs"), not part of the answer. */
export interface StatusChunk {
  type: "status";
  /** Text to show until the next status or the answer. */
  message: string;
  /** The node of the workflow that produced the chunk. */
  node?: string | undefined;
}

/** A whole text at once, from agents that do not stream it. */
export interface MessageChunk {
  type: "message";
  /** The text. Markdown, if the application renders Markdown. */
  content: string;
  /** The node of the workflow that produced the chunk. */
  node?: string | undefined;
}

/** Opens a text, also before its first delta. Optional: a delta also opens its text. */
export interface TextStartChunk extends ChunkOrigin {
  type: "text-start";
  /** Distinguishes texts that run in parallel. */
  segmentId?: string | undefined;
}

/**
 * The next piece of a text. Texts that run in parallel are told apart by `segmentId ?? opId ?? id`; a text without any of
 * them ends where another part begins.
 */
export interface TextDeltaChunk extends ChunkOrigin {
  type: "text-delta";
  /** Text to append. */
  delta: string;
  /** Distinguishes texts that run in parallel. */
  segmentId?: string | undefined;
}

/** Closes a text. */
export interface TextEndChunk extends ChunkOrigin {
  type: "text-end";
  /** The id of the text to close, as in its deltas. */
  segmentId?: string | undefined;
}

/** Opens a piece of the model's reasoning. */
export interface ReasoningStartChunk extends ChunkOrigin {
  type: "reasoning-start";
  /** Distinguishes pieces of reasoning that run in parallel. */
  segmentId?: string | undefined;
}

/** The next piece of reasoning. */
export interface ReasoningDeltaChunk extends ChunkOrigin {
  type: "reasoning-delta";
  /** Text to append. */
  delta: string;
  /** Distinguishes pieces of reasoning that run in parallel. */
  segmentId?: string | undefined;
}

/** Closes a piece of reasoning. */
export interface ReasoningEndChunk extends ChunkOrigin {
  type: "reasoning-end";
  /** The id of the reasoning to close, as in its deltas. */
  segmentId?: string | undefined;
}

/** A tool call begins. `input` is absent while it is being streamed. */
export interface ToolCallStartChunk<Tool extends string = string, Input = unknown> extends ChunkOrigin {
  type: "tool-call-start";
  /** The name of the tool. */
  tool: Tool;
  /** Names the call until its result or failure; after that, the same id begins another call. */
  toolCallId: string;
  /** Any JSON value. */
  input?: Input | undefined;
}

/** The next piece of the JSON text of a tool call's input. */
export interface ToolCallDeltaChunk<Tool extends string = string> extends ChunkOrigin {
  type: "tool-call-delta";
  /** The call that this input belongs to. */
  toolCallId: string;
  /** JSON text to append. Only all deltas of a call together are valid JSON. */
  delta: string;
  /** The name of the tool. */
  tool?: Tool | undefined;
}

/** The streamed input of a tool call, whole. */
export interface ToolCallReadyChunk<Tool extends string = string, Input = unknown> extends ChunkOrigin {
  type: "tool-call-ready";
  /** The name of the tool. */
  tool: Tool;
  /** The call that this input belongs to. */
  toolCallId: string;
  /** Any JSON value; `null` where the tool takes nothing. */
  input: Input;
}

/** What a tool call returned. `isError` marks a result that the tool itself reports as a failure. */
export interface ToolCallResultChunk<Tool extends string = string, Output = unknown> extends ChunkOrigin {
  type: "tool-call-result";
  /** The name of the tool. */
  tool: Tool;
  /** The call that this result ends. */
  toolCallId: string;
  /** Any JSON value: a text, or blocks of content. */
  content: Output;
  /** The same result as data for a program, if the tool returned both. */
  structuredContent?: unknown;
  /** Whether the tool itself reports this result as a failure. */
  isError?: boolean | undefined;
}

/** A tool call failed without a result. */
export interface ToolCallErrorChunk<Tool extends string = string> extends ChunkOrigin {
  type: "tool-call-error";
  /** The name of the tool. */
  tool: Tool;
  /** The call that this failure ends. */
  toolCallId: string;
  /** What went wrong, in words that the user may read. */
  message: string;
}

/** Legacy form of a tool's result, without a call id. */
export interface ToolResultChunk {
  type: "tool-result";
  /** Any JSON value. */
  content: unknown;
  /** The name of the tool. */
  tool?: string | undefined;
  /** The node of the workflow that produced the chunk. */
  node?: string | undefined;
}

interface StructuredDataBase<DataType> {
  type: "structured-data";
  /** Chunks with the same `streamId` build one object. */
  streamId: string;
  /** What the object is, for the UI that renders it ("recipe", "comparison"). */
  dataType: DataType;
  /** The schema that the whole object follows. */
  schemaId?: string | undefined;
  /** The version of that schema. */
  schemaVersion?: string | undefined;
  /** A name that the agent gives the object. */
  id?: string | undefined;
  /** The node of the workflow that produced the chunk. */
  node?: string | undefined;
}

/** Puts `value` at `path`. */
export interface StructuredDataSetChunk<DataType extends string = string>
  extends StructuredDataBase<DataType> {
  kind: "set";
  /** Dot path; a numeric segment indexes an array: `"steps.0.title"`. */
  path: string;
  /** Any JSON value. It replaces the value at `path`. */
  value: unknown;
}

/** Adds items to the end of the array at `path`. */
export interface StructuredDataAppendChunk<DataType extends string = string>
  extends StructuredDataBase<DataType> {
  kind: "append";
  /** Dot path of an array, which is created if it does not exist. */
  path: string;
  /** Any JSON values, in order. */
  items: unknown[];
}

/** Adds text to the end of the string at `path`. */
export interface StructuredDataTextDeltaChunk<DataType extends string = string>
  extends StructuredDataBase<DataType> {
  kind: "text-delta";
  /** Dot path of a string, which is created if it does not exist. */
  path: string;
  /** Text to append. */
  delta: string;
}

/** The whole object; nothing may follow it. */
export interface StructuredDataFinalChunk<DataType extends string = string, Data = unknown>
  extends StructuredDataBase<DataType> {
  kind: "final";
  /** The whole object. It replaces the one built so far. */
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
  /** The object that no longer holds. */
  streamId: string;
  /** The checkpoint that the session returned to. */
  checkpointId: string;
}

interface InterruptInputBase {
  /** A name that the agent gives the question. */
  id?: string | undefined;
  /** The schema that the answer must follow. */
  schemaId?: string | undefined;
  /** The version of that schema. */
  schemaVersion?: string | undefined;
  /** Anything else that a user interface needs to show the question. */
  meta?: Record<string, unknown> | undefined;
}

/** A question that is answered in the user's own words. */
export interface InterruptTextInput extends InterruptInputBase {
  kind: "text";
  /** Whether the user may give several answers. */
  multiple: boolean;
  /** The question, in words for the user. */
  question?: string | undefined;
}

/** One of the answers that an interrupt offers. */
export interface InterruptOption {
  /** Sent back as the answer when the user chooses this option. */
  id: string;
  /** A short text for the user. */
  label: string;
  /** A longer text for the user. */
  description?: string | undefined;
}

/** A question with given answers. */
export interface InterruptChoiceInput extends InterruptInputBase {
  /** `"multi-choice"` allows several options. */
  kind: "choice" | "multi-choice";
  /** Whether the user may choose several options. */
  multiple: boolean;
  /** The question, in words for the user. */
  question: string;
  /** The answers to choose from. */
  options: InterruptOption[];
}

/** A question to the user. Its stream ends with `done` and `finishReason: "interrupt"`. */
export interface InterruptChunk extends ChunkOrigin {
  type: "interrupt";
  /** Names the question. The answer repeats it. */
  requestId: string;
  /** Opaque to the client, which sends it back with the answer. */
  resumeToken: string;
  /** A question of an unknown `kind` is passed on unchanged: a user interface needs a default. */
  input: InterruptTextInput | InterruptChoiceInput;
  /** The workflow that asks. */
  workflow?: string | undefined;
  /** The schema that the answer must follow. */
  schemaId?: string | undefined;
  /** The version of that schema. */
  schemaVersion?: string | undefined;
  /** Anything else that a user interface needs to show the question. */
  meta?: Record<string, unknown> | undefined;
}

/** A citation. */
export interface SourceChunk {
  type: "source";
  /** Names the source within its message. */
  id: string;
  /** Where the source can be read. */
  url?: string | undefined;
  /** A title to show instead of the URL. */
  title?: string | undefined;
  /** The node of the workflow that produced the chunk. */
  node?: string | undefined;
}

/** A file that is part of the answer. */
export interface FileChunk {
  type: "file";
  /** A media type as in RFC 6838, such as `image/png`. */
  mediaType: string;
  /** Where the file can be loaded; a `data:` URL holds it. */
  url: string;
  /** A file name to show the user. */
  name?: string | undefined;
  /** The node of the workflow that produced the chunk. */
  node?: string | undefined;
}

/** The workflow moves on to another node or workflow. */
export interface TransitionChunk {
  type: "transition";
  /** The name of that node or workflow. */
  transitionTo: string;
  /** Any JSON value. */
  payload?: unknown;
}

/**
 * Something went wrong. Not terminal on its own: it is the outcome when the stream ends after it, or when a `done`
 * without a `finishReason` follows, and a warning when anything else does. `-end`, `status`, `trace` and `checkpoint`
 * chunks may stand between.
 */
export interface ErrorChunk {
  type: "error";
  /** Text for the user; must contain no secrets. */
  message: string;
  /** A code for programs, such as `"internal"` or `"timeout"`. */
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
  /** Tokens of the prompt. */
  inputTokens?: number | undefined;
  /** Tokens of the answer. */
  outputTokens?: number | undefined;
  /** All tokens, as the provider counts them: not always the sum of the other two. */
  totalTokens?: number | undefined;
}

/** Terminal: the answer is whole. */
export interface DoneChunk {
  type: "done";
  /** Any JSON value, for the application. */
  data?: unknown;
  /** `"interrupt"` when the stream waits for an answer to an {@link InterruptChunk}. */
  finishReason?: string | undefined;
  /** The tokens that the answer cost. */
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
  /** A type that is not in {@link StreamChunkType}. */
  type: string;
  [field: string]: unknown;
}

/** A chunk that ends its stream: nothing may follow it but `[DONE]`. */
export type TerminalChunk = DoneChunk | AbortChunk;

/**
 * Whether a chunk ends its stream. `error` does not: more may follow it.
 *
 * @example
 * ```ts
 * isTerminalChunk({ type: "abort", reason: "stopped" }); // true
 * isTerminalChunk({ type: "error", message: "The search failed." }); // false
 * ```
 */
export function isTerminalChunk(chunk: StreamChunk | UnknownChunk): chunk is TerminalChunk {
  return chunk.type === "done" || chunk.type === "abort";
}
