/**
 * Which conversations there are, and which one is shown: the one that the address names behind its `#`, so that a
 * reload, the Back button and a bookmark find it.
 */
import { useEffect, useState, useSyncExternalStore } from "react";
import type { ConversationStore } from "./conversation-store.ts";
import type { StoredConversation } from "./stored-conversation.ts";

export interface Conversations {
  /** Newest first. */
  all: readonly StoredConversation[];
  /** The one that is shown. A new one is kept with its first message. */
  currentId: string;
  select(id: string): void;
  startNew(): void;
  remove(id: string): void;
}

export function useConversations(store: ConversationStore): Conversations {
  const all = useSyncExternalStore(store.subscribe, store.getSnapshot);
  const named = useSyncExternalStore(subscribeToAddress, readAddress);
  const [newId, setNewId] = useState(createConversationId);
  const currentId = named ?? newId;

  const isKept = all.some(({ id }) => id === currentId);
  useEffect(() => {
    if (isKept && named === undefined) history.replaceState(null, "", `#${currentId}`);
  }, [isKept, named, currentId]);

  function startNew(): void {
    setNewId(createConversationId());
    if (readAddress() !== undefined) history.pushState(null, "", location.pathname);
  }

  return {
    all,
    currentId,
    select: (id) => {
      location.hash = id;
    },
    startNew,
    remove: (id) => {
      store.remove(id);
      if (id === currentId) startNew();
    },
  };
}

const readAddress = (): string | undefined => /^#([\w-]{1,64})$/.exec(location.hash)?.[1];

function subscribeToAddress(listener: () => void): () => void {
  window.addEventListener("hashchange", listener);
  return () => window.removeEventListener("hashchange", listener);
}

/** `randomUUID` exists on https and localhost only. */
const createConversationId = (): string =>
  [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
