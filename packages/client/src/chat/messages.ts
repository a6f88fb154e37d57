/**
 * The messages of a conversation: their text, and what a route is sent of them. Their types are the protocol's.
 */
import { type AssistantMessage, type ChatMessage, joinTextParts, type UIMessage } from "@kortyx/protocol";

export type { AssistantUIMessage, UIMessage, UserUIMessage } from "@kortyx/protocol";

/**
 * The text of a message, to copy, to search or to read aloud: the content of the user's, the texts of an answer with a
 * blank line between them. A text that only files and objects have split stays one. Reasoning, tool calls and
 * everything else are left out.
 */
export function toMessageText(message: UIMessage | AssistantMessage): string {
  if ("content" in message) return message.content;
  return joinTextParts(message.parts);
}

/** What a route is sent of a conversation: what was said. Answers without a text are left out. */
export function toChatMessages(messages: readonly UIMessage[]): ChatMessage[] {
  return messages.flatMap((message): ChatMessage[] => {
    if (message.role === "user") return [message];
    const content = toMessageText(message);
    return content === "" ? [] : [{ role: "assistant", content, id: message.id }];
  });
}
