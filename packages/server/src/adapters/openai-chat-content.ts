/** What a user has said and attached, as the content of a chat completion's message. */
import type { ChatMessagePart, FileMessagePart } from "@kortyx/protocol";
import { textOf } from "./loose-values.ts";
import { nameFile, parseDataURL } from "./model-history.ts";

/** A part of a user's message: assignable to the SDK's `ChatCompletionContentPart`. */
export type OpenAIChatContentPart =
  | {
      type: "text";
      /** What the user said, or the contents of a file of text. */
      text: string;
    }
  | {
      type: "image_url";
      /** A picture. */
      image_url: {
        /** An `https:` or a `data:` URL. */
        url: string;
      };
    }
  | {
      type: "input_audio";
      /** Sound. */
      input_audio: {
        /** Base64. */
        data: string;
        /** How it is encoded. */
        format: "wav" | "mp3";
      };
    }
  | {
      type: "file";
      /** A PDF. */
      file:
        | {
            /** Its handle at OpenAI. */
            file_id: string;
          }
        | {
            /** A `data:` URL. */
            file_data: string;
            /** Its name. */
            filename: string;
          };
    };

/** A text alone stays a text: some compatible servers take no list. */
export function toOpenAIChatContent(parts: readonly ChatMessagePart[]): string | OpenAIChatContentPart[] {
  const content = parts.flatMap((part): OpenAIChatContentPart[] => {
    if (part.type === "text") return part.text === "" ? [] : [{ type: "text", text: part.text }];
    return part.type === "file" ? [toFile(part)] : [];
  });
  const texts = content.flatMap((part) => (part.type === "text" ? [part.text] : []));
  return texts.length === content.length && !parts.some(({ type }) => type === "file")
    ? texts.join("\n\n")
    : content;
}

const imageTypes = new Set(["image/png", "image/jpeg", "image/jpg", "image/gif", "image/webp"]);

const audioFormats: Record<string, "wav" | "mp3"> = {
  "audio/wav": "wav",
  "audio/wave": "wav",
  "audio/x-wav": "wav",
  "audio/mpeg": "mp3",
  "audio/mp3": "mp3",
};

/** The API refuses the whole conversation for a file that it does not take: any other is only named. */
function toFile(part: FileMessagePart): OpenAIChatContentPart {
  const { mediaType, url, name = "file", providerReference } = part;
  const type = mediaType.toLowerCase().split(";", 1)[0]!.trim();
  const data = parseDataURL(url)?.base64;
  if (imageTypes.has(type) && (data !== undefined || /^https?:/i.test(url))) {
    return { type: "image_url", image_url: { url } };
  }
  const id = textOf(providerReference?.openai);
  if (type === "application/pdf" && id !== undefined) return { type: "file", file: { file_id: id } };
  if (data === undefined) return describeFile(part);
  if (type === "application/pdf") return { type: "file", file: { file_data: url, filename: name } };
  const format = Object.hasOwn(audioFormats, type) ? audioFormats[type] : undefined;
  if (format) return { type: "input_audio", input_audio: { data, format } };
  const text = type.startsWith("text/") || type === "application/json" ? decodeText(data) : undefined;
  return text === undefined ? describeFile(part) : { type: "text", text: `${name}:\n\n${text}` };
}

const describeFile = (file: FileMessagePart): OpenAIChatContentPart => ({
  type: "text",
  text: nameFile(file),
});

/** @returns undefined if it is not base64 of UTF-8. */
function decodeText(base64: string): string | undefined {
  try {
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
