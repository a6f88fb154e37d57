/**
 * The messages of a conversation as a user interface shows them: what a chat holds, and what a route reports when an
 * answer has ended. Types only.
 */

import type { AssistantMessage } from "./assistant-message.ts";
import type { ChatMessage } from "./chat-request.ts";

/** What the user has said. */
export interface UserUIMessage extends Readonly<ChatMessage> {
  readonly id: string;
  readonly role: "user";
}

/** An answer: complete, partial or still growing. Its id is that of its run, if it has one. */
export interface AssistantUIMessage extends AssistantMessage {
  readonly id: string;
  readonly role: "assistant";
}

/** One message of a conversation. Immutable: a newer version is a new object. */
export type UIMessage = UserUIMessage | AssistantUIMessage;
