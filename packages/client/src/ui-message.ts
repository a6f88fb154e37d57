/**
 * The messages of a conversation as a user interface shows them, and what a route is sent of them.
 */
import type { AssistantMessage, ChatMessage } from "@kortyx/protocol";

/** What the user has said. */
export interface UserUIMessage extends Readonly<ChatMessage> {
  readonly id: string;
  readonly role: "user";
}

/** An answer, whole, partial or still growing. Its id is that of its run, where there is one. */
export interface AssistantUIMessage extends AssistantMessage {
  readonly id: string;
  readonly role: "assistant";
}

/** One message of a conversation. Never changes: a newer version is another object. */
export type UIMessage = UserUIMessage | AssistantUIMessage;

/**
 * The text of a message, to copy, to search or to read aloud: the content of the user's, the texts of an answer with a
 * blank line between them. Reasoning, tool calls and everything else are left out.
 */
export function toMessageText(message: UIMessage | AssistantMessage): string {
  if ("content" in message) return message.content;
  return message.parts.flatMap((part) => (part.type === "text" ? part.text : [])).join("\n\n");
}

/** What a route is sent of a conversation: what was said. Answers without a text are left out. */
export function toChatMessages(messages: readonly UIMessage[]): ChatMessage[] {
  return messages.flatMap((message): ChatMessage[] => {
    if (message.role === "user") return [message];
    const content = toMessageText(message);
    return content === "" ? [] : [{ role: "assistant", content, id: message.id }];
  });
}
