/** What a reader must report about a body, and whether a report is that. */
import { isDeepStrictEqual } from "node:util";
import {
  checkChunk,
  createChunkDecoder,
  reduceStreamError,
  type StreamChunk,
  toChunk,
} from "@kortyx/protocol";
import { show } from "../check-failure.ts";

/** The line that a reader prints for a body. */
export interface Reading {
  /** Chunks of unknown types may be left out. */
  chunks: unknown[];
  outcome: "done" | "failed" | "aborted" | "truncated" | "violation";
  /** A reader that resumes reports it. */
  lastEventId?: string;
  /** The same. */
  retryMs?: number | null;
}

/** What our own reader, which the tests of the protocol package check, makes of the bodies of an answer. */
export function readHere(...bodies: Uint8Array[]): Required<Reading> {
  const chunks: StreamChunk[] = [];
  let error: ReturnType<typeof reduceStreamError>;
  let lastType: string | undefined;
  let lastEventId = "";
  let retryMs: number | null = null;
  let isComplete = false;
  for (const bytes of bodies) {
    const onUnknownChunk = ({ type }: { type: string }) => {
      lastType = type;
    };
    const decoder = createChunkDecoder({ after: lastEventId, onUnknownChunk });
    decoder.push(bytes);
    let isViolated = false;
    try {
      for (let chunk = decoder.next(); chunk !== undefined; chunk = decoder.next()) {
        chunks.push(chunk);
        lastType = chunk.type;
        error = reduceStreamError(error, chunk);
      }
    } catch {
      isViolated = true;
    }
    ({ lastEventId, retryMs = retryMs } = decoder);
    if (isViolated) return { chunks, outcome: "violation", lastEventId, retryMs };
    isComplete = decoder.complete || (decoder.done && lastType === "error");
  }
  const ending = chunks.at(-1)?.type === "abort" ? "aborted" : error === undefined ? "done" : "failed";
  return { chunks, outcome: isComplete ? ending : "truncated", lastEventId, retryMs };
}

/** @returns the line as a report; undefined if it is not one. */
export function parseReading(line: string): Reading | undefined {
  try {
    const reading = JSON.parse(line, (_, value) => wellFormed(value));
    return Array.isArray(reading?.chunks) && typeof reading.outcome === "string" ? reading : undefined;
  } catch {
    return undefined;
  }
}

/** Half a character is none in most languages, which replace it; and decoders differ in how many U+FFFD they write. */
function wellFormed(value: unknown): unknown {
  return typeof value === "string"
    ? Buffer.from(value)
        .toString()
        .replace(/\ufffd+/g, "\ufffd")
    : value;
}

/** Whether a reader understood a body; only what it reports is compared. */
export function isSameReading(reading: Reading, expected: Required<Reading>): boolean {
  const { chunks, outcome, lastEventId = expected.lastEventId, retryMs = expected.retryMs } = reading;
  return (
    outcome === expected.outcome &&
    lastEventId === expected.lastEventId &&
    retryMs === expected.retryMs &&
    isDeepStrictEqual(
      knownAmong(chunks),
      JSON.parse(show(expected.chunks), (_, value) => wellFormed(value)),
    )
  );
}

/** The chunks of known types, repaired as section 2.4 allows. */
function knownAmong(chunks: unknown[]): unknown[] {
  return chunks
    .filter((chunk) => checkChunk(chunk)?.code !== "unknown-type")
    .map((chunk) => {
      try {
        return toChunk(chunk);
      } catch {
        return chunk;
      }
    });
}
