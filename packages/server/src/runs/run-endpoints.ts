/**
 * The runs of a chat route: starts, attaches, resumes and stops them, and says so in the words of HTTP. Knows nothing of
 * agents or bodies beyond their hash.
 */
import {
  type ChatMessage,
  createChunkDecoder,
  parseEventId,
  type RunStartChunk,
  type StreamChunk,
} from "@kortyx/protocol";
import { isVisibleAscii, maxIdLength, visibleAsciiRule } from "@kortyx/protocol/internal";
import { refuseWhileDraining } from "../shutdown/stream-registry.ts";
import { type RunRecord, type RunStore, stopped } from "../stores/run-store.ts";
import { errorResponse } from "../stream/error-response.ts";
import { createEventStreamHead } from "../stream/event-stream-headers.ts";
import type { StreamSource } from "../stream/source.ts";
import type { StreamOptions } from "../stream/stream-options.ts";
import type { StreamResponseOptions } from "../stream/to-sse.ts";
import { createWebBody } from "../stream/web-body.ts";
import { guardRunStore, RunStoreError } from "./guard-run-store.ts";
import { openRun } from "./open-run.ts";
import { createRunFeeds } from "./run-feed.ts";
import { createRunFollower, lostAnswer } from "./run-follower.ts";
import { type RunLimits, type RunResult, readMaxRunDurationMs, startRunWriter } from "./run-writer.ts";
import { watchOpening } from "./watch-opening.ts";

/** What a chat route does with its runs. */
export interface ChatRunOptions extends RunLimits {
  /** Where runs are kept: `createMemoryRunStore()`, or one of `@kortyx/server/sqlite` and `@kortyx/server/redis`. */
  store: RunStore;
  /** What happens to a new run in a session that has an open one: refused, or in place of it, or beside it. @defaultValue `"reject"` */
  onActiveRun?: "reject" | "stop" | "allow" | undefined;
  /** What happens to a run when the last of those who follow it in this process leaves. @defaultValue `"continue"` */
  onDisconnect?: "continue" | "cancel" | undefined;
  /** How many runs of one owner may be open; runs without owners have no limit. @defaultValue 8 */
  maxOpenRuns?: number | undefined;
  /** Keeps a platform awake that freezes its functions once they have answered. */
  waitUntil?: ((promise: Promise<unknown>) => void) | undefined;
  /**
   * Called, and waited for, before the agent is. What it throws ends the run with an `error` chunk; a `Response` that it
   * throws within a second is the response to the request.
   */
  onStart?: ((start: RunStart) => unknown) | undefined;
  /** Called, and waited for, when a run has ended. What it throws is logged. */
  onFinish?: ((finish: RunFinish) => unknown) | undefined;
}

/** How a run has begun. */
export interface RunStart {
  runId: string;
  /** What `authorize` returned; `""` where it is `"anonymous"`. */
  owner: string;
  /** Of the request. */
  sessionId: string | undefined;
  /** What the user said to begin it: the newest of their messages. */
  input: ChatMessage | undefined;
  /** The conversation that the agent was given. */
  messages: ChatMessage[];
}

/** How a run began, and how it has ended. */
export interface RunFinish extends RunStart, RunResult {}

interface StartRequest {
  owner: string;
  sessionId: string | undefined;
  key: string | undefined;
  /** Whatever tells this request from another one with the same key. */
  body: unknown;
  input: ChatMessage | undefined;
  messages: ChatMessage[];
  source: StreamSource;
  /** Where a client that attaches stands; -1 for the beginning. */
  lastEventId: string | null;
  /** Aborted at the deadline of `drain`: what has not been opened by then is left to another process. */
  shutdown: AbortSignal;
}

export interface ChatRuns {
  /**
   * Starts a run, or attaches to the one with the same key.
   *
   * @returns its id and cursor, or a refusal.
   * @throws what `onStart` or the agent throws on purpose in place of a beginning.
   */
  start(request: StartRequest): Promise<FollowTarget | Response>;
  /** Answers with the run's log behind the cursor, with event ids or without. */
  respond(target: FollowTarget, signal: AbortSignal, hasIds: boolean): Response;
  /** The chunks of a run from its beginning, for an answer in one piece. */
  chunksOf(target: FollowTarget, signal: AbortSignal): AsyncIterable<StreamChunk>;
  /** GET */
  resume(request: Request, owner: string): Promise<Response>;
  /** DELETE */
  stop(request: Request, owner: string): Promise<Response>;
}

/** The client has more of a run than its log: the store has lost entries. */
const beyondLog = Number.POSITIVE_INFINITY;

/** A run, and how much of it the client has. */
interface FollowTarget {
  runId: string;
  after: number;
}

