/**
 * The messages of a conversation: their text, and how they are sent to a route. Their types are in the protocol
 * package.
 */
import {
  type AssistantMessage,
  type AssistantUIMessage,
  type ChatMessage,
  type ChatMessagePart,
  type InterruptChunk,
  joinTextParts,
  type MessagePart,
  type UIMessage,
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

/** @returns the questions of a message that are open, oldest first. */
export function openQuestions(message: UIMessage | undefined): readonly Readonly<InterruptChunk>[] {
  const { interrupt, interrupts = interrupt && [interrupt] } = (message ?? {}) as Partial<AssistantUIMessage>;
  return interrupts ?? [];
}

/**
 * The messages of a conversation as sent to a route: their texts, or their parts where there is more than text. Empty
 * answers are left out.
 */
export function toChatMessages(messages: readonly UIMessage[], history: "text" | "parts"): ChatMessage[] {
  return messages.flatMap((message): ChatMessage[] => {
    if (message.role === "user") return [message];
    const content = toMessageText(message);
    const parts = history === "parts" ? message.parts.flatMap(toSentPart) : [];
    const hasMore = parts.some(({ type }) => type !== "text");
    if (content === "" && !hasMore) return [];
    return [{ role: "assistant", content, id: message.id, ...(hasMore && { parts }) }];
  });
}

/** @returns nothing for a part that only a user interface needs. */
function toSentPart(part: MessagePart): ChatMessagePart[] {
  switch (part.type) {
    case "text":
      return [{ type: "text", text: part.text }];
    case "reasoning":
      return [defined({ type: "reasoning", text: part.text, providerMetadata: part.providerMetadata })];
    case "file": {
      const { type, mediaType, url, name } = part;
      return isSendable(url) ? [defined({ type, mediaType, url, name })] : [];
    }
    case "tool-call": {
      const { type, toolCallId, tool, state, input, content, structuredContent, errorMessage } = part;
      if (state === "input-streaming") return [];
      const call = { type, toolCallId, tool, state, input, content, structuredContent, errorMessage };
      return [defined({ ...call, providerMetadata: part.providerMetadata })];
    }
    case "data": {
      const { type, name, data, id } = part;
      return [defined({ type, name, data, id })];
    }
    default:
      return [];
  }
}

/** A route refuses other URLs, and with them the whole conversation. */
const isSendable = (url: string): boolean => /^(https|data):/i.test(url);

const defined = <Part extends object>(part: Part): Part =>
  Object.fromEntries(Object.entries(part).filter(([, value]) => value !== undefined)) as Part;

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
