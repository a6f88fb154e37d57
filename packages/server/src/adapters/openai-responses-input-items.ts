/**
 * The shapes of a request to OpenAI's Responses API, as far as this package writes them. Types only, written from the
 * documented wire; they are assignable to the SDK's own.
 */

/** A part of what a user has said. */
export type OpenAIInputContent =
  | { type: "input_text"; text: string }
  | { type: "input_image"; detail: "auto"; image_url?: string; file_id?: string }
  | { type: "input_file"; file_id?: string; file_url?: string; file_data?: string; filename?: string };

/** A message that needs no id. */
interface OpenAIInputMessage {
  /** Who wrote the message. */
  role: "user" | "assistant" | "system";
  /** A text, or its parts. */
  content: string | OpenAIInputContent[];
}

/** A message of the model's, as OpenAI has sent it. */
interface OpenAIOutputMessage {
  type: "message";
  /** Names the item. */
  id: string;
  role: "assistant";
  /** Whether the message is whole. */
  status: "completed" | "incomplete";
  /** Texts and refusals. */
  content: (
    | { type: "output_text"; text: string; annotations: never[] }
    | { type: "refusal"; refusal: string }
  )[];
  /** Whether the text is the answer, or a remark on the way to it. */
  phase?: "commentary" | "final_answer";
}

/** Reasoning, as OpenAI has sent it. */
interface OpenAIReasoningItem {
  type: "reasoning";
  /** Names the item. */
  id: string;
  /** What the model shows of its reasoning. */
  summary: { type: "summary_text"; text: string }[];
  /** The reasoning itself, of models that show it. */
  content?: { type: "reasoning_text"; text: string }[];
  /** The reasoning, for OpenAI only. */
  encrypted_content?: string;
}

/** What stands for earlier parts of a conversation. */
interface OpenAICompactionItem {
  type: "compaction";
  /** Names the item. */
  id: string;
  /** The conversation, for OpenAI only. */
  encrypted_content: string;
}

/** A call of a function. */
interface OpenAIFunctionCall {
  type: "function_call";
  /** Names the call. */
  call_id: string;
  /** The name of the function. */
  name: string;
  /** The input, as JSON. */
  arguments: string;
}

/** A call of a tool that takes a text. */
interface OpenAICustomToolCall {
  type: "custom_tool_call";
  /** Names the call. */
  call_id: string;
  /** The name of the tool. */
  name: string;
  /** The input. */
  input: string;
}

/** The result of a function, or of a tool that takes a text. */
interface OpenAICallOutput {
  type: "function_call_output" | "custom_tool_call_output";
  /** The call that has its result. */
  call_id: string;
  /** A text, or what the model shall see. */
  output: string | OpenAIInputContent[];
}

/** The decision about a call of an MCP tool. */
interface OpenAIApprovalResponse {
  type: "mcp_approval_response";
  /** The request that is decided. */
  approval_request_id: string;
  /** Whether the tool runs. */
  approve: boolean;
  /** The user's words. */
  reason?: string;
}

/** An item that only OpenAI has. */
interface OpenAIItemReference {
  type: "item_reference";
  /** Names the item. */
  id: string;
}

/**
 * An item of a request's `input`. The items of OpenAI's own tools, such as `web_search_call`, are returned as OpenAI has sent
 * them; this union does not list them.
 */
export type OpenAIResponsesInputItem =
  | OpenAIInputMessage
  | OpenAIOutputMessage
  | OpenAIReasoningItem
  | OpenAICompactionItem
  | OpenAIFunctionCall
  | OpenAICustomToolCall
  | OpenAICallOutput
  | OpenAIApprovalResponse
  | OpenAIItemReference;

/** A tool that the application runs. */
export interface OpenAIResponsesTool {
  type: "function";
  /** The name of the tool. */
  name: string;
  /** For the model. */
  description: string;
  /** JSON Schema of the input. */
  parameters: Record<string, unknown>;
  /** Whether OpenAI enforces the schema. */
  strict: boolean;
}
