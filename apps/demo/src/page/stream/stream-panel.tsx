/** The stream as it is on the wire: its last chunks with their times, and the figures of the answer. */
import type { ChatSnapshot } from "@kortyx/client";
import { memo, useSyncExternalStore } from "react";
import type { StreamLog, StreamLogEntry } from "./stream-log.ts";

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
