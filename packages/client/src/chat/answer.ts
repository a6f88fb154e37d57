/**
 * The state of one answer: its phase, its place in the conversation and its connection. Pure transitions from one state
 * to the next; does no I/O, and leaves the message itself to the accumulator.
 *
 * ```text
 * looking ──▶ found ───────┐
 *                          ▼
 * submitted ──────────▶ streaming ◀──▶ stopping      every phase ──▶ ended
 *     └───────────────────────────────────▲
 * ```
 */
import type { AssistantMessage, RunStartChunk, StreamChunk, UIMessage } from "@kortyx/protocol";
import { StreamTruncatedError } from "@kortyx/protocol";
import type { ConnectionState } from "../route/stream-from-route.ts";
import { toError } from "../stream/errors.ts";
import type { ChatTiming } from "./chat.ts";
import { type AnswerPlace, placeById, placeByInput, placeLast } from "./place-answer.ts";

type AnswerPhase =
  /** The session may have a run. Nothing is shown yet, and the user may send a message. */
  | "looking"
  /** There is a run, and `onChunk` is called with its first chunk. Nothing is shown yet. */
  | "found"
  /** It was requested, and no chunk has arrived. */
  | "submitted"
  | "streaming"
  /** A stop was requested, before its first chunk or after it. */
  | "stopping"
  | "ended";

/** The phases of a visible answer. */
type ShownPhase = Extract<AnswerPhase, "submitted" | "streaming" | "stopping">;

export interface AnswerState {
  readonly phase: AnswerPhase;
  /** `submitted` for an answer to a message sent here; `looking` for a run that may have been started elsewhere. */
  readonly origin: "submitted" | "looking";
  /** Its place in the conversation; undefined until its first chunk. */
  readonly place: AnswerPlace | undefined;
  readonly runId: string | undefined;
  /** The latest `status` chunk, until text follows. */
  readonly statusMessage: string | undefined;
  /** The connection has been open at least once. */
  readonly wasOpen: boolean;
  /** Why the connection was lost, while it is being restored. */
  readonly connectionError: Error | undefined;
  readonly timing: ChatTiming;
}

/** @param startedAt - In milliseconds since 1970-01-01 UTC. */
export function beginAnswer(origin: AnswerState["origin"], startedAt: number): AnswerState {
  return {
    phase: origin,
    origin,
    place: undefined,
    runId: undefined,
    statusMessage: undefined,
    wasOpen: false,
    connectionError: undefined,
    timing: { startedAt },
  };
}

/** @returns the visible phase; undefined for an answer that is not shown. */
export function shownPhase({ phase }: AnswerState): ShownPhase | undefined {
  return phase === "looking" || phase === "found" || phase === "ended" ? undefined : phase;
}

/** Its first chunk has arrived; {@link receiveChunk} follows. */
export function receiveFirst(state: AnswerState, place: AnswerPlace, firstChunkMs: number): AnswerState {
  const { phase, timing } = state;
  return {
    ...state,
    phase: phase === "looking" ? "found" : phase === "submitted" ? "streaming" : phase,
    place,
    timing: { ...timing, firstChunkMs },
  };
}

/**
 * @param messages - The conversation without the answer; with the message that it continues.
 * @returns the same object for most chunks: what the message shows is not in this state.
 */
export function receiveChunk(
  state: AnswerState,
  chunk: StreamChunk,
  messages: readonly UIMessage[],
): AnswerState {
  switch (chunk.type) {
    case "run-start":
      return receiveRunStart(state, chunk, messages);
    case "status":
      return { ...state, statusMessage: chunk.message };
    case "message":
      return withoutStatusMessage(state);
    case "text-delta":
      return chunk.delta === "" ? state : withoutStatusMessage(state);
    default:
      return state;
  }
}

function receiveRunStart(
  state: AnswerState,
  { runId, input, continues }: RunStartChunk,
  messages: readonly UIMessage[],
): AnswerState {
  if (runId === state.runId) return state;
  const place =
    placeById(messages, continues ?? runId) ??
    // The answer to a message sent here already has its place; the agent may have received other messages.
    (state.origin === "looking" ? placeByInput(messages, input) : undefined) ??
    placeLast(messages);
  return { ...state, runId, place };
}

const withoutStatusMessage = (state: AnswerState): AnswerState =>
  state.statusMessage === undefined ? state : { ...state, statusMessage: undefined };

/** Shows the run that was found. */
export const showFound = (state: AnswerState): AnswerState =>
  state.phase === "found" ? { ...state, phase: "streaming" } : state;

export function changeConnection(state: AnswerState, connection: ConnectionState): AnswerState {
  return connection.state === "reconnecting"
    ? { ...state, connectionError: toError(connection.error) }
    : { ...state, connectionError: undefined, wasOpen: true };
}

export const requestStop = (state: AnswerState): AnswerState => ({ ...state, phase: "stopping" });

/** A stop has failed: the answer continues as it was. */
export const refuseStop = (state: AnswerState): AnswerState => ({
  ...state,
  phase: state.place ? "streaming" : "submitted",
});

export const endAnswer = (state: AnswerState, durationMs: number): AnswerState => ({
  ...state,
  phase: "ended",
  timing: { ...state.timing, durationMs },
});

/**
 * Whether a failed search means that the session has no run, which is not an error: not found, a route without runs, or
 * a response without a body (204).
 */
export const isNoRun = ({ wasOpen }: AnswerState, error: Error): boolean =>
  meansNoRun(error) || (!wasOpen && error instanceof StreamTruncatedError);

/** Whether an error means that there is no such run (404), or that the route has no runs (405). */
export function meansNoRun(error: unknown): boolean {
  const { status } = (error ?? {}) as { status?: unknown };
  return status === 404 || status === 405;
}

/** Whether a message has its end: there is nothing more to follow. */
export const isWhole = ({ status, abortReason }: AssistantMessage): boolean =>
  status === "done" || abortReason !== undefined;
