/**
 * The messages of a conversation: their text, and how they are sent to a route. Their types are in the protocol
 * package.
 */
import {
  type AssistantMessage,
  type ChatMessage,
  type ChatMessagePart,
  joinTextParts,
  type MessagePart,
  type UIMessage,
  type UserUIMessage,
} from "@kortyx/protocol";
import { ChatStateError } from "../stream/errors.ts";

export type { AssistantUIMessage, UIMessage, UserUIMessage } from "@kortyx/protocol";

/**
 * The text of a message, to copy, to search or to read aloud: the content of a user message, or the texts of an answer
 * separated by blank lines. A text split only by files or objects stays one text. Reasoning, tool calls and everything
 * else are left out.
 *
 * @example
 * ```ts
 * toMessageText({ id: "1", role: "user", content: "Hello" }); // "Hello"
 * ```
 */
export function toMessageText(message: UIMessage | AssistantMessage): string {
  if ("content" in message) return message.content;
  return joinTextParts(message.parts);
}

/**
 * The messages of a conversation as sent to a route: their texts, or their parts where there is more than text. Empty
 * answers are left out.
 */
export function toChatMessages(messages: readonly UIMessage[], history: "text" | "parts"): ChatMessage[] {
  return messages.flatMap((message): ChatMessage[] => {
    if (message.role === "user") return [withoutBlankFiles(message)];
    const content = toMessageText(message);
    const parts = history === "parts" ? message.parts.flatMap(toSentPart) : [];
    const hasMore = parts.some(
      (part) => part.type !== "step" && (part.type !== "text" || part.providerMetadata),
    );
    if (content === "" && !hasMore) return [];
    const metadata = history === "parts" && message.metadata && { metadata: message.metadata };
    return [{ role: "assistant", content, id: message.id, ...metadata, ...(hasMore && { parts }) }];
  });
}

/** A file whose URL was not safe to show has none: a route would refuse the message, and so every request. */
function withoutBlankFiles(message: UserUIMessage): UserUIMessage {
  const isBlank = (part: ChatMessagePart) =>
    part.type === "file" && part.url === "" && !part.providerReference;
  return message.parts?.some(isBlank)
    ? { ...message, parts: message.parts.filter((part) => !isBlank(part)) }
    : message;
}

/** What is sent of each kind of part. The others are only for a user interface. */
const sentFields = {
  text: ["type", "text", "providerMetadata"],
  reasoning: ["type", "text", "providerMetadata"],
  file: ["type", "mediaType", "url", "name", "providerReference", "providerMetadata"],
  "tool-call": [
    "type",
    "toolCallId",
    "tool",
    "state",
    "input",
    "content",
    "structuredContent",
    "errorMessage",
    "executor",
    "inputFormat",
    "isDynamic",
    "providerMetadata",
    "resultProviderMetadata",
  ],
  data: ["type", "name", "data", "id", "providerMetadata"],
  step: ["type", "stepId", "name"],
} satisfies { [Part in ChatMessagePart as Part["type"]]: (keyof Part)[] };

/** @returns nothing for a part that is not sent. */
function toSentPart(part: MessagePart): ChatMessagePart[] {
  if (part.type === "structured-data") {
    const { dataType: name, streamId: id, data } = part;
    return [{ type: "data", name, id, data: data ?? null }];
  }
  const names: string[] = sentFields[part.type as keyof typeof sentFields] ?? [];
  const values = part as unknown as Record<string, unknown>;
  const sent = names.filter((name) => values[name] !== undefined).map((name) => [name, values[name]]);
  return sent.length === 0 || values.state === "input-streaming" ? [] : [Object.fromEntries(sent)];
}

/**
 * The messages without the oldest exchanges, so that they fit.
 *
 * @param maxBytes - The most that their JSON may take.
 * @throws ChatStateError `too-large` if the last user message and what follows it are larger.
 */
export function trimHistory(messages: ChatMessage[], maxBytes: number): ChatMessage[] {
  const encoder = new TextEncoder();
  let bytes = 2;
  let first: number | undefined;
  for (let index = messages.length - 1; index >= 0; index--) {
    const message = messages[index]!;
    bytes += encoder.encode(JSON.stringify(message)).length + 1;
    if (bytes > maxBytes + 1) break;
    // An answer is not sent without its question.
    if (message.role === "user" || index === 0) first = index;
  }
  if (first !== undefined || messages.length === 0) return messages.slice(first);
  throw new ChatStateError(
    "too-large",
    `Cannot send the last message: with what follows it, it takes more than ${maxBytes} bytes of JSON. Shorten it, upload its files (\`uploadFile\`), or raise \`maxHistoryBytes\` here and \`maxBodyBytes\` of the route.`,
  );
}
