/**
 * The conversations of this browser: one entry of `localStorage` each, so that two tabs never overwrite each other's.
 * Works without a storage too, until the page is left.
 */
import { parseConversation, type StoredConversation } from "./stored-conversation.ts";

export interface ConversationStore {
  /** Newest first. The same array until something changes, here or in another tab. */
  getSnapshot(): readonly StoredConversation[];
  subscribe(listener: () => void): () => void;
  write(conversation: StoredConversation): void;
  /** Whoever still shows it can no longer write it. */
  remove(id: string): void;
}

const prefix = "kortyx-demo:conversation:";
/** What is older makes room. */
const maxConversations = 50;

/** @param storage - Where it is all kept; undefined where the browser has none to give. */
export function createConversationStore(storage: Storage | undefined): ConversationStore {
  let conversations = readAll(storage);
  const removed = new Set<string>();
  const listeners = new Set<() => void>();

  function publish(next: StoredConversation[]): void {
    conversations = next;
    for (const listener of listeners) listener();
  }

  function drop(id: string): void {
    try {
      storage?.removeItem(prefix + id);
    } catch {}
  }

  /** A storage that is full makes room at its oldest end. */
  function keep(conversation: StoredConversation, all: StoredConversation[]): StoredConversation[] {
    const kept = all.slice(0, maxConversations);
    for (const { id } of all.slice(maxConversations)) drop(id);
    while (true) {
      try {
        storage?.setItem(prefix + conversation.id, JSON.stringify(conversation));
        return kept;
      } catch {
        const oldest = kept.pop();
        if (oldest === undefined || oldest.id === conversation.id) return all;
        drop(oldest.id);
      }
    }
  }

  return {
    getSnapshot: () => conversations,
    subscribe(listener) {
      const onStorage = (event: StorageEvent) => {
        // `null`: all of it was cleared.
        if (event.key === null || event.key.startsWith(prefix)) publish(readAll(storage));
      };
      listeners.add(listener);
      window.addEventListener("storage", onStorage);
      return () => {
        listeners.delete(listener);
        window.removeEventListener("storage", onStorage);
      };
    },
    write(conversation) {
      if (removed.has(conversation.id)) return;
      const others = conversations.filter(({ id }) => id !== conversation.id);
      publish(keep(conversation, [conversation, ...others]));
    },
    remove(id) {
      removed.add(id);
      drop(id);
      publish(conversations.filter((conversation) => conversation.id !== id));
    },
  };
}

function readAll(storage: Storage | undefined): StoredConversation[] {
  const found: StoredConversation[] = [];
  try {
    for (const key of Object.keys(storage ?? {})) {
      if (!key.startsWith(prefix)) continue;
      const conversation = parseConversation(storage?.getItem(key) ?? "");
      if (conversation !== undefined && key === prefix + conversation.id) found.push(conversation);
    }
  } catch {}
  return found.sort((one, other) => other.updatedAt - one.updatedAt);
}
