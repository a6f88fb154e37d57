/**
 * The parts of a request to Anthropic that a conversation becomes. Types only, without the SDK: they are assignable to those
 * of its requests.
 */

/** A text. */
export interface AnthropicTextParam {
  type: "text";
  /** Not blank. */
  text: string;
}

/** A file that the API loads. */
export interface AnthropicURLSource {
  type: "url";
  /** Where it does so. */
  url: string;
}

/** A file that is in the request. */
export interface AnthropicBase64Source<MediaType extends string> {
  type: "base64";
  /** Its media type. */
  media_type: MediaType;
  /** Its bytes. */
  data: string;
}

/** A text that is in the request. */
export interface AnthropicPlainTextSource {
  type: "text";
  /** Its media type. */
  media_type: "text/plain";
  /** The text itself. */
  data: string;
}

/** A file that was uploaded to Anthropic. */
export interface AnthropicFileSource {
  type: "file";
  /** The id of the upload. */
  file_id: string;
}

/** The kinds of pictures that the API reads. */
export type AnthropicImageType = "image/jpeg" | "image/png" | "image/gif" | "image/webp";

/** A picture of the user's, or one that a tool has returned. */
export interface AnthropicImageParam {
  type: "image";
  /** Where the API gets it from. */
  source: AnthropicURLSource | AnthropicBase64Source<AnthropicImageType> | AnthropicFileSource;
}

/** A document of the user's. */
export interface AnthropicDocumentParam {
  type: "document";
  /** Where the API gets it from. */
  source:
    | AnthropicURLSource
    | AnthropicBase64Source<"application/pdf">
    | AnthropicPlainTextSource
    | AnthropicFileSource;
  /** The name of the file. */
  title?: string;
}

/** An uploaded file for the container in which code runs. */
export interface AnthropicContainerUploadParam {
  type: "container_upload";
  /** The id of the upload. */
  file_id: string;
}

/** The model's thinking, as it came. */
export interface AnthropicThinkingParam {
  type: "thinking";
  /** Empty where the API hides it. */
  thinking: string;
  /** Of all of the thinking. */
  signature: string;
}

/** Thinking that the API has encrypted, as it came. */
export interface AnthropicRedactedThinkingParam {
  type: "redacted_thinking";
  /** Opaque. */
  data: string;
}

/** A call of a tool. */
export interface AnthropicToolUseParam {
  type: "tool_use";
  /** Unique in the request. */
  id: string;
  /** The name of the tool. */
  name: string;
  /** An object. */
  input: Record<string, unknown>;
}

/** The result of a call in the message before. */
export interface AnthropicToolResultParam {
  type: "tool_result";
  /** The call. */
  tool_use_id: string;
  /** What the tool returned. */
  content?: string | (AnthropicTextParam | AnthropicImageParam)[];
  /** The call has failed, was denied, or has not come to a result. */
  is_error?: boolean;
}

/**
 * One block of a message. The blocks of tools that Anthropic runs, and those of its beta API, also occur in messages, as they
 * came; they have no types here.
 */
export type AnthropicBlockParam =
  | AnthropicTextParam
  | AnthropicImageParam
  | AnthropicDocumentParam
  | AnthropicContainerUploadParam
  | AnthropicThinkingParam
  | AnthropicRedactedThinkingParam
  | AnthropicToolUseParam
  | AnthropicToolResultParam;

/** One message. Roles alternate. */
export interface AnthropicMessageParam {
  /** Who wrote the message. Results of tools are in those of the user. */
  role: "user" | "assistant";
  /** At least one block. */
  content: AnthropicBlockParam[];
}

/** A conversation, to be spread into a request. */
export interface AnthropicPrompt {
  /** The texts of the system's messages. Absent if there are none. */
  system?: string;
  /** The first is the user's. */
  messages: AnthropicMessageParam[];
}

/** A tool that the model may call. */
export interface AnthropicToolParam {
  /** At most 128 letters, digits, `_` and `-`. */
  name: string;
  /** For the model. */
  description?: string;
  /** JSON Schema of the input, which is an object. */
  input_schema: { type: "object"; [keyword: string]: unknown };
}
