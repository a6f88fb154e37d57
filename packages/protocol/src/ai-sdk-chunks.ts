/**
 * The chunks of the AI SDK's UI message stream, version 1, as far as we write them. Types only.
 *
 * Optional properties are never `undefined`, so that a chunk is one of the SDK's own under `exactOptionalPropertyTypes`.
 */

/** A JSON value, as the SDK declares it. */
export type AISDKJSON =
  | null
  | string
  | number
  | boolean
  | AISDKJSON[]
  | { [key: string]: AISDKJSON | undefined };

/** Values by provider. Ours are under `kortyx`. */
export type AISDKProviderMetadata = Record<string, { [key: string]: AISDKJSON | undefined }>;

interface WithMetadata {
  /** By provider. */
  providerMetadata?: AISDKProviderMetadata;
}

/** The message begins, or is continued. */
export interface AISDKStart {
  type: "start";
  /** The id of the message; without one, the client makes one up. */
  messageId?: string;
  /** Merged into the message's `metadata`. */
  messageMetadata?: Record<string, unknown>;
}

/** A change of the message's `metadata`. */
export interface AISDKMessageMetadata {
  type: "message-metadata";
  /** Merged into the message's `metadata`. */
  messageMetadata: Record<string, unknown>;
}

/** A step begins or ends. */
export interface AISDKStep {
  /** Which of the two. */
  type: "start-step" | "finish-step";
}

/** A text or a piece of reasoning begins. */
export interface AISDKTextStart extends WithMetadata {
  /** Which of the two. */
  type: "text-start" | "reasoning-start";
  /** Used by its deltas and its end. */
  id: string;
}

/** The next piece of a text, or of reasoning. */
export interface AISDKTextDelta extends WithMetadata {
  /** Which of the two. */
  type: "text-delta" | "reasoning-delta";
  /** The text that it belongs to. */
  id: string;
  /** Text to append. */
  delta: string;
}

/** A text has ended. */
export interface AISDKTextEnd extends WithMetadata {
  type: "text-end";
  /** The text that has ended. */
  id: string;
  /** The sources that it quotes. */
  citations?: AISDKCitation[];
}

/** A piece of reasoning has ended. */
export interface AISDKReasoningEnd extends WithMetadata {
  type: "reasoning-end";
  /** The piece that has ended. */
  id: string;
}

/** Where a text quotes a source. */
export interface AISDKCitation {
  /** The source, whole. */
  source: AISDKCitedSource;
  /** Where the passage begins in the text. */
  startIndex?: number;
  /** Where it ends, exclusive. */
  endIndex?: number;
  /** The passage of the source. */
  citedText?: string;
}

/** A page or a document. */
export type AISDKCitedSource = AISDKCitedPage | AISDKCitedDocument;

interface AISDKCitedPage extends WithMetadata {
  type: "source";
  /** A page. */
  sourceType: "url";
  /** Names the source. */
  id: string;
  /** Where it can be read. */
  url: string;
  /** A title to show. */
  title?: string;
}

interface AISDKCitedDocument extends WithMetadata {
  type: "source";
  /** A document. */
  sourceType: "document";
  /** Names the source. */
  id: string;
  /** Its media type. */
  mediaType: string;
  /** A title to show. */
  title: string;
  /** Its file name. */
  filename?: string;
}

/** A tool call begins: its input follows in pieces, or whole. */
export interface AISDKToolInputStart extends WithMetadata {
  type: "tool-input-start";
  /** Names the call within its message. */
  toolCallId: string;
  /** The name of the tool. */
  toolName: string;
  /** What the pieces of the input are. */
  inputEncoding?: "json" | "text";
  /** The model's provider runs the tool. */
  providerExecuted?: boolean;
  /** The part of the message is a `dynamic-tool`, not a `tool-<name>`. */
  dynamic?: boolean;
  /** For the user. */
  title?: string;
  /** What the application keeps with the tool. */
  toolMetadata?: { [key: string]: AISDKJSON };
}

/** The next piece of the input of a tool call. */
export interface AISDKToolInputDelta {
  type: "tool-input-delta";
  /** The call that it belongs to. */
  toolCallId: string;
  /** Text to append. */
  inputTextDelta: string;
}

/** The input of a tool call, whole. */
export interface AISDKToolInputAvailable extends WithMetadata {
  type: "tool-input-available";
  /** The call that it belongs to. */
  toolCallId: string;
  /** The name of the tool. */
  toolName: string;
  /** Any JSON value. */
  input: unknown;
  /** The model's provider runs the tool. */
  providerExecuted?: boolean;
  /** The part of the message is a `dynamic-tool`. */
  dynamic?: boolean;
  /** For the user. */
  title?: string;
  /** What the application keeps with the tool. */
  toolMetadata?: { [key: string]: AISDKJSON };
}

