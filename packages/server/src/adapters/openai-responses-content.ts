/**
 * What a user has said, as the content of a message to OpenAI's Responses API.
 */
import type { ChatMessagePart, FileMessagePart } from "@kortyx/protocol";
import { nameFile, parseDataURL } from "./model-history.ts";
import type { OpenAIInputContent } from "./openai-responses-input-items.ts";

/** @returns a text if there is nothing else. */
export function toContent(parts: readonly ChatMessagePart[]): string | OpenAIInputContent[] {
  const content = parts.flatMap((part): OpenAIInputContent[] => {
    if (part.type === "text") return [{ type: "input_text", text: part.text }];
    return part.type === "file" ? [toFile(part)] : [];
  });
  const [first, ...others] = content;
  if (first === undefined) return "";
  return first.type === "input_text" && others.length === 0 ? first.text : content;
}

function toFile(part: FileMessagePart): OpenAIInputContent {
  const { mediaType, name, providerReference } = part;
  const id = providerReference?.openai;
  const url = toReadableURL(part.url);
  if (isImage(mediaType)) {
    if (id !== undefined) return { type: "input_image", detail: "auto", file_id: id };
    if (url !== undefined) return { type: "input_image", detail: "auto", image_url: url };
  } else if (!/^(image|audio|video)\//i.test(mediaType)) {
    const filename = name ?? "file";
    if (id !== undefined) return { type: "input_file", file_id: id };
    if (url?.startsWith("data:")) return { type: "input_file", filename, file_data: url };
    if (url !== undefined) return { type: "input_file", file_url: url };
  }
  return { type: "input_text", text: nameFile(part) };
}

/** The formats that OpenAI's models read; a client that knows no more may have written any image. */
const isImage = (mediaType: string): boolean => /^image\/(png|jpe?g|gif|webp|\*)$/i.test(mediaType);

/** @returns undefined for a URL that OpenAI cannot load. */
function toReadableURL(url: string): string | undefined {
  if (/^https?:\/\//i.test(url)) return url;
  const data = parseDataURL(url);
  return data && `data:${data.mediaType};base64,${data.base64}`;
}
