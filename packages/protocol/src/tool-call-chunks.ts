/**
 * The chunks of tool calls, from the first piece of a call's input to its result. Types only.
 */
import type { ChatTypes, ToolInput, ToolName, ToolOutput } from "./chat-types.ts";
import type { ChunkOrigin, ProviderFields } from "./chunk-origin.ts";

/**
 * Who runs a tool. `provider`: the model's provider, as for its web search. `client`: the result comes in the
 * `toolResults` of a later request. Another text counts as `server`.
 */
export type ToolExecutor = "server" | "provider" | "client" | (string & {});

/** What a user interface needs to know about a tool call. */
interface ToolCallFields extends ChunkOrigin, ProviderFields {
  /** Who runs the tool. @defaultValue `"server"` */
  executor?: ToolExecutor | undefined;
  /** For the user: "Searching the web". */
  title?: string | undefined;
  /** What the input's deltas are; `text` for a tool that takes free text. @defaultValue `"json"` */
  inputFormat?: "json" | "text" | (string & {}) | undefined;
  /** The text that the call belongs to: its `segmentId`. */
  parentSegmentId?: string | undefined;
  /** The application does not know the tool's types, as for one of an MCP server. */
  isDynamic?: boolean | undefined;
}

/** A tool call begins. `input` is absent while it is being streamed. */
export interface ToolCallStartChunk<Tool extends string = string, Input = unknown> extends ToolCallFields {
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
  /** Text to append: JSON, of which only all deltas of a call together are valid, unless `inputFormat` is `text`. */
  delta: string;
  /** The name of the tool. */
  tool?: Tool | undefined;
}

/**
 * The streamed input of a tool call, whole. A call whose executor is the client then waits for it: its stream ends with
 * `done` and `finishReason: "tool-calls"`.
 */
export interface ToolCallReadyChunk<Tool extends string = string, Input = unknown> extends ToolCallFields {
  type: "tool-call-ready";
  /** The name of the tool. */
  tool: Tool;
  /** The call that this input belongs to. */
  toolCallId: string;
  /** Any JSON value; `null` where the tool takes nothing. */
  input: Input;
  /** Opaque to the client, which sends it back with the result of a call that it runs. */
  resumeToken?: string | undefined;
}

/** A result so far, while the tool still runs. The next one replaces it, and so does the result. */
export interface ToolCallProgressChunk<Tool extends string = string, Output = unknown> extends ChunkOrigin {
  type: "tool-call-progress";
  /** The name of the tool. */
  tool: Tool;
  /** The call that is still running. */
  toolCallId: string;
  /** Any JSON value. */
  content: Output;
}

/** What a tool call returned. `isError` marks a result that the tool itself reports as a failure. */
export interface ToolCallResultChunk<Tool extends string = string, Output = unknown>
  extends ChunkOrigin,
    ProviderFields {
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
export interface ToolCallErrorChunk<Tool extends string = string> extends ChunkOrigin, ProviderFields {
  type: "tool-call-error";
  /** The name of the tool. */
  tool: Tool;
  /** The call that this failure ends. */
  toolCallId: string;
  /** What went wrong, in words that the user may read. */
  message: string;
  /** For programs: `"invalid-input"`, `"unknown-tool"`, or a code of the application's own. */
  code?: string | undefined;
  /** What the model wrote, if that is not a valid input. Any JSON value. */
  input?: unknown;
}

/** A person or a policy has refused a tool call: it does not run. */
export interface ToolCallDeniedChunk<Tool extends string = string> extends ChunkOrigin {
  type: "tool-call-denied";
  /** The name of the tool. */
  tool: Tool;
  /** The call that is refused. */
  toolCallId: string;
  /** Why, in words for the user and the model. */
  reason?: string | undefined;
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

/** The chunks with the values of a tool, for each tool. */
export type ToolValueChunk<Types extends ChatTypes> = {
  [Tool in ToolName<Types>]:
    | ToolCallStartChunk<Tool, ToolInput<Types, Tool>>
    | ToolCallReadyChunk<Tool, ToolInput<Types, Tool>>
    | ToolCallProgressChunk<Tool, ToolOutput<Types, Tool>>
    | ToolCallResultChunk<Tool, ToolOutput<Types, Tool>>;
}[ToolName<Types>];
