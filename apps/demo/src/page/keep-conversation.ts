/**
 * Keeps a conversation in this browser, and its session in the address: a reload loses nothing, and a bookmark, the Back
 * button and a second tab find it. Works without a storage too, and then forgets.
 */
import type { Chat, UIMessage } from "@kortyx/client";
import { useSyncExternalStore } from "react";

const prefix = "kortyx-demo:1:";

/** @returns the messages that were kept; none for a new conversation, or for an unreadable entry. */
export function readConversation(sessionId: string | undefined): UIMessage[] {
  if (sessionId === undefined) return [];
  try {
    const messages: unknown = JSON.parse(localStorage.getItem(prefix + sessionId) ?? "[]");
    return Array.isArray(messages) ? messages.filter(isMessage) : [];
  } catch {
    return [];
  }
}

/** Whether the last question has its whole answer: if not, the server may still be writing it. */
export function endsWhole(messages: readonly UIMessage[]): boolean {
  const last = messages.at(-1);
  return last?.role === "assistant" && last.status !== "streaming";
}

/** Writes the conversation when its status changes, and before the page is left. @returns a function that stops it. */
export function keepConversation(chat: Chat): () => void {
  let { status, messages: written } = chat.getSnapshot();

  function write(): void {
    const { sessionId, messages } = chat.getSnapshot();
    if (sessionId === undefined || messages === written) return;
    written = messages;
    writeItem(prefix + sessionId, JSON.stringify(messages));
  }

  const unsubscribe = chat.subscribe((snapshot) => {
    // A growing answer changes with every frame; until it ends, the server keeps it.
    const isGrowing = snapshot.status === "streaming" && status === "streaming";
    status = snapshot.status;
    if (!isGrowing) write();
  });
  window.addEventListener("pagehide", write);
  return () => {
    unsubscribe();
    window.removeEventListener("pagehide", write);
    write();
  };
}

/** A full storage makes room by forgetting all other conversations. */
function writeItem(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    try {
      for (const other of Object.keys(localStorage)) {
        if (other.startsWith(prefix)) localStorage.removeItem(other);
      }
      localStorage.setItem(key, value);
    } catch {}
  }
}

function isMessage(message: UIMessage | null): message is UIMessage {
  if (message?.role === "user") return typeof message.content === "string";
  return message?.role === "assistant" && Array.isArray(message.parts);
}

/** @returns the session that the address names, and a function that lets the address name another one. */
export const useSessionInAddress = () => [useSyncExternalStore(subscribe, readSession), nameSession] as const;

/** The conversation before it stays in the browser's history. */
export function startNewSession(): void {
  location.hash = "";
}

const readSession = (): string | undefined => /^#([\w-]{1,64})$/.exec(location.hash)?.[1];

function subscribe(listener: () => void): () => void {
  window.addEventListener("hashchange", listener);
  return () => window.removeEventListener("hashchange", listener);
}

/** @param sessionId - `undefined` for a new conversation, which has no session before its first message. */
function nameSession(sessionId: string | undefined): void {
  if (sessionId !== undefined) history.replaceState(null, "", `#${sessionId}`);
}
