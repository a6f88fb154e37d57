/**
 * The chunks of the latest answer, as the page shows them to a curious visitor: the last ones with their times.
 * Bounded, and reported to subscribers at most once per frame, however fast the chunks arrive.
 */
import type { Chat, ConnectionState, StreamChunk, UnknownChunk } from "@kortyx/client";
import { processHeader } from "../../server/name-process.ts";

/** A chunk, and when it arrived. */
export interface StreamLogEntry {
  /** Its position in the answer, from 1. */
  number: number;
  /** Since the answer was requested, in milliseconds. */
  atMs: number;
  chunk: StreamChunk | UnknownChunk;
}

/** Immutable: a newer state is another object. */
interface StreamLogSnapshot {
  /** The last chunks, at most {@link maxEntries}. */
  entries: readonly StreamLogEntry[];
  count: number;
  /** The attempt to reconnect, from 1. */
  attempt: number;
  /** In a cluster, the process that the page last read from. */
  reader: string | undefined;
}

export type StreamLog = ReturnType<typeof createStreamLog>;

const maxEntries = 150;

const empty = { entries: [], count: 0, attempt: 0 };

export function createStreamLog() {
  const listeners = new Set<() => void>();
  let snapshot: StreamLogSnapshot = { ...empty, reader: undefined };
  /** Changes since the last frame. */
  let pending: Partial<StreamLogSnapshot> = {};
  let entries: StreamLogEntry[] = [];
  let count = 0;
  /** While an answer is in progress. */
  let startedAt: number | undefined;
  let frame = 0;

  function change(part: Partial<StreamLogSnapshot>): void {
    Object.assign(pending, part);
    if (frame === 0) frame = requestAnimationFrame(publish);
  }

  function publish(): void {
    frame = 0;
    entries = entries.slice(-maxEntries);
    snapshot = { ...snapshot, ...pending, entries, count };
    pending = {};
    for (const listener of listeners) listener();
  }

  function reset(): void {
    entries = [];
    count = 0;
    change(empty);
  }

  function begin(): void {
    startedAt = performance.now();
    reset();
  }

  return {
    getSnapshot: () => snapshot,
    subscribe(listener: () => void) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    /** Starts over for another chat. @returns a function that ends it. */
    follow(chat: Chat) {
      startedAt = undefined;
      reset();
      return chat.subscribe(({ status }) => {
        if (status === "ready" || status === "error") startedAt = undefined;
        else if (startedAt === undefined) begin();
      });
    },
    onChunk(chunk: StreamChunk | UnknownChunk) {
      // An answer found after a reload was not requested here.
      if (startedAt === undefined) begin();
      entries.push({ number: ++count, atMs: performance.now() - startedAt!, chunk });
      // A hidden page has no frames, and everything may arrive between two of them.
      if (entries.length > 4 * maxEntries) entries = entries.slice(-maxEntries);
      change({});
    },
    onConnectionChange(connection: ConnectionState) {
      if (connection.state === "reconnecting") change({ attempt: connection.attempt });
    },
    /** `fetch`, which also notes the process that has answered. */
    async fetch(...[input, init]: Parameters<typeof fetch>) {
      const response = await fetch(input, init);
      const reader = response.headers.get(processHeader);
      if (reader !== null && init?.method !== "DELETE") change({ reader });
      return response;
    },
  };
}
