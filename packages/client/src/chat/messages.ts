/**
 * The messages of a conversation: their text, and how they are sent to a route. Their types are in the protocol
 * package.
 */
import { type AssistantMessage, type ChatMessage, joinTextParts, type UIMessage } from "@kortyx/protocol";

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

/** The messages of a conversation as sent to a route: their texts. Answers without text are left out. */
export function toChatMessages(messages: readonly UIMessage[]): ChatMessage[] {
  return messages.flatMap((message): ChatMessage[] => {
    if (message.role === "user") return [message];
    const content = toMessageText(message);
    return content === "" ? [] : [{ role: "assistant", content, id: message.id }];
  });
}
