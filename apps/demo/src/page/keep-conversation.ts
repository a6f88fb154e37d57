/**
 * Writes a conversation down while it goes on, so that a reload loses nothing. Owns the timer between two writes.
 */
import type { Chat } from "@kortyx/client";
import type { ConversationStore } from "./conversation-store.ts";

/** A growing answer changes with every frame: that often it need not be written. */
const intervalMs = 500;

/** @returns a function that writes for the last time. */
export function keepConversation(chat: Chat, id: string, store: ConversationStore): () => void {
  let written = chat.getSnapshot().messages;
  let timer: ReturnType<typeof setTimeout> | undefined;

  function write(): void {
    const { messages, sessionId } = chat.getSnapshot();
    if (messages === written) return;
    written = messages;
    store.write({ id, sessionId: sessionId ?? id, updatedAt: Date.now(), messages });
  }

  /** At once, and then not again for a while. */
  function writeSoon(): void {
    if (timer !== undefined || chat.getSnapshot().messages === written) return;
    write();
    timer = setTimeout(() => {
      timer = undefined;
      writeSoon();
    }, intervalMs);
  }

  const unsubscribe = chat.subscribe(writeSoon);
  // The last moment before a reload.
  window.addEventListener("pagehide", write);
  return () => {
    unsubscribe();
    clearTimeout(timer);
    window.removeEventListener("pagehide", write);
    write();
  };
}
