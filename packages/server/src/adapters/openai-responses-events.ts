/**
 * The events of OpenAI's Responses API, as far as the adapter reads them. Written from the documented wire: no SDK is
 * imported, and the SDK's own events are assignable.
 */

/** The facts about a response. */
export interface OpenAIResponse {
  /** Names the response; sent back as `previous_response_id`. */
  id?: string | undefined;
  /** The model that writes the response. */
  model?: string | undefined;
  /** How the request was processed, such as `default` or `flex`. */
  service_tier?: string | null | undefined;
  /** The stored conversation that the response belongs to. */
  conversation?: { id: string } | null | undefined;
  /** The response that this one continues. */
  previous_response_id?: string | null | undefined;
  /** Why the response is incomplete. */
  incomplete_details?: { reason?: string | undefined } | null | undefined;
  /** Why the response failed. */
  error?: { code?: string | null | undefined; message: string } | null | undefined;
  /** Token counts, at the end. */
  usage?: OpenAIResponseUsage | null | undefined;
}

/** The tokens of a response. */
export interface OpenAIResponseUsage {
  /** Tokens of the prompt, those of the cache included. */
  input_tokens?: number | undefined;
  /** Of these, those read from and written to the cache. */
  input_tokens_details?:
    | { cached_tokens?: number | undefined; cache_write_tokens?: number | undefined }
    | null
    | undefined;
  /** Tokens of the answer, reasoning included. */
  output_tokens?: number | undefined;
  /** Of these, those of reasoning. */
  output_tokens_details?: { reasoning_tokens?: number | undefined } | null | undefined;
  /** All tokens. */
  total_tokens?: number | undefined;
}

/** The response begins, continues or ends. */
interface OpenAIResponseEvent {
  type:
    | "response.created"
    | "response.queued"
    | "response.in_progress"
    | "response.completed"
    | "response.incomplete"
    | "response.failed";
  /** The response so far. */
  response: OpenAIResponse;
}

/** An item of the output begins, or is whole: a message, reasoning, the call of a tool. */
export interface OpenAIItemEvent {
  type: "response.output_item.added" | "response.output_item.done";
  /** The position of the item in the output. */
  output_index: number;
  /** The item. */
  item: { type: string };
}

/** One part of a message, or of reasoning, begins or is whole. */
export interface OpenAIContentPartEvent {
  type: "response.content_part.added" | "response.content_part.done";
  /** The item that the part belongs to. */
  item_id: string;
  /** The position of the item in the output. */
  output_index: number;
  /** The position of the part in the item. */
  content_index: number;
  /** `output_text`, `refusal` or `reasoning_text`. */
  part: { type: string };
}

/** The next piece of a text, of a refusal, or of unabridged reasoning. */
interface OpenAITextDeltaEvent {
  type: "response.output_text.delta" | "response.refusal.delta" | "response.reasoning_text.delta";
  /** The item that the text belongs to. */
  item_id: string;
  /** The position of the item in the output. */
  output_index: number;
  /** The position of the text in the item. */
  content_index: number;
  /** Text to append. */
  delta: string;
}

/** Unabridged reasoning is whole. */
interface OpenAIReasoningTextDoneEvent {
  type: "response.reasoning_text.done";
  /** The item that the text belongs to. */
  item_id: string;
  /** The position of the item in the output. */
  output_index: number;
  /** The position of the text in the item. */
  content_index: number;
}

/** The text quotes a source. */
interface OpenAIAnnotationEvent {
  type: "response.output_text.annotation.added";
  /** The item that the text belongs to. */
  item_id: string;
  /** The position of the item in the output. */
  output_index: number;
  /** The position of the text in the item. */
  content_index: number;
  /** A `url_citation`, `file_citation`, `container_file_citation` or `file_path`. */
  annotation: unknown;
}

/** One part of the summary of reasoning begins or is whole. */
interface OpenAISummaryPartEvent {
  type: "response.reasoning_summary_part.added" | "response.reasoning_summary_part.done";
  /** The item that the summary belongs to. */
  item_id: string;
  /** The position of the item in the output. */
  output_index: number;
  /** The position of the part in the summary. */
  summary_index: number;
}

/** The next piece of a summary of reasoning. */
interface OpenAISummaryDeltaEvent {
  type: "response.reasoning_summary_text.delta";
  /** The item that the summary belongs to. */
  item_id: string;
  /** The position of the item in the output. */
  output_index: number;
  /** The position of the part in the summary. */
  summary_index: number;
  /** Text to append. */
  delta: string;
}

