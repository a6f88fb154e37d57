/** The view of a chat in most scenes, and the messages that they send. */
import { toMessageText, type UIMessage } from "@kortyx/client";
import type { UseChatResult } from "@kortyx/client/react";

export const endpoint = "/api/chat";

export const said = (content: string): UIMessage => ({ role: "user", id: `said-${content}`, content });

/** Counts the renders of a conversation. */
export const counts = { renders: 0 };

export function Conversation({ name, chat }: { name: string; chat: UseChatResult }) {
  const { messages, status, sessionId, error, send, stop } = chat;
  return (
    <section aria-label={name} data-status={status} data-session={sessionId}>
      {messages.map((message) => (
        <p key={message.id} data-role={message.role}>
          {toMessageText(message)}
        </p>
      ))}
      {error !== undefined && <p role="alert">{error.message}</p>}
      <button type="button" onClick={() => send("Hello")}>
        Send
      </button>
      <button type="button" onClick={stop}>
        Stop
      </button>
    </section>
  );
}
