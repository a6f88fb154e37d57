/**
 * The log of a run that both sides of the suite know: the server sends it, and the client must end up with it.
 */
import type { StreamChunk } from "@kortyx/client";
import type { AnswerEnding } from "./answer.ts";
import { done, doneMarker, frameOf } from "./frames.ts";

/** The response to one request of a run; travels in the query, like an `Answer`. */
export interface RunAnswer {
  /** The number of texts in the run, between its `run-start` and its `done`. */
  size: number;
  /** Sends only this many bytes. */
  bytes?: number;
  /** What follows the bytes. @defaultValue "end" */
  ending?: AnswerEnding;
  /** Sent as `retry:` before the first event. */
  retryMs?: number;
  /** Announced before the first event. No heartbeat follows. */
  heartbeatMs?: number;
  /** The server ignores `last-event-id` and begins at the start. */
  replays?: true;
}

export const runUrl = (baseUrl: string, runId: string, answer: RunAnswer): string =>
  `${baseUrl}/run?${new URLSearchParams({ case: runId, answer: JSON.stringify(answer) })}`;

/** The texts have characters of one to four bytes, so that cuts also split characters. */
function entryOf(runId: string, seq: number, size: number): StreamChunk {
  if (seq === 0) return { type: "run-start", runId, input: "Hello" };
  if (seq > size) return done;
  return { type: "text-delta", delta: `${seq}: wörter — 🙂 ` };
}

/** Every entry of the log. */
export const runLog = (runId: string, size: number): StreamChunk[] =>
  Array.from({ length: size + 2 }, (_, seq) => entryOf(runId, seq, size));

/** The events after entry `after`, up to roughly the number of bytes that the answer sends. */
export function printRun(runId: string, after: number, answer: RunAnswer): string {
  const { size, retryMs, heartbeatMs, bytes = Infinity } = answer;
  let text = retryMs === undefined ? "" : `retry: ${retryMs}\n\n`;
  if (heartbeatMs !== undefined) text += `:hb=${heartbeatMs}\n\n`;
  for (let seq = after + 1; seq <= size + 1; seq++) {
    if (text.length >= bytes) return text;
    text += frameOf(runId, seq, entryOf(runId, seq, size));
  }
  return text + doneMarker;
}