/** The next piece of a call's input. */
interface OpenAIInputDeltaEvent {
  type:
    | "response.function_call_arguments.delta"
    | "response.mcp_call_arguments.delta"
    | "response.custom_tool_call_input.delta"
    | "response.code_interpreter_call_code.delta";
  /** The position of the call in the output. */
  output_index: number;
  /** Text to append. */
  delta: string;
}

/** A command of a shell call begins, or its next piece. */
export interface OpenAIShellCommandEvent {
  type: "response.shell_call_command.added" | "response.shell_call_command.delta";
  /** The position of the call in the output. */
  output_index: number;
  /** The position of the command in the call. */
  command_index: number;
  /** The command so far, of the event that begins it. */
  command?: string | undefined;
  /** Text to append. */
  delta?: string | undefined;
}

/** What a command of a shell call has printed: a piece, or all of it. */
export interface OpenAIShellOutputEvent {
  type: "response.shell_call_output_content.delta" | "response.shell_call_output_content.done";
  /** The position of the output's item in the output. */
  output_index: number;
  /** The position of the command in the call. */
  command_index: number;
  /** Text to append to either. */
  delta?: { stdout?: string | undefined; stderr?: string | undefined } | undefined;
  /** All that was printed. */
  output?: unknown;
}

/** What a tool of OpenAI's is doing. */
interface OpenAIToolStateEvent {
  type:
    | "response.web_search_call.searching"
    | "response.file_search_call.searching"
    | "response.code_interpreter_call.interpreting"
    | "response.image_generation_call.generating";
  /** The position of the call in the output. */
  output_index: number;
}

/** A stage of an image. */
export interface OpenAIPartialImageEvent {
  type: "response.image_generation_call.partial_image";
  /** The position of the call in the output. */
  output_index: number;
  /** The image, in base64. */
  partial_image_b64: string;
  /** The format of the image. */
  output_format?: string | undefined;
}

/** The answer is spoken: the next piece of its transcript, or the end of it. */
interface OpenAITranscriptEvent {
  type: "response.audio.transcript.delta" | "response.audio.transcript.done";
  /** Text to append. */
  delta?: string | undefined;
}

/** The response failed. An SDK throws instead. */
interface OpenAIErrorEvent {
  type: "error";
  /** A code for programs. */
  code?: string | null | undefined;
  /** A message for the developer. */
  message?: string | undefined;
  /** Some connections send both in an object. */
  error?: { code?: string | null | undefined; message: string } | null | undefined;
}

/** Events that repeat what another event has, or that have nothing to show. */
export const passedOver = [
  "response.audio.delta",
  "response.audio.done",
  "response.code_interpreter_call.completed",
  "response.code_interpreter_call.in_progress",
  "response.code_interpreter_call_code.done",
  "response.compaction.compacting",
  "response.custom_tool_call_input.done",
  "response.file_search_call.completed",
  "response.file_search_call.in_progress",
  "response.function_call_arguments.done",
  "response.image_generation_call.completed",
  "response.image_generation_call.in_progress",
  "response.mcp_call.completed",
  "response.mcp_call.failed",
  "response.mcp_call.in_progress",
  "response.mcp_call_arguments.done",
  "response.mcp_list_tools.completed",
  "response.mcp_list_tools.failed",
  "response.mcp_list_tools.in_progress",
  "response.output_text.done",
  "response.reasoning_summary_text.done",
  "response.refusal.done",
  "response.shell_call_command.done",
  "response.web_search_call.completed",
  "response.web_search_call.in_progress",
] as const;

/** An event of which the adapter needs nothing. */
interface OpenAIPassedOverEvent {
  type: (typeof passedOver)[number];
}

/** Every event that this version knows. */
export type KnownOpenAIResponsesEvent =
  | OpenAIResponseEvent
  | OpenAIItemEvent
  | OpenAIContentPartEvent
  | OpenAITextDeltaEvent
  | OpenAIReasoningTextDoneEvent
  | OpenAIAnnotationEvent
  | OpenAISummaryPartEvent
  | OpenAISummaryDeltaEvent
  | OpenAIInputDeltaEvent
  | OpenAIShellCommandEvent
  | OpenAIShellOutputEvent
  | OpenAIToolStateEvent
  | OpenAIPartialImageEvent
  | OpenAITranscriptEvent
  | OpenAIErrorEvent
  | OpenAIPassedOverEvent;

/** An event of the Responses API, of a newer version, too. */
export type OpenAIResponsesEvent = KnownOpenAIResponsesEvent | OtherEvent;

/** The SDK may be newer than this version. */
interface OtherEvent {
  /** Names the event. */
  type: string;
}