/**
 * Whether a POST shows that its reader knows `id:` lines: some readers skip every event that begins with one, which is
 * the whole answer. A GET always shows it, because it names what it resumes.
 */
export function readsEventIds({ headers, url }: Request): boolean {
  const { searchParams } = new URL(url);
  return (
    /text\/event-stream/i.test(headers.get("accept") ?? "") ||
    headers.has("last-event-id") ||
    searchParams.has("run") ||
    searchParams.has("session")
  );
}

const notFound = () => errorResponse({ status: 404, error: "There is no such run.", code: "run-not-found" });
const nothingToFollow = () => new Response(null, { status: 204, headers: { "cache-control": "no-store" } });
const badRequest = (error: string, code: string) => errorResponse({ status: 400, error, code });
const badCursor = (error: string) => badRequest(error, "invalid-cursor");
/**
 * @param hasOwners - Runs can be asked for by their session, because sessions belong to somebody.
 * @param streamOptions - Of the connections that follow.
 */
export function createRunEndpoints(
  options: ChatRunOptions,
  hasOwners: boolean,
  streamOptions: StreamResponseOptions,
): ChatRuns {
  const { store, onActiveRun = "reject", maxOpenRuns = 8, waitUntil, onStart, onFinish } = options;
  readMaxRunDurationMs(options);
  const onLastLeft =
    options.onDisconnect === "cancel"
      ? (runId: string) => {
          store.end(runId, { type: "abort", reason: "cancelled" }).catch(logStoreFailure);
        }
      : undefined;
  const feeds = createRunFeeds(store, onLastLeft);
  const asked = guardRunStore(store);

  /** @returns undefined for a run that is unknown, or another owner's: the two must look the same. */
  async function find(runId: string, owner: string): Promise<RunRecord | undefined> {
    const page =
      runId.length <= maxIdLength ? await asked.read(runId, Number.MAX_SAFE_INTEGER, 0) : undefined;
    return page?.run.owner === owner ? page.run : undefined;
  }

  /** @returns undefined for a session without a run; runs without owners have no session. */
  const latest = async (owner: string, session: string): Promise<RunRecord | undefined> =>
    hasOwners && session.length <= maxIdLength ? asked.latest(owner, session) : undefined;

  async function start(request: StartRequest): Promise<FollowTarget | Response> {
    const { owner, sessionId, key, input, messages, lastEventId, shutdown } = request;
    const opening = {
      // 122 random bits: a run cannot be found by guessing. A UUID, because it becomes a key in databases.
      runId: crypto.randomUUID(),
      owner,
      // Strangers may choose the same session.
      sessionId: hasOwners ? sessionId : undefined,
      key,
      bodyHash: await hash(request.body),
      maxOpenRuns,
      allowActiveRun: onActiveRun === "allow",
    };
    let opened = await openRun(store, opening, shutdown);
    if (opened?.status === "run-active" && onActiveRun === "stop") {
      await asked.end(opened.run.runId, stopped);
      opened = await openRun(store, opening, shutdown);
    }
    if (opened === undefined) return errorResponse(refuseWhileDraining()!);
    switch (opened.status) {
      case "key-conflict":
        return errorResponse({
          status: 409,
          error: "The idempotency key belongs to another request.",
          code: "key-conflict",
        });
      case "run-active":
        return errorResponse({
          status: 409,
          error: "The session has an answer that has not ended; stop it, or wait for its end.",
          code: "run-active",
        });
      case "too-many-runs":
        return errorResponse({
          status: 429,
          error: "Too many of your answers have not ended; wait for one, or stop one.",
          code: "too-many-runs",
          headers: { "retry-after": "5" },
        });
      case "store-full":
        return errorResponse({
          status: 503,
          error: "The server cannot take another answer now.",
          code: "store-full",
          headers: { "retry-after": "5" },
        });
      case "attached": {
        const after = parseCursor(lastEventId, opened.run);
        return after instanceof Response ? after : { runId: opened.run.runId, after };
      }
      case "created": {
        const { runId, terminal } = opened.run;
        if (terminal === undefined) {
          const first: RunStartChunk = { type: "run-start", runId, sessionId, input };
          const begun: RunStart = { runId, owner, sessionId, input, messages };
          const opening = watchOpening(request.source, () => onStart?.(begun));
          const producer = startRunWriter({
            ...options,
            runId,
            first,
            source: opening.source,
            onError: streamOptions.onError,
            exposeErrors: streamOptions.exposeErrors,
            onFinish: onFinish && ((result) => onFinish({ ...begun, ...result })),
          });
          waitUntil?.(producer.finished);
          await producer.started;
          await opening.begun;
        }
        return { runId, after: -1 };
      }
    }
  }

  function follow(
    { runId, after }: FollowTarget,
    options: StreamOptions,
    { hasIds, canHandOff }: { hasIds: boolean; canHandOff: boolean },
  ) {
    const feed = feeds.get(runId, after);
    const endsWithFollowers = onLastLeft !== undefined;
    const followed = { runId, after, feed, store, hasIds, canHandOff, endsWithFollowers };
    return createWebBody((sink) => createRunFollower(followed, options, sink));
  }

  function respond(target: FollowTarget, signal: AbortSignal, hasIds: boolean): Response {
    const canHandOff = store.canHandOff && hasIds;
    const body =
      target.after === beyondLog
        ? lostAnswer
        : follow(target, { ...streamOptions, signal }, { hasIds, canHandOff });
    return new Response(body, createEventStreamHead(streamOptions));
  }

  /** @returns the position that the client has; an answer when that is none. */
  function parseCursor(text: string | null, run: RunRecord): number | Response {
    if (text === null || text === "") return -1;
    const id = parseEventId(text);
    if (id === undefined) return badCursor("The event id is malformed.");
    if (id.runId !== run.runId) return badCursor("The event id is another run's.");
    return id.seq > run.lastSeq ? beyondLog : id.seq;
  }

  return {
    start,
    respond,
    async *chunksOf({ runId }, signal) {
      // An answer in one piece cannot be resumed: it is not given up while the run goes on.
      const options = { signal, stallTimeoutMs: 0 };
      const body = follow({ runId, after: -1 }, options, { hasIds: true, canHandOff: false });
      const reader = body.getReader();
      const decoder = createChunkDecoder();
      try {
        while (!decoder.done) {
          const { done, value } = await reader.read();
          if (done) break;
          decoder.push(value);
          for (let chunk = decoder.next(); chunk !== undefined; chunk = decoder.next()) yield chunk;
        }
        if (decoder.complete || signal.aborted) return;
        // Nothing else gives this connection up than a store that has not answered for a lease.
        throw new RunStoreError(new Error(`The store of run ${runId} does not answer.`));
      } finally {
        void reader.cancel();
      }
    },
    async resume(request, owner) {
      const { searchParams } = new URL(request.url);
      const lastEventId = request.headers.get("last-event-id") || null;
      const session = searchParams.get("session");
      const runId = parseEventId(lastEventId ?? "")?.runId ?? searchParams.get("run");
      if (runId === null && session === null) {
        if (lastEventId !== null) return badCursor("The event id is malformed.");
        return badCursor("Which run? Expected Last-Event-ID, ?run= or ?session=.");
      }
      const run = runId === null ? await latest(owner, session!) : await find(runId, owner);
      // A session without a run is the usual case of a first visit, and browsers log every 404 as an error.
      if (!run) return runId === null ? nothingToFollow() : notFound();
      const afterText = searchParams.get("after");
      const cursor = lastEventId ?? (afterText === null ? null : `${run.runId}.${afterText}`);
      const after = parseCursor(cursor, run);
      if (after instanceof Response) return after;
      // The end of the run is where a browser's own EventSource gives up, too.
      if (run.terminal !== undefined && after === run.lastSeq) return nothingToFollow();
      return respond({ runId: run.runId, after }, request.signal, true);
    },
    async stop(request, owner) {
      const { searchParams } = new URL(request.url);
      const key = searchParams.get("key");
      const session = searchParams.get("session");
      let runId = searchParams.get("run");
      if (runId === null && key !== null) {
        if (!isVisibleAscii(key)) return badRequest(`The key must be ${visibleAsciiRule}.`, "invalid-key");
        runId = (await asked.stopKey(owner, key)) ?? null;
        if (runId === null) return stoppedAnswer({ runId: null, terminal: null }, 202);
      } else if (runId === null && session !== null) {
        runId = (await latest(owner, session))?.runId ?? null;
      } else if (runId === null) {
        return badCursor("Which run? Expected ?run=, ?key= or ?session=.");
      }
      const run = runId === null ? undefined : await find(runId, owner);
      const terminal = run && (await asked.end(run.runId, stopped));
      return terminal === undefined ? notFound() : stoppedAnswer({ runId: run!.runId, terminal }, 200);
    },
  };
}

const stoppedAnswer = (body: unknown, status: number): Response =>
  Response.json(body, { status, headers: { "cache-control": "no-store" } });

function logStoreFailure(error: unknown): void {
  console.error("A store of runs failed:", error);
}

async function hash(body: unknown): Promise<string> {
  const bytes = new TextEncoder().encode(JSON.stringify(body));
  return toHex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
}

const toHex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
