/**
 * The messages of a conversation: their text, and how many of them are sent to a route. Their types, and their form in a
 * request, are in the protocol package.
 */
import { type AssistantMessage, type ChatMessage, joinTextParts, type UIMessage } from "@kortyx/protocol";
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
  throw new ChatStateError("too-large", "The message is too large. Shorten it, or attach smaller files.");
}
