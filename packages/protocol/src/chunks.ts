/**
 * The chunks that travel on a stream, as plain interfaces made to be read on hover.
 * The zod schemas live in `chunk-schemas.ts`, the checker that readers run in `check-chunk.ts`.
 */
import type { ChatTypes, DataName, DataValue, MetadataPatch, ToolName } from "./chat-types.ts";
import type {
  ChunkOrigin,
  FinishReason,
  ModelUsage,
  ProviderFields,
  ProviderMetadata,
  TokenUsage,
} from "./chunk-origin.ts";
import type { InterruptChunk, InterruptResolvedChunk } from "./interrupt-chunks.ts";
import type { StructuredDataChunk, StructuredDataInvalidatedChunk } from "./structured-data-chunks.ts";
import type {
  ToolCallDeltaChunk,
  ToolCallDeniedChunk,
  ToolCallErrorChunk,
  ToolResultChunk,
  ToolValueChunk,
} from "./tool-call-chunks.ts";

export type * from "./chunk-origin.ts";
export type * from "./interrupt-chunks.ts";
export type * from "./structured-data-chunks.ts";
export type {
  ToolCallDeltaChunk,
  ToolCallDeniedChunk,
  ToolCallErrorChunk,
  ToolCallProgressChunk,
  ToolCallReadyChunk,
  ToolCallResultChunk,
  ToolCallStartChunk,
  ToolExecutor,
  ToolResultChunk,
} from "./tool-call-chunks.ts";

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
  /** The user's message that began the run, without files whose URL has more than 65,536 characters. */
  input?: unknown;
  /**
   * The answer continues in an earlier assistant message, the one with this id: a reader folds the chunks into that
   * message.
   */
  continues?: string | undefined;
  /** The route reads the `parts` of messages, `resumes` and `toolResults`. */
  acceptsParts?: boolean | undefined;
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
export interface TextStartChunk extends ChunkOrigin, ProviderFields {
  type: "text-start";
  /** Distinguishes texts that run in parallel. */
  segmentId?: string | undefined;
}

/**
 * The next piece of a text. Texts that run in parallel are told apart by `segmentId ?? opId ?? id`; a text without any of
 * them ends where another part begins.
 */
export interface TextDeltaChunk extends ChunkOrigin, ProviderFields {
  type: "text-delta";
  /** Text to append. */
  delta: string;
  /** Distinguishes texts that run in parallel. */
  segmentId?: string | undefined;
}

/** Where a text quotes a source. Without `start` and `end`, all of the text does. */
export interface Citation {
  /** The `id` of a `source`. */
  sourceId: string;
  /** Where the passage begins in the text of its segment, in UTF-16 code units. Integer >= 0. */
  start?: number | undefined;
  /** Where the passage ends, exclusive, in UTF-16 code units. Integer >= 0. */
  end?: number | undefined;
  /** The passage of the source. */
  quote?: string | undefined;
  /** Where in the source, or what else the provider wants back. */
  providerMetadata?: ProviderMetadata | undefined;
}

/** Closes a text. */
export interface TextEndChunk extends ChunkOrigin, ProviderFields {
  type: "text-end";
  /** The id of the text to close, as in its deltas. */
  segmentId?: string | undefined;
  /** The sources that the text quotes. */
  citations?: Citation[] | undefined;
}

/** Opens a piece of the model's reasoning. */
export interface ReasoningStartChunk extends ChunkOrigin, ProviderFields {
  type: "reasoning-start";
  /** Distinguishes pieces of reasoning that run in parallel. */
  segmentId?: string | undefined;
}

/** The next piece of reasoning. */
export interface ReasoningDeltaChunk extends ChunkOrigin, ProviderFields {
  type: "reasoning-delta";
  /** Text to append. */
  delta: string;
  /** Distinguishes pieces of reasoning that run in parallel. */
  segmentId?: string | undefined;
}

/** Closes a piece of reasoning. */
export interface ReasoningEndChunk extends ChunkOrigin, ProviderFields {
  type: "reasoning-end";
  /** The id of the reasoning to close, as in its deltas. */
  segmentId?: string | undefined;
}

/** A page or a document that the answer is based on. */
export interface SourceChunk extends ProviderFields {
  type: "source";
  /** Names the source within its message. */
  id: string;
  /** Where the source can be read. */
  url?: string | undefined;
  /** A title to show instead of the URL. */
  title?: string | undefined;
  /** The media type of a document, as in RFC 6838, such as `application/pdf`. */
  mediaType?: string | undefined;
  /** The file name of a document. */
  name?: string | undefined;
  /** The node of the workflow that produced the chunk. */
  node?: string | undefined;
}

