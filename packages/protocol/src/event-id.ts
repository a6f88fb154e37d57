/**
 * Event ids: `<runId>.<seq>`, the cursor from which a run is resumed. The only file that parses them, and that prints
 * those sent on the wire.
 */
import { StreamProtocolError } from "./errors.ts";
import { maxVisibleAsciiLength } from "./id-rules.ts";

/** A position in the log of a run. */
export interface EventId {
  /** The id of the run: visible ASCII characters. */
  runId: string;
  /** Position of the entry in the log: an integer from 0 to 10^15 - 1. */
  seq: number;
}

/**
 * Prints the event id of entry `seq` of run `runId`.
 *
 * @throws StreamProtocolError `invalid-frame` when the id would be longer than 128 bytes or hold anything but visible
 * ASCII, or when `seq` is not an integer from 0 to 10^15 - 1.
 *
 * @example
 * ```ts
 * formatEventId("run-1", 7); // "run-1.7"
 * ```
 */
export function formatEventId(runId: string, seq: number): string {
  const text = `${runId}.${seq}`;
  if (parseEventId(text)?.runId !== runId) {
    throw new StreamProtocolError(
      "invalid-frame",
      `Event id ${JSON.stringify(text)}: expected a run id of visible ASCII characters and a whole number, together at most ${maxVisibleAsciiLength} bytes.`,
    );
  }
  return text;
}

/**
 * Reads an event id, such as the value of a `Last-Event-ID` header.
 *
 * @returns `undefined` for anything that {@link formatEventId} would not have printed.
 *
 * @example
 * ```ts
 * parseEventId("run-1.7"); // { runId: "run-1", seq: 7 }
 * parseEventId("7"); // undefined
 * ```
 */
export function parseEventId(text: string): EventId | undefined {
  // No more than 128 characters, and digits that a number can hold.
  const [, runId, seq] = /^(?=.{3,128}$)([\x21-\x7e]+)\.(0|[1-9]\d{0,14})$/.exec(text) ?? [];
  return runId === undefined ? undefined : { runId, seq: Number(seq) };
}
