/**
 * The start of a run: opens it in the store, or refuses it with an HTTP response, and starts its writer. Does not
 * follow it.
 */
import type { AssistantUIMessage, ChatMessage, RunStartChunk } from "@kortyx/protocol";
import type { RequestPurpose } from "../route/chat-route.ts";
import { refuseWhileDraining } from "../shutdown/stream-registry.ts";
import {
  type OpenedRun,
  type OpenRun,
  producerLostTerminal,
  type RunRecord,
  type RunStore,
  stoppedTerminal,
} from "../stores/run-store.ts";
import { errorResponse, type RouteError } from "../stream/error-response.ts";
import type { FailureOptions } from "../stream/mask-error.ts";
import type { StreamSource } from "../stream/source.ts";
import { guardRunStore } from "./guard-run-store.ts";
import { openRun } from "./open-run.ts";
import { toRunInput } from "./run-input.ts";
import type { ChatRunOptions, RunStart } from "./run-options.ts";
import { parseCursor } from "./run-target.ts";
import { startRunWriter } from "./run-writer.ts";
import { watchOpening } from "./watch-opening.ts";

/** The run that a POST requests. */
export interface StartRequest extends RequestPurpose {
  owner: string;
  sessionId: string | undefined;
  key: string | undefined;
  /** Distinguishes this request from another one with the same key. */
  body: unknown;
  input: ChatMessage | undefined;
  messages: ChatMessage[];
  source: StreamSource;
  /** 106 random bits: a run cannot be found by guessing. A UUID, because it becomes a database key. */
  runId: string;
  /** The id of the message that the answer continues. */
  continues: string | undefined;
  /** That message, if the application has it. */
  continued: AssistantUIMessage | undefined;
  /** The name of the message for requests that wait until `onFinish` has saved it. */
  messageKey: string | undefined;
  /** Why no new run may begin: the request may only attach to one. */
  refusal: Error | undefined;
  /** The cursor of a client that attaches; null for the beginning. */
  lastEventId: string | null;
  /** Aborted at the deadline of `drain`: a run not opened by then is left to another process. */
  shutdown: AbortSignal;
}

/** A run, of which the client has everything up to position `after`; -1 for nothing. */
export interface RunPosition {
  run: RunRecord;
  after: number;
}

export interface RunStartOptions extends ChatRunOptions, FailureOptions {
  /** Whether sessions belong to an owner: without owners, strangers may use the same session id. */
  hasOwners: boolean;
  sourceIdleTimeoutMs: number;
  append: RunStore["append"];
}

type Refusal = Exclude<OpenedRun["status"], "created" | "attached">;

const refusals: Record<Refusal, Omit<RouteError, "code">> = {
  "key-conflict": {
    status: 409,
    error: "The idempotency key was already used with another body; use a new key for each message.",
  },
  "run-active": {
    status: 409,
    error: "An answer is still in progress in this conversation. Stop it, or wait until it ends.",
  },
  "too-many-runs": {
    status: 429,
    error: "Too many of your answers are still in progress. Stop one, or wait until one ends.",
    headers: { "retry-after": "5" },
  },
  "store-full": {
    status: 503,
    error: "The server is busy. Please try again later.",
    headers: { "retry-after": "5" },
  },
};

/**
 * Starts a run, or attaches to the one with the same key.
 *
 * @returns the run, or a refusal.
 * @throws the value that `onStart` or the agent throws on purpose before the run has begun; the refusal of a request that
 * attaches to no run; RunStoreError when the store fails.
 */
export async function startRun(
  options: RunStartOptions,
  request: StartRequest,
): Promise<RunPosition | Response> {
  const { refusal } = request;
  const opened = await openForRequest(options, request);
  if (refusal !== undefined && opened !== undefined && opened.status !== "attached") {
    // A run that ended before its first entry leaves its key free.
    if (opened.status === "created")
      await guardRunStore(options.store).end(opened.run.runId, producerLostTerminal);
    throw refusal;
  }
  if (opened === undefined) return errorResponse(refuseWhileDraining()!);
  switch (opened.status) {
    case "created":
      // A run whose key was stopped earlier already has its terminal.
      if (opened.run.terminal === undefined) await beginWriting(options, request, opened.run.runId);
      return { run: opened.run, after: -1 };
    case "attached": {
      const after = parseCursor(request.lastEventId, opened.run.runId);
      return typeof after === "number" ? { run: opened.run, after } : errorResponse(after.problem);
    }
    default:
      return errorResponse({ ...refusals[opened.status], code: opened.status });
  }
}

/** @returns undefined if `shutdown` was aborted first. */
async function openForRequest(
  options: RunStartOptions,
  request: StartRequest,
): Promise<OpenedRun | undefined> {
  const { store, onActiveRun = "reject", maxOpenRuns = 8, hasOwners } = options;
  const { owner, key, shutdown, refusal } = request;
  const opening: OpenRun = {
    runId: request.runId,
    owner,
    // A run that is opened only to find an earlier one must not become the latest of its session.
    sessionId: hasOwners && refusal === undefined ? request.sessionId : undefined,
    key,
    bodyHash: await hash(request.body),
    maxOpenRuns,
    allowActiveRun: onActiveRun === "allow",
  };
  const opened = await openRun(store, opening, shutdown);
  if (opened?.status !== "run-active" || onActiveRun !== "stop") return opened;
  await guardRunStore(store).end(opened.run.runId, stoppedTerminal);
  return openRun(store, opening, shutdown);
}

/** Resolves when the run counts as begun for the response to its request. */
async function beginWriting(options: RunStartOptions, request: StartRequest, runId: string): Promise<void> {
  const { onStart, onFinish, waitUntil } = options;
  const { owner, sessionId, trigger, messageId, input, messages, continues, continued, messageKey } = request;
  const first: RunStartChunk = {
    type: "run-start",
    runId,
    sessionId,
    input: input && toRunInput(input),
    continues,
    acceptsParts: true,
  };
  const begun: RunStart = { runId, owner, sessionId, trigger, messageId, input, messages };
  const opening = watchOpening(request.source, () => onStart?.(begun));
  const writer = startRunWriter({
    ...options,
    runId,
    first,
    continued,
    messageKey,
    source: opening.source,
    agentCalled: opening.agentCalled,
    onFinish: onFinish && ((result) => onFinish({ ...begun, ...result })),
  });
  waitUntil?.(writer.finished);
  await writer.started;
  await opening.begun;
}

async function hash(body: unknown): Promise<string> {
  const bytes = new TextEncoder().encode(JSON.stringify(body));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
