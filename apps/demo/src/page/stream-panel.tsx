/**
 * The stream as it is on the wire: its last chunks with their times, and the figures of the answer. The list of chunks is
 * bounded, and reported to subscribers at most once per frame, however fast the chunks arrive.
 */
import type { Chat, ChatSnapshot, ConnectionState, StreamChunk, UnknownChunk } from "@kortyx/client";
import { memo, useSyncExternalStore } from "react";

export function StreamPanel({ log, snapshot }: { log: StreamLog; snapshot: ChatSnapshot }) {
  const { entries, count, reader } = useSyncExternalStore(log.subscribe, log.getSnapshot);
  const { timing, messages } = snapshot;
  const last = messages.at(-1);
  const writer = last?.role === "assistant" ? last.metadata?.process : undefined;
  return (
    <aside className="stream-panel" id="stream-panel" aria-label="Stream">
      <h2 className="visually-hidden">Stream</h2>
      <dl>
        <Figure name="First chunk" value={formatMs(timing?.firstChunkMs)} />
        <Figure name="Chunks" value={String(count)} />
        <Figure name="Time" value={formatMs(timing?.durationMs ?? entries.at(-1)?.atMs)} />
      </dl>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls can be scrolled with a keyboard. */}
      <section className="chunks" tabIndex={0} aria-label="Chunks">
        {entries.length === 0 ? (
          <p className="muted">The chunks of the next answer are shown here, as they arrive.</p>
        ) : (
          <ol>
            {entries.map((entry) => (
              <ChunkRow key={entry.number} entry={entry} />
            ))}
          </ol>
        )}
      </section>
      {writer !== undefined && reader !== undefined && (
        <p>
          Written by {String(writer)}, read from {reader}.
        </p>
      )}
      {count > entries.length && <p className="muted">The last {entries.length} chunks are kept.</p>}
    </aside>
  );
}

const Figure = ({ name, value }: { name: string; value: string }) => (
  <div>
    <dt className="label">{name}</dt>
    <dd>{value}</dd>
  </div>
);

/** A chunk never changes, so its row is rendered once. */
const ChunkRow = memo(function ChunkRow({ entry }: { entry: StreamLogEntry }) {
  const { type, ...rest } = entry.chunk;
  return (
    <li data-type={type}>
      <span>{Math.round(entry.atMs)} ms</span>
      <p>
        <strong>{type}</strong> {toGist(rest)}
      </p>
    </li>
  );
});

const maxGistLength = 240;

/** The fields of a chunk as JSON: those that distinguish it first, ids last. */
function toGist({ delta, ...fields }: Record<string, unknown>): string {
  const entries = Object.entries({ delta, ...fields });
  const isId = ([name]: [string, unknown]) => /(^id|Id|Token|^dataType)$/.test(name);
  const sorted = [...entries.filter((entry) => !isId(entry)), ...entries.filter(isId)];
  const text = JSON.stringify(Object.fromEntries(sorted));
  if (text === "{}") return "";
  return text.length > maxGistLength ? `${text.slice(0, maxGistLength)}…` : text;
}

function formatMs(ms: number | undefined): string {
  if (ms === undefined) return "–";
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(2)} s`;
}

/** A chunk, and when it arrived. */
interface StreamLogEntry {
  /** Its position in the answer, from 1. */
  number: number;
  /** Since the answer was requested, in milliseconds. */
  atMs: number;
  chunk: StreamChunk | UnknownChunk;
}

/** What a frame shows. */
interface StreamLogSnapshot {
  /** The last chunks, at most {@link maxEntries}. */
  entries: StreamLogEntry[];
  count: number;
  /** The attempt to reconnect, from 1. */
  attempt: number;
  /** In a cluster, the process that the page last read from. */
  reader: string | undefined;
}

export type StreamLog = ReturnType<typeof createStreamLog>;

const maxEntries = 150;

export function createStreamLog() {
  const listeners = new Set<() => void>();
  /** What the next frame shows. */
  const next: StreamLogSnapshot = { entries: [], count: 0, attempt: 0, reader: undefined };
  let snapshot: Readonly<StreamLogSnapshot> = { ...next };
  /** While an answer is in progress. */
  let startedAt: number | undefined;
  let frame = 0;

  function change(part: Partial<StreamLogSnapshot>): void {
    Object.assign(next, part);
    if (frame === 0) frame = requestAnimationFrame(publish);
  }

  function publish(): void {
    frame = 0;
    next.entries = next.entries.slice(-maxEntries);
    snapshot = { ...next };
    for (const listener of listeners) listener();
  }

  const reset = () => change({ entries: [], count: 0, attempt: 0 });

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
      next.entries.push({ number: ++next.count, atMs: performance.now() - startedAt!, chunk });
      // A hidden page has no frames, and everything may arrive between two of them.
      if (next.entries.length > 4 * maxEntries) next.entries = next.entries.slice(-maxEntries);
      change({});
    },
    onConnectionChange(connection: ConnectionState) {
      if (connection.state === "reconnecting") change({ attempt: connection.attempt });
    },
    /** `fetch`, which also notes the process that has answered. */
    async fetch(...[input, init]: Parameters<typeof fetch>) {
      const response = await fetch(input, init);
      const reader = response.headers.get("x-demo-process");
      if (reader !== null && init?.method !== "DELETE") change({ reader });
      return response;
    },
  };
}