/** The model wrote an invalid input: the call has failed. */
export interface AISDKToolInputError extends WithMetadata {
  type: "tool-input-error";
  /** The call that has failed. */
  toolCallId: string;
  /** The name of the tool. */
  toolName: string;
  /** What the model wrote. */
  input: unknown;
  /** What is wrong. */
  errorText: string;
  /** The model's provider runs the tool. */
  providerExecuted?: boolean;
  /** The part of the message is a `dynamic-tool`. */
  dynamic?: boolean;
}

/** A tool call waits for a decision. */
export interface AISDKToolApprovalRequest {
  type: "tool-approval-request";
  /** Names the question. */
  approvalId: string;
  /** The call that waits. */
  toolCallId: string;
  /** What the application shows with the question. */
  approvalDescriptor?: unknown;
  /** Why the user is asked. */
  reason?: string;
  /** A policy decides. */
  isAutomatic?: boolean;
  /** Opaque to the client, which sends it back. */
  signature?: string;
}

/** A decision about a tool call. */
export interface AISDKToolApprovalResponse extends WithMetadata {
  type: "tool-approval-response";
  /** The question. */
  approvalId: string;
  /** Whether the call may run. */
  approved: boolean;
  /** Why. */
  reason?: string;
}

/** The result of a tool call. */
export interface AISDKToolOutputAvailable extends WithMetadata {
  type: "tool-output-available";
  /** The call that has the result. */
  toolCallId: string;
  /** Any JSON value. */
  output: unknown;
  /** The model's provider ran the tool. */
  providerExecuted?: boolean;
  /** The part of the message is a `dynamic-tool`. */
  dynamic?: boolean;
  /** A result so far, which the next one replaces. */
  preliminary?: boolean;
}

/** A tool call has failed. */
export interface AISDKToolOutputError extends WithMetadata {
  type: "tool-output-error";
  /** The call that has failed. */
  toolCallId: string;
  /** What went wrong. */
  errorText: string;
  /** The model's provider ran the tool. */
  providerExecuted?: boolean;
  /** The part of the message is a `dynamic-tool`. */
  dynamic?: boolean;
}

/** A tool call was refused. */
export interface AISDKToolOutputDenied {
  type: "tool-output-denied";
  /** The call that was refused. */
  toolCallId: string;
}

/** A page that the answer is based on. */
export interface AISDKSourceUrl extends WithMetadata {
  type: "source-url";
  /** Names the source. */
  sourceId: string;
  /** Where it can be read. */
  url: string;
  /** A title to show. */
  title?: string;
}

/** A document that the answer is based on. */
export interface AISDKSourceDocument extends WithMetadata {
  type: "source-document";
  /** Names the source. */
  sourceId: string;
  /** Its media type. */
  mediaType: string;
  /** A title to show. */
  title: string;
  /** Its file name. */
  filename?: string;
}

/** A file of the answer, or of the model's reasoning. */
export interface AISDKFile extends WithMetadata {
  /** Which of the two. */
  type: "file" | "reasoning-file";
  /** Where the file can be loaded. */
  url: string;
  /** Its media type. */
  mediaType: string;
}

/** Content that only one provider knows. */
export interface AISDKCustom extends WithMetadata {
  type: "custom";
  /** The provider, a dot, and what it is. */
  kind: `${string}.${string}`;
}

/** Application data. */
export interface AISDKData {
  /** `data-` and what the data is. */
  type: `data-${string}`;
  /** A later chunk with the same type and id replaces it. */
  id?: string;
  /** Any JSON value. */
  data: unknown;
  /** Becomes no part of the message. */
  transient?: boolean;
}

/** The answer has failed: nothing follows. */
export interface AISDKError {
  type: "error";
  /** For the user. */
  errorText: string;
}

/** The answer was stopped: nothing follows. */
export interface AISDKAbort {
  type: "abort";
  /** Why. */
  reason?: string;
}

/** The answer is whole: nothing follows. */
export interface AISDKFinish {
  type: "finish";
  /** Why the model stopped. */
  finishReason?: "stop" | "length" | "content-filter" | "tool-calls" | "other";
  /** Merged into the message's `metadata`. */
  messageMetadata?: Record<string, unknown>;
}

/** One chunk of a UI message stream, told apart by `type`. */
export type AISDKChunk =
  | AISDKStart
  | AISDKMessageMetadata
  | AISDKStep
  | AISDKTextStart
  | AISDKTextDelta
  | AISDKTextEnd
  | AISDKReasoningEnd
  | AISDKToolInputStart
  | AISDKToolInputDelta
  | AISDKToolInputAvailable
  | AISDKToolInputError
  | AISDKToolApprovalRequest
  | AISDKToolApprovalResponse
  | AISDKToolOutputAvailable
  | AISDKToolOutputError
  | AISDKToolOutputDenied
  | AISDKSourceUrl
  | AISDKSourceDocument
  | AISDKFile
  | AISDKCustom
  | AISDKData
  | AISDKError
  | AISDKAbort
  | AISDKFinish;
