/**
 * What arrives on the wire, as the page shows it to the curious: the last chunks with their times, and how the
 * connection stands. Bounded, and told to its subscribers at most once per frame, however fast the chunks come.
 */
import type { Chat, ChatSnapshot, ConnectionState, StreamChunk, UnknownChunk } from "@kortyx/client";
import { processChunkType, processHeader } from "../name-process.ts";

/** A chunk, and when it came. */
export interface StreamLogEntry {
  /** From 1, of this answer. */
  number: number;
  /** Since the answer was asked for, in milliseconds. */
  atMs: number;
  chunk: StreamChunk | UnknownChunk;
}

export type StreamLogState =
  | "idle"
  | "connecting"
  | "streaming"
  | "reconnecting"
  | "stopping"
  | "stopped"
  | "failed";

/** Of the last answer. Never changes: a newer state is another object. */
export interface StreamLogSnapshot {
  state: StreamLogState;
  /** While reconnecting, from 1. */
  attempt: number;
  /** The last chunks, at most {@link maxEntries}. */
  entries: readonly StreamLogEntry[];
  count: number;
  firstChunkMs: number | undefined;
  /** So far; of an answer that has ended, to its end. */
  durationMs: number | undefined;
  /** What the agent says that it does. */
  activity: string | undefined;
  /** In a cluster, the process that writes it. */
  writer: string | undefined;
  /** In a cluster, the process that it was last read from. */
  reader: string | undefined;
}

export interface StreamLog {
  getSnapshot(): StreamLogSnapshot;
  subscribe(listener: () => void): () => void;
  /** Starts over with another chat. @returns a function that ends it. */
  follow(chat: Chat): () => void;
  onChunk(chunk: StreamChunk | UnknownChunk): void;
  onConnectionChange(connection: ConnectionState): void;
  onResponse(response: Response): void;
}

const maxEntries = 150;

const empty: Omit<StreamLogSnapshot, "reader"> = {
  state: "idle",
  attempt: 0,
  entries: [],
  count: 0,
  firstChunkMs: undefined,
  durationMs: undefined,
  activity: undefined,
  writer: undefined,
};

export function createStreamLog(): StreamLog {
  const listeners = new Set<() => void>();
  let snapshot: StreamLogSnapshot = { ...empty, reader: undefined };
  /** What has changed since the last frame. */
  let pending: Partial<StreamLogSnapshot> = {};
  let entries: StreamLogEntry[] = [];
  let count = 0;
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

  function reset(state: StreamLogState): void {
    entries = [];
    count = 0;
    change({ ...empty, state });
  }

  function begin(): void {
    startedAt = performance.now();
    reset("connecting");
  }

  function onChat({ status, timing, messages }: ChatSnapshot): void {
    if (status === "ready" || status === "error") {
      if (startedAt === undefined) return;
      startedAt = undefined;
      const last = messages.at(-1);
      const wasStopped = last?.role === "assistant" && last.status === "aborted";
      const state = status === "error" ? "failed" : wasStopped ? "stopped" : "idle";
      change({
        state,
        firstChunkMs: timing?.firstChunkMs,
        durationMs: timing?.durationMs,
        activity: undefined,
      });
      return;
    }
    if (startedAt === undefined) begin();
    if (status === "streaming" && timing?.firstChunkMs !== snapshot.firstChunkMs) {
      change({ firstChunkMs: timing?.firstChunkMs });
    }
    if (status === "stopping") change({ state: "stopping" });
  }

  return {
    getSnapshot: () => snapshot,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    follow(chat) {
      startedAt = undefined;
      reset("idle");
      return chat.subscribe(onChat);
    },
    onChunk(chunk) {
      // An answer that is found after a reload was not asked for here.
      if (startedAt === undefined) begin();
      const atMs = performance.now() - startedAt!;
      entries.push({ number: ++count, atMs, chunk });
      // Between two frames of a page that is hidden, everything may arrive.
      if (entries.length > 4 * maxEntries) entries = entries.slice(-maxEntries);
      const isOpen = (pending.state ?? snapshot.state) === "connecting";
      change({
        durationMs: atMs,
        ...(isOpen && { state: "streaming" }),
        ...(chunk.type === "status" && { activity: String(chunk.message) }),
        ...(chunk.type === processChunkType && { writer: String(chunk.name) }),
      });
    },
    onConnectionChange(connection) {
      if (connection.state === "open") change({ state: "streaming" });
      else change({ state: "reconnecting", attempt: connection.attempt });
    },
    onResponse({ headers }) {
      const reader = headers.get(processHeader);
      if (reader !== null) change({ reader });
    },
  };
}
