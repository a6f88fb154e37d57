/**
 * The messages of a conversation as a user interface shows them: what a chat holds, and what a route reports when an
 * answer has ended. Types only.
 */

import type { AssistantMessage } from "./assistant-message.ts";
import type { ChatMessage } from "./chat-request.ts";
import type { ChatTypes } from "./chat-types.ts";

/** What the user has said. */
export interface UserUIMessage<Types extends ChatTypes = ChatTypes> extends Readonly<ChatMessage<Types>> {
  /** Unique within the conversation. */
  readonly id: string;
  readonly role: "user";
}

/** An answer: complete, partial or still growing. Its id is that of its run, if it has one. */
export interface AssistantUIMessage<Types extends ChatTypes = ChatTypes> extends AssistantMessage<Types> {
  readonly id: string;
  readonly role: "assistant";
  /**
   * Until the message has the `done` or `abort` of the run that continues it: the message without that run. A chat that
   * follows the run again, such as after a reload, begins here.
   */
  readonly beforeRun?: AssistantUIMessage | undefined;
}

/** One message of a conversation. Immutable: a newer version is a new object. */
export type UIMessage<Types extends ChatTypes = ChatTypes> = UserUIMessage<Types> | AssistantUIMessage<Types>;
