/**
 * Which run a request names, and how much of it the client has: the only file that reads these parameters and headers.
 * Does not look up the run.
 */
import { parseEventId } from "@kortyx/protocol";
import { isVisibleAscii, visibleAsciiRule } from "@kortyx/protocol/internal";
import type { RouteError } from "../stream/error-response.ts";

/** A run by its id, or the latest run of a session. */
export interface NamedRun {
  kind: "run" | "session";
  id: string;
}

/**
 * A run to resume, of which the client has everything up to position `after`. A wrong cursor is reported only after the
 * run is found: a client must not learn from it which runs exist.
 */
export interface ResumeTarget extends NamedRun {
  after: number | TargetProblem;
}

/** A run to stop; the idempotency key of its POST also identifies it. */
export type StopTarget = NamedRun | { kind: "key"; id: string };

/** A request that names no run. */
interface TargetProblem {
  kind: "problem";
  problem: RouteError;
}

/** Reads `Last-Event-ID`, `?run=` or `?session=`, in this order, and `?after=`. */
export function parseResumeTarget({ url, headers }: Request): ResumeTarget | TargetProblem {
  const { searchParams } = new URL(url);
  const lastEventId = headers.get("last-event-id");
  const cursor = parseEventId(lastEventId ?? "");
  if (cursor !== undefined) return { kind: "run", id: cursor.runId, after: cursor.seq };
  const named = readNamedRun(searchParams);
  if (lastEventId) return named === undefined ? malformedCursor : { ...named, after: malformedCursor };
  if (named === undefined) return missingRun("Last-Event-ID, ?run= or ?session=");
  const after = searchParams.get("after");
  return { ...named, after: after === null ? -1 : parsePosition(after) };
}

/** Reads `?run=`, `?key=` or `?session=`, in this order. */
export function parseStopTarget({ url }: Request): StopTarget | TargetProblem {
  const { searchParams } = new URL(url);
  const key = searchParams.get("key");
  if (key !== null && !searchParams.has("run")) {
    if (isVisibleAscii(key)) return { kind: "key", id: key };
    return badRequest(`The key must be ${visibleAsciiRule}.`, "invalid-key");
  }
  return readNamedRun(searchParams) ?? missingRun("?run=, ?key= or ?session=");
}

/**
 * Whether a POST shows that its reader supports `id:` lines: some readers skip every event that begins with one, and so
 * the whole answer. A GET always shows it, because it names what it resumes.
 */
export function readsEventIds({ headers, url }: Request): boolean {
  return (
    /text\/event-stream/i.test(headers.get("accept") ?? "") ||
    headers.has("last-event-id") ||
    readNamedRun(new URL(url).searchParams) !== undefined
  );
}

function readNamedRun(searchParams: URLSearchParams): NamedRun | undefined {
  for (const kind of ["run", "session"] as const) {
    const id = searchParams.get(kind);
    if (id !== null) return { kind, id };
  }
  return undefined;
}

/** @returns the position in run `runId` that an event id names, -1 for none; a problem for the id of another run. */
export function parseCursor(eventId: string | null, runId: string): number | TargetProblem {
  if (!eventId) return -1;
  const cursor = parseEventId(eventId);
  if (cursor === undefined) return malformedCursor;
  return cursor.runId === runId ? cursor.seq : badRequest("The event id belongs to another run.");
}

/** A position has the same format as in an event id. */
function parsePosition(after: string): number | TargetProblem {
  const cursor = parseEventId(`run.${after}`);
  if (cursor?.runId === "run") return cursor.seq;
  return badRequest("after must be the position of an event: a whole number, 0 or more.");
}

const badRequest = (error: string, code = "invalid-cursor"): TargetProblem => ({
  kind: "problem",
  problem: { status: 400, error, code },
});

/** @param expected - Where the request may name one. */
const missingRun = (expected: string): TargetProblem =>
  badRequest(`The request names no run; send ${expected}.`, "missing-run");

const malformedCursor = badRequest("The event id is malformed: expected `<run id>.<position>`.");
