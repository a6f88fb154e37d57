/**
 * The parts of an AI SDK stream, as interfaces made to be read on hover. The types of `ai` itself are assignable to them;
 * none are imported. Types only.
 */

/** What a model's provider wants back, by provider. */
type ProviderMetadata = Record<string, unknown> | null | undefined;

interface DescribedPart {
  providerMetadata?: ProviderMetadata;
}

/** Begins, continues or ends a text, or a piece of the model's reasoning. */
interface TextPart extends DescribedPart {
  type: "text-start" | "text-end" | "reasoning-start" | "reasoning-end";
  /** Distinguishes texts that run in parallel. */
  id: string;
  /** The sources that the text quotes; at its end. */
  citations?: readonly AISDKCitation[] | null | undefined;
}

interface TextDeltaPart extends DescribedPart {
  type: "text-delta" | "reasoning-delta";
  id: string;
  /** Text to append. */
  text: string;
}

/** A page or a document that an answer is based on. */
export interface AISDKSource extends DescribedPart {
  /** `url` or `document`. */
  sourceType: string;
  /** Names the source within its answer. */
  id: string;
  /** Where a page can be read. */
  url?: string | undefined;
  /** A title to show. */
  title?: string | undefined;
  /** The media type of a document. */
  mediaType?: string | undefined;
  /** The file name of a document. */
  filename?: string | undefined;
}

/** Where a text quotes a source. */
interface AISDKCitation {
  /** The quoted source. */
  source: AISDKSource;
  /** Where the passage begins in the text. */
  startIndex?: number | undefined;
  /** Where the passage ends, exclusive. */
  endIndex?: number | undefined;
  /** The passage of the source. */
  citedText?: string | undefined;
}

interface SourcePart extends AISDKSource {
  type: "source";
}

interface FilePart extends DescribedPart {
  type: "file" | "reasoning-file";
  file: { readonly mediaType: string; readonly base64: string };
}

/** Content that only its provider understands. */
interface CustomPart extends DescribedPart {
  type: "custom";
  /** `<provider>.<kind>`. */
  kind: string;
}

interface CallDescription extends DescribedPart {
  toolName: string;
  title?: string | undefined;
  /** The model's provider runs the tool. */
  providerExecuted?: boolean | undefined;
  /** The tool's types are not known. */
  dynamic?: boolean | undefined;
  /** What the tool's definition holds for a user interface. */
  toolMetadata?: unknown;
}

interface ToolInputStartPart extends CallDescription {
  type: "tool-input-start";
  /** The call. */
  id: string;
  inputEncoding?: string | undefined;
}

interface ToolInputDeltaPart {
  type: "tool-input-delta";
  id: string;
  delta: string;
}

/** A call of a tool, with its whole input. */
export interface AISDKToolCall extends CallDescription {
  /** Names the call. */
  toolCallId: string;
  /** Parsed. */
  input?: unknown;
  /** The call does not run: its tool is unknown, or refuses the input. */
  invalid?: boolean | undefined;
  /** Why it is invalid. */
  error?: unknown;
}

interface ToolCallPart extends AISDKToolCall {
  type: "tool-call";
}

interface ToolResultPart extends AISDKToolCall {
  type: "tool-result";
  output?: unknown;
  /** The tool still runs: another result replaces this one. */
  preliminary?: boolean | undefined;
}

interface ToolErrorPart extends AISDKToolCall {
  type: "tool-error";
  /** What the tool has thrown. */
  error?: unknown;
}

interface ToolDeniedPart {
  type: "tool-output-denied";
  toolCallId: string;
  toolName: string;
}

interface ApprovalRequestPart {
  type: "tool-approval-request";
  approvalId: string;
  toolCall: AISDKToolCall;
  reason?: string | undefined;
  /** A policy decides, and a response follows. */
  isAutomatic?: boolean | undefined;
  /** The SDK's own signature of the call. */
  signature?: string | undefined;
}

interface ApprovalResponsePart {
  type: "tool-approval-response";
  approvalId: string;
  toolCall: AISDKToolCall;
  approved: boolean;
  reason?: string | undefined;
}

/** Token counts, as the AI SDK reports them. */
export interface AISDKUsage {
  /** Tokens of the prompt. */
  inputTokens?: number | undefined;
  /** Of them, those read from or written to a cache. */
  inputTokenDetails?:
    | { cacheReadTokens?: number | undefined; cacheWriteTokens?: number | undefined }
    | undefined;
  /** Tokens of the answer. */
  outputTokens?: number | undefined;
  /** Of them, those of reasoning. */
  outputTokenDetails?: { reasoningTokens?: number | undefined } | undefined;
  /** All tokens. */
  totalTokens?: number | undefined;
}

interface FinishStepPart extends DescribedPart {
  type: "finish-step";
  finishReason: string;
  rawFinishReason?: string | undefined;
  usage?: AISDKUsage | undefined;
  response?: { id?: string | undefined; modelId?: string | undefined } | undefined;
}

interface FinishPart {
  type: "finish";
  finishReason: string;
  totalUsage?: AISDKUsage | undefined;
}

interface AbortPart {
  type: "abort";
  reason?: string | undefined;
}

interface ErrorPart {
  type: "error";
  error?: unknown;
}

/** What has no counterpart: it is passed over. */
interface PassedPart {
  type: "start" | "start-step" | "tool-input-end" | "steering-message" | "ping" | "raw";
}

/** One part of the `stream` of `streamText`, or of an agent: every `TextStreamPart` of the AI SDK 7. */
export type AISDKStreamPart =
  | TextPart
  | TextDeltaPart
  | SourcePart
  | FilePart
  | CustomPart
  | ToolInputStartPart
  | ToolInputDeltaPart
  | ToolCallPart
  | ToolResultPart
  | ToolErrorPart
  | ToolDeniedPart
  | ApprovalRequestPart
  | ApprovalResponsePart
  | FinishStepPart
  | FinishPart
  | AbortPart
  | ErrorPart
  | PassedPart;

/** The parts of these types. */
export type PartOf<Type extends AISDKStreamPart["type"], Part = AISDKStreamPart> = Part extends {
  type: infer Own;
}
  ? [Extract<Own, Type>] extends [never]
    ? never
    : Part
  : never;

/** The parts about tool calls. */
export type AISDKCallPart = PartOf<
  | "tool-input-start"
  | "tool-input-delta"
  | "tool-call"
  | "tool-result"
  | "tool-error"
  | "tool-output-denied"
  | "tool-approval-request"
  | "tool-approval-response"
>;
