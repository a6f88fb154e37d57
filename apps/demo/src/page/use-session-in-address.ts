/**
 * The session of the conversation, in the address after its `#`: a reload, a bookmark and a second tab find the
 * conversation, and the Back button returns to the previous one.
 */
import { useSyncExternalStore } from "react";

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
