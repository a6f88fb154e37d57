/** The messages of AG-UI, as ours. Validates nothing. */
import { decryptMetadata, messageIdOf, ownFieldsOf, ownFieldsOfCall, ownKey } from "./ag-ui-metadata.ts";
import { parseInput } from "./ag-ui-run.ts";
import { isRecord } from "./chunk-shape.ts";

type Fields = Record<string, unknown>;

/** A message of the user's or the system's; one of any other role as it is. */
export function toUserMessage(message: Fields): Fields {
  const { id, role, content, metadata } = message;
  const ours = role === "developer" ? "system" : role;
  const fields = { ...(typeof id === "string" && { id }), ...(isRecord(metadata) && { metadata }) };
  if (!Array.isArray(content)) return { role: ours, content, ...fields };
  const parts = content.map(toPart);
  const texts = parts.flatMap((part) => (isText(part) ? [part.text] : []));
  const hasMore = texts.length < parts.length;
  return { role: ours, content: texts.join("\n\n"), ...(hasMore && { parts }), ...fields };
}

/** Whether a part has only a text. An invalid text is kept as a part, for the parser to report. */
const isText = (part: unknown): part is Fields & { text: string } =>
  isRecord(part) && part.type === "text" && typeof part.text === "string";

/** Where a client does not say what a file is. */
const mediaTypes: Readonly<Record<string, string>> = {
  image: "image/*",
  audio: "audio/*",
  video: "video/*",
  document: "application/octet-stream",
  binary: "application/octet-stream",
};

function toPart(part: unknown): unknown {
  if (!isRecord(part) || typeof part.type !== "string") return part;
  const mediaType = Object.hasOwn(mediaTypes, part.type) ? mediaTypes[part.type]! : undefined;
  if (part.type === "text") return { type: "text", text: part.text };
  if (mediaType === undefined) return part;
  const source = part.type === "binary" ? toSource(part) : part.source;
  if (!isRecord(source)) return part;
  const { metadata } = part;
  const { filename = part.filename, name = filename } = isRecord(metadata) ? metadata : {};
  const { type, value, mimeType = mediaType, provider } = source;
  const isData = type === "data" && typeof mimeType === "string" && typeof value === "string";
  return {
    type: "file",
    mediaType: mimeType,
    url: isData ? `data:${mimeType};base64,${value}` : value,
    ...(type === "file" && {
      url: "",
      providerReference: { [typeof provider === "string" ? provider : "agui"]: value },
    }),
    ...(typeof name === "string" && { name }),
  };
}

/** Before AG-UI 1.0, files had no source. */
function toSource({ data, url, id, mimeType }: Fields): Fields {
  if (typeof data === "string") return { type: "data", value: data, mimeType };
  return typeof url === "string"
    ? { type: "url", value: url, mimeType }
    : { type: "file", value: id, mimeType };
}

/**
 * One answer, from the messages that AG-UI has for it.
 *
 * @param messages - Of the roles `assistant`, `reasoning` and `tool`.
 * @param asked - The ids of the calls that the request answers a question about.
 * @returns undefined if they hold nothing.
 */
export function toAssistantMessage(messages: Fields[], asked: ReadonlySet<unknown>): Fields | undefined {
  const parts: Fields[] = [];
  const calls = new Map<unknown, Fields>();
  for (const message of messages) {
    if (message.role === "tool") addResult(calls.get(message.toolCallId), message);
    else if (message.role === "reasoning") parts.push(toText("reasoning", message));
    else {
      if (hasText(message)) parts.push(toText("text", message));
      for (const call of Array.isArray(message.toolCalls) ? message.toolCalls : []) {
        const part = isRecord(call) ? toCall(call, message, asked) : call;
        if (isRecord(call)) calls.set(call.id, part);
        parts.push(part);
      }
    }
  }
  if (parts.length === 0) return undefined;
  const texts = parts.filter(isText);
  const content = texts.map(({ text }) => text).join("\n\n");
  const hasMore = texts.length < parts.length || texts.some((part) => part.providerMetadata !== undefined);
  const id = messages.map(messageIdOf).find((one) => one !== undefined) ?? messages[0]!.id;
  const metadata = metadataOf(messages);
  return {
    role: "assistant",
    content,
    ...(hasMore && { parts }),
    ...(typeof id === "string" && { id }),
    ...(Object.keys(metadata).length > 0 && { metadata }),
  };
}

const hasText = ({ content, encryptedValue }: Fields): boolean =>
  (content !== undefined && content !== null && content !== "") || typeof encryptedValue === "string";

const toText = (type: "text" | "reasoning", { content, encryptedValue }: Fields): Fields => ({
  type,
  text: content ?? "",
  ...encryptedIn("providerMetadata", encryptedValue),
});

const encryptedIn = (name: string, value: unknown): Fields =>
  typeof value === "string" ? { [name]: decryptMetadata(value) } : {};

/** What clients have added to the messages, without what is ours. */
function metadataOf(messages: Fields[]): Fields {
  const entries = messages
    .filter(({ role, metadata }) => role === "assistant" && isRecord(metadata))
    .flatMap(({ metadata }) => Object.entries(metadata as Fields));
  return Object.fromEntries(entries.filter(([key]) => key !== ownKey));
}

function toCall(call: Fields, message: Fields, asked: ReadonlySet<unknown>): Fields {
  const { executor, inputFormat, isDynamic, ...own } = ownFieldsOfCall(call, message);
  const { name, arguments: text } = isRecord(call.function) ? call.function : {};
  const parsed = inputFormat === "text" ? text : parseInput(text);
  const input = own.input ?? parsed;
  return {
    type: "tool-call",
    toolCallId: call.id,
    tool: name,
    state: asked.has(call.id) ? "awaiting-approval" : "interrupted",
    ...(input !== undefined && { input }),
    ...(executor !== undefined && { executor }),
    ...(inputFormat !== undefined && { inputFormat }),
    ...(isDynamic !== undefined && { isDynamic }),
    ...encryptedIn("providerMetadata", call.encryptedValue),
  };
}

/** Adds a result to its call. Without the call, no provider would accept it. */
function addResult(call: Fields | undefined, { content, error, metadata, encryptedValue }: Fields): void {
  if (call === undefined) return;
  const { isError, isDenied, isInterrupted, isJSON, structuredContent, reason } = ownFieldsOf(metadata);
  const hasFailed = typeof error === "string" || isError === true;
  call.state = isInterrupted ? "interrupted" : isDenied ? "denied" : hasFailed ? "error" : "done";
  if (isInterrupted) return;
  if (isDenied) {
    if (typeof reason === "string") call.errorMessage = reason;
  } else if (typeof error === "string") call.errorMessage = error;
  else if (hasFailed && typeof content === "string") call.errorMessage = content;
  else call.content = isJSON && typeof content === "string" ? (parseInput(content) ?? content) : content;
  if (structuredContent !== undefined) call.structuredContent = structuredContent;
  Object.assign(call, encryptedIn("resultProviderMetadata", encryptedValue));
}
