/** Files and results of tools as blocks that Anthropic accepts in a message of the user's. Loads nothing. */
import type { FileMessagePart } from "@kortyx/protocol";
import type {
  AnthropicBlockParam,
  AnthropicImageParam,
  AnthropicImageType,
  AnthropicTextParam,
  AnthropicToolResultParam,
} from "./anthropic-request.ts";
import { type CallResult, nameFile, parseDataURL, toText } from "./model-history.ts";

const imageTypes: readonly string[] = [
  "image/jpeg",
  "image/png",
  "image/gif",
  "image/webp",
] satisfies AnthropicImageType[];

/** Files whose bytes are a text, whatever their name. */
const textTypes =
  /^text\/|^application\/(?:[\w.-]+\+)?(?:json|xml|yaml|x-yaml|toml|sql|javascript|typescript)$/;

/** A file of the user's. One that the API cannot read becomes a text with its name, so that the model knows of it. */
export function toFileBlock(file: FileMessagePart): AnthropicBlockParam {
  const mediaType = normalize(file.mediaType);
  const fileId = file.providerReference?.anthropic;
  if (fileId) return toUploadBlock(mediaType, fileId, file.name);
  if (imageTypes.includes(mediaType)) return toImage(file.url, mediaType) ?? toNameBlock(file);
  const title = file.name ? { title: file.name } : {};
  if (mediaType === "application/pdf") {
    const data = parseDataURL(file.url);
    if (data) {
      const source = { type: "base64" as const, media_type: mediaType, data: data.base64 } as const;
      return { type: "document", source, ...title };
    }
    if (isWebURL(file.url)) return { type: "document", source: { type: "url", url: file.url }, ...title };
  }
  const text = textTypes.test(mediaType) ? readText(file.url) : undefined;
  if (!text?.trim()) return toNameBlock(file);
  return { type: "document", source: { type: "text", media_type: "text/plain", data: text }, ...title };
}

/** What is left of a file that the API cannot read, or that is the assistant's. */
export const toNameBlock = (file: FileMessagePart): AnthropicTextParam => ({
  type: "text",
  text: nameFile(file),
});

function toUploadBlock(mediaType: string, fileId: string, name: string | undefined): AnthropicBlockParam {
  const source = { type: "file" as const, file_id: fileId };
  if (imageTypes.includes(mediaType)) return { type: "image", source };
  if (mediaType !== "application/pdf" && mediaType !== "text/plain") {
    return { type: "container_upload", file_id: fileId };
  }
  return { type: "document", source, ...(name && { title: name }) };
}

function toImage(url: string, mediaType: string): AnthropicImageParam | undefined {
  const data = parseDataURL(url);
  if (data) {
    const source = {
      type: "base64" as const,
      media_type: mediaType as AnthropicImageType,
      data: data.base64,
    };
    return { type: "image", source };
  }
  return isWebURL(url) ? { type: "image", source: { type: "url", url } } : undefined;
}

const isWebURL = (url: string): boolean => /^https?:\/\//i.test(url);

/** Media types have no upper case, and some programs write one that does not exist. */
const normalize = (mediaType: string): string =>
  mediaType
    .replace(/;.*/s, "")
    .trim()
    .toLowerCase()
    .replace(/^image\/jpg$/, "image/jpeg");

/** @returns the text of a `data:` URL; undefined if it is not one, or not UTF-8. */
function readText(url: string): string | undefined {
  try {
    const base64 = parseDataURL(url)?.base64;
    if (base64 !== undefined) {
      const bytes = Uint8Array.from(atob(decodeURIComponent(base64)), (character) => character.charCodeAt(0));
      return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    }
    const [, text] = /^data:[^,]*,(.*)$/is.exec(url) ?? [];
    return text === undefined ? undefined : decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** The result of a call, with the pictures that a tool of an MCP server returns. */
export function toToolResult(
  toolCallId: string,
  { content: value, isError }: CallResult,
): AnthropicToolResultParam {
  const content = toBlocks(value) ?? toText(value);
  const isEmpty = content.length === 0 || (typeof content === "string" && content.trim() === "");
  return {
    type: "tool_result",
    tool_use_id: toolCallId,
    // The API accepts no failure without a content.
    ...(isEmpty ? isError && { content: "The tool failed." } : { content }),
    ...(isError && { is_error: true }),
  };
}

/** @returns undefined for anything but a list of texts and pictures, as MCP defines them. */
function toBlocks(value: unknown): (AnthropicTextParam | AnthropicImageParam)[] | undefined {
  if (!Array.isArray(value) || value.length === 0) return undefined;
  const blocks = value.map(toBlock);
  const isWhole = blocks.every((block) => block !== undefined);
  return isWhole ? blocks.filter((block) => block.type !== "text" || block.text.trim() !== "") : undefined;
}

function toBlock(item: unknown): AnthropicTextParam | AnthropicImageParam | undefined {
  if (typeof item !== "object" || item === null || !("type" in item)) return undefined;
  const { type, text, data, mimeType } = item as Record<string, unknown>;
  if (type === "text" && typeof text === "string") return { type, text };
  if (type !== "image" || typeof data !== "string" || typeof mimeType !== "string") return undefined;
  const mediaType = normalize(mimeType);
  if (!imageTypes.includes(mediaType)) return undefined;
  return { type, source: { type: "base64", media_type: mediaType as AnthropicImageType, data } };
}
