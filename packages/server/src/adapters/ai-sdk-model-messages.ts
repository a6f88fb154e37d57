/** The messages that the AI SDK takes, as far as we write them: assignable to its own `ModelMessage`. Types only. */

/** Any JSON value. */
export type AISDKModelValue =
  | null
  | string
  | number
  | boolean
  | AISDKModelValue[]
  | { [key: string]: AISDKModelValue | undefined };

/** What a provider wants back, by provider. */
export interface AISDKProviderOptions {
  /** By the name of the provider. */
  [provider: string]: { [key: string]: AISDKModelValue | undefined };
}

interface DescribedPart {
  providerOptions?: AISDKProviderOptions;
}

interface TextPart extends DescribedPart {
  type: "text" | "reasoning";
  text: string;
}

/** A text of a user. */
export interface AISDKTextPart extends DescribedPart {
  type: "text";
  /** The text itself. */
  text: string;
}

/** A file, by URL or by the handle that a provider has given it. */
export interface AISDKFilePart extends DescribedPart {
  type: "file";
  /** As in RFC 6838. */
  mediaType: string;
  /** Where it is. The SDK loads what the model's provider cannot load itself. */
  data: { type: "url"; url: URL } | { type: "reference"; reference: Record<string, string> };
  /** To show. */
  filename?: string;
}

/** Content that only its provider understands. */
interface CustomPart extends DescribedPart {
  type: "custom";
  kind: `${string}.${string}`;
}

interface ToolCallPart extends DescribedPart {
  type: "tool-call";
  toolCallId: string;
  toolName: string;
  input: unknown;
  providerExecuted?: boolean;
}

interface TextOutput {
  /** `error-text` for a failure. */
  type: "text" | "error-text";
  /** A text as it is. */
  value: string;
}

interface JSONOutput {
  /** `error-json` for the failure of a provider's tool. */
  type: "json" | "error-json";
  /** Any JSON value. */
  value: AISDKModelValue;
}

interface DeniedOutput {
  /** The call did not run. */
  type: "execution-denied";
  /** Why. */
  reason?: string;
}

/** What a model reads of a call's result. */
export type AISDKToolOutput = TextOutput | JSONOutput | DeniedOutput;

interface ToolResultPart extends DescribedPart {
  type: "tool-result";
  toolCallId: string;
  toolName: string;
  output: AISDKToolOutput;
}

interface ApprovalRequestPart {
  type: "tool-approval-request";
  approvalId: string;
  toolCallId: string;
  signature?: string;
  inputSchemaInput?: unknown;
}

interface ApprovalResponsePart {
  type: "tool-approval-response";
  approvalId: string;
  approved: boolean;
  reason?: string;
  providerExecuted?: boolean;
}

/** One part of what a model has said. */
export type AISDKAssistantPart =
  | TextPart
  | AISDKFilePart
  | CustomPart
  | ToolCallPart
  | ToolResultPart
  | ApprovalRequestPart;

/** One part of what tools have returned, and of what the user has decided about them. */
export type AISDKToolPart = ToolResultPart | ApprovalResponsePart;

interface SystemMessage {
  /** Who wrote the message. */
  role: "system";
  /** Its text. */
  content: string;
}

interface UserMessage {
  /** Who wrote the message. */
  role: "user";
  /** Its parts, in order. */
  content: (AISDKTextPart | AISDKFilePart)[];
}

interface AssistantMessage {
  /** Who wrote the message. */
  role: "assistant";
  /** One call of the model: what it said, and its tool calls. */
  content: AISDKAssistantPart[];
}

interface ToolMessage {
  /** What follows the assistant's message. */
  role: "tool";
  /** The results of its calls, and what the user has decided about them. */
  content: AISDKToolPart[];
}

/** A message for the AI SDK: assignable to its `ModelMessage`. */
export type AISDKModelMessage = SystemMessage | UserMessage | AssistantMessage | ToolMessage;
