/**
 * The files of a message that is sent: uploads each `File`, or turns it into a `data:` URL.
 */
import type { FileMessagePart } from "@kortyx/protocol";
import { withSafeUrl } from "@kortyx/protocol/internal";
import { ChatStateError } from "../stream/errors.ts";
import type { ChatInput, ChatOptions } from "./chat.ts";
import type { UserUIMessage } from "./messages.ts";

type AttachedFile = File | FileMessagePart;

/** @throws ChatStateError `invalid-message` for a value that is neither a `File` nor a part. */
export function readFiles(input: ChatInput): AttachedFile[] {
  const files = Array.from((typeof input === "object" && input?.files) || []);
  if (files.every((file) => isFile(file) || typeof file?.url === "string")) return files;
  throw new ChatStateError(
    "invalid-message",
    'Cannot send these files: expected each to be a File, or { type: "file", mediaType, url }.',
  );
}

/** Whether it has to be uploaded. A `File` of another window is not an instance of this one's. */
export const isFile = (file: AttachedFile): file is File => typeof (file as File)?.arrayBuffer === "function";

/** @returns the part of an uploaded file. */
export async function upload(
  file: File,
  uploadFile: ChatOptions["uploadFile"] = toDataURL,
  signal: AbortSignal,
): Promise<FileMessagePart> {
  const part = { type: "file", mediaType: mediaTypeOf(file), name: file.name } as const;
  return { ...part, ...(await uploadFile(file, { signal })) };
}

const mediaTypeOf = ({ type }: File): string => type || "application/octet-stream";

async function toDataURL(file: File): Promise<{ url: string }> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let binary = "";
  // No engine takes a million arguments.
  for (let at = 0; at < bytes.length; at += 10_000) {
    binary += String.fromCharCode(...bytes.subarray(at, at + 10_000));
  }
  return { url: `data:${mediaTypeOf(file)};base64,${btoa(binary)}` };
}

/**
 * @returns the message with the files among its parts, after its text.
 * @throws ChatStateError `invalid-message` for a URL that no agent can load. In the conversation, it would fail this and
 * every later request.
 */
export function attach(message: UserUIMessage, files: FileMessagePart[]): UserUIMessage {
  const { content, parts = content && files.length > 0 ? [{ type: "text" as const, text: content }] : [] } =
    message;
  const all = Array.from(parts).concat(files);
  for (const part of all) if (part?.type === "file") checkURL(part);
  return files.length > 0 ? { ...message, parts: all } : message;
}

function checkURL(file: FileMessagePart): void {
  const { url, name = "without a name", providerReference } = file;
  if (url === "" && Object.keys(providerReference ?? {}).length > 0) return;
  const scheme = /^[a-z][a-z\d+.-]*:/i.exec(url)?.[0];
  if (scheme && withSafeUrl(file) === file) return;
  const got = scheme ? `"${scheme}" with what may be a program` : "a URL without a scheme";
  throw new ChatStateError(
    "invalid-message",
    `Cannot send the file ${name}: expected an absolute URL, such as one with https: or data:; got ${got}.`,
  );
}