/** A file that is part of the answer. */
export interface FileChunk extends ProviderFields {
  type: "file";
  /** A media type as in RFC 6838, such as `image/png`. */
  mediaType: string;
  /** Where the file can be loaded; a `data:` URL holds it. Empty if only a provider has it. */
  url: string;
  /** Handles of the file at providers, by provider: `{ openai: "file-abc" }`. */
  providerReference?: Record<string, unknown> | undefined;
  /** A file name to show the user. */
  name?: string | undefined;
  /** A later file with the same id replaces this one: the stages of an image. */
  id?: string | undefined;
  /** The tool call that made the file. */
  toolCallId?: string | undefined;
  /** The file belongs to the model's reasoning, not to its answer. */
  isReasoning?: boolean | undefined;
  /** The node of the workflow that produced the chunk. */
  node?: string | undefined;
}

/**
 * Application data for the user interface, such as the weather that a widget shows. A later chunk with the same `name`
 * and `id` replaces it.
 */
export interface DataChunk<Name extends string = string, Data = unknown> extends ProviderFields {
  type: "data";
  /** What the data is: it selects what renders it. */
  name: Name;
  /** Any JSON value. */
  data: Data;
  /** Distinguishes data of the same name. Without an id, each chunk stands for itself. */
  id?: string | undefined;
  /** For the moment only: it becomes no part of the message, and is not sent back. */
  transient?: boolean | undefined;
  /** The node of the workflow that produced the chunk. */
  node?: string | undefined;
}

/** Facts about the message, such as its model or cost. Merged key by key: the last value wins, and `null` removes a key. */
export interface MetadataChunk<Metadata = Record<string, unknown>> {
  type: "metadata";
  /** Any JSON values, by key. */
  metadata: Metadata;
}

/** What a provider wants back for a part that has already ended. Without an id, it belongs to the latest text or reasoning. */
export interface PartMetadataChunk {
  type: "part-metadata";
  /** The text or the reasoning that it belongs to. */
  segmentId?: string | undefined;
  /** The tool call that it belongs to. */
  toolCallId?: string | undefined;
  /** It belongs to the call's result, not to the call. */
  isResult?: boolean | undefined;
  /** Added to that of the part. */
  providerMetadata: ProviderMetadata;
}

/** A step begins: one call of the model, with the tools that run because of it. */
export interface StepStartChunk extends ChunkOrigin {
  type: "step-start";
  /** Names the step within its message. */
  stepId: string;
  /** For the user. */
  name?: string | undefined;
}

/** A step has ended. */
export interface StepEndChunk extends ChunkOrigin {
  type: "step-end";
  /** The step that has ended. */
  stepId: string;
  /** Why the model stopped. */
  finishReason?: FinishReason | undefined;
  /** The tokens of this step, which those of `done` include. */
  usage?: TokenUsage | undefined;
  /** The model that took the step. */
  model?: string | undefined;
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
 * without a `finishReason` follows, and a warning when anything else does. Chunks that only close or describe something
 * may stand between: every `-end`, `interrupt-resolved`, `status`, `trace`, `checkpoint`, `metadata`, `part-metadata`.
 */
export interface ErrorChunk {
  type: "error";
  /** Text for the user; must contain no secrets. */
  message: string;
  /** A code for programs, such as `"internal"` or `"timeout"`. */
  code?: string | undefined;
  /** Whether the same request may succeed later. */
  retryable?: boolean | undefined;
  /** How long to wait before the same request, in milliseconds. */
  retryAfterMs?: number | undefined;
  /** The id under which the server logged the real error. */
  correlationId?: string | undefined;
}

/** Terminal: the answer ends before it is whole. */
export interface AbortChunk {
  type: "abort";
  /** `"stopped"`, `"timeout"`, `"shutdown"`, or a reason of the application's own. */
  reason: string;
}

/** Terminal: the answer is whole. */
export interface DoneChunk {
  type: "done";
  /** Any JSON value, for the application. */
  data?: unknown;
  /** Why the answer ended: `"interrupt"` when it waits for an answer to an {@link InterruptChunk}. */
  finishReason?: FinishReason | undefined;
  /** The tokens that the answer cost. */
  usage?: TokenUsage | undefined;
  /** The same by model, for answers of several models. */
  usageByModel?: ModelUsage[] | undefined;
  /** Calls that wait for the client, for agents that know it only at the end. */
  pendingToolCallIds?: string[] | undefined;
}

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
  | ToolCallDeniedChunk<ToolName<Types>>
  | ToolResultChunk
  | StructuredDataChunk<Types>
  | StructuredDataInvalidatedChunk
  | InterruptChunk
  | InterruptResolvedChunk
  | SourceChunk
  | FileChunk
  | { [Name in DataName<Types>]: DataChunk<Name, DataValue<Types, Name>> }[DataName<Types>]
  | MetadataChunk<MetadataPatch<Types>>
  | PartMetadataChunk
  | StepStartChunk
  | StepEndChunk
  | TransitionChunk
  | ErrorChunk
  | AbortChunk
  | DoneChunk;

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
