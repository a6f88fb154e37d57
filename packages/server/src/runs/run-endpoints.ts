/**
 * Maps HTTP requests to run operations: starts, follows, resumes and stops runs. Knows nothing about agents, and reads
 * nothing of a request but the run that it names.
 */
import type { RunStartChunk, StreamChunk } from "@kortyx/protocol";
import { maxIdLength } from "@kortyx/protocol/internal";
import { type RunRecord, type RunStore, stoppedTerminal } from "../stores/run-store.ts";
import { errorResponse } from "../stream/error-response.ts";
import { createEventStreamHead } from "../stream/event-stream-headers.ts";
import { readStreamTimes, type StreamOptions } from "../stream/stream-options.ts";
import type { StreamResponseOptions } from "../stream/to-sse.ts";
import { createWebBody } from "../stream/web-body.ts";
import { type GuardedRunStore, guardRunStore } from "./guard-run-store.ts";
import { readRun } from "./read-run.ts";
import { createRunFeeds, type RunFeeds } from "./run-feed.ts";
import { createRunFollower, lostAnswer } from "./run-follower.ts";
import type { ChatRunOptions } from "./run-options.ts";
import { type NamedRun, parseResumeTarget, parseStopTarget } from "./run-target.ts";
import { readRunLimits } from "./run-writer.ts";
import { type RunPosition, type StartRequest, startRun } from "./start-run.ts";

export interface RunEndpointsOptions {
  runs: ChatRunOptions;
  /** Whether runs belong to owners: only then can a session identify a run. */
  hasOwners: boolean;
  /** For the connections that follow. */
  streamOptions: StreamResponseOptions;
}

/** How one connection follows a run. */
interface FollowOptions {
  /** Aborted when the client has left. */
  signal: AbortSignal;
  /** The reader supports `id:` lines. */
  hasIds: boolean;
}

export class RunEndpoints {
  readonly #options: RunEndpointsOptions;
  readonly #store: RunStore;
  readonly #guarded: GuardedRunStore;
  readonly #endsWithFollowers: boolean;
  readonly #feeds: RunFeeds;

  /** @throws RangeError if `maxRunDurationMs` is not a number of milliseconds. */
  constructor(options: RunEndpointsOptions) {
    readRunLimits(options.runs);
    const { store, onDisconnect } = options.runs;
    this.#options = options;
    this.#store = store;
    this.#guarded = guardRunStore(store);
    this.#endsWithFollowers = onDisconnect === "cancel";
    this.#feeds = createRunFeeds(store, this.#endsWithFollowers ? (runId) => this.#cancel(runId) : undefined);
  }

  /**
   * Starts a run, or attaches to the one with the same key.
   *
   * @returns the run and how much of it the client has, or a refusal.
   * @throws the value that `onStart` or the agent throws on purpose before the run has begun; RunStoreError when the
   * store fails.
   */
  start(request: StartRequest): Promise<RunPosition | Response> {
    const { runs, hasOwners, streamOptions } = this.#options;
    const { onError, exposeErrors } = streamOptions;
    const { sourceIdleTimeoutMs } = readStreamTimes(streamOptions);
    const { append } = this.#feeds;
    return startRun({ ...runs, append, hasOwners, onError, exposeErrors, sourceIdleTimeoutMs }, request);
  }

  /** The log of a run after the client's position, with event ids or without. */
  respond({ run, after }: RunPosition, { signal, hasIds }: FollowOptions): Response {
    const { streamOptions } = this.#options;
    const options = { ...streamOptions, signal };
    const canHandOff = this.#store.canHandOff && hasIds;
    // The client has more than the log holds: the store has lost entries.
    const isCut = after > run.lastSeq;
    const body = isCut ? lostAnswer : this.#follow(run.runId, { after, hasIds, canHandOff }, options);
    return new Response(body, createEventStreamHead(streamOptions));
  }

  /** The chunks of a run from its beginning, for a buffered answer. */
  chunksOf({ run: { runId } }: RunPosition, signal: AbortSignal): AsyncIterable<StreamChunk> {
    return readRun(runId, { feeds: this.#feeds, signal });
  }

  /** GET */
  async resume(request: Request, owner: string): Promise<Response> {
    const target = parseResumeTarget(request);
    if (target.kind === "problem") return errorResponse(target.problem);
    const run = await this.#find(target, owner);
    // A session without a run is normal on a first visit, and browsers log every 404 as an error.
    if (run === undefined) return target.kind === "session" ? nothingToFollow() : notFound();
    const { after } = target;
    if (typeof after === "object") return errorResponse(after.problem);
    // A 204 at the end of the run also makes a browser's EventSource stop reconnecting.
    if (run.terminal !== undefined && after === run.lastSeq) return nothingToFollow();
    return this.respond({ run, after }, { signal: request.signal, hasIds: true });
  }

  /**
   * Finds the open run of a session, for a reader without cursors.
   *
   * @returns the beginning of the run and the id of the message that it continues, or a 204 if none is open.
   */
  async findOpenRun(
    sessionId: string | undefined,
    owner: string,
  ): Promise<{ position: RunPosition; continues: string | undefined } | Response> {
    if (sessionId === undefined) return errorResponse(missingSession);
    const run = await this.#find({ kind: "session", id: sessionId }, owner);
    if (run === undefined || run.terminal !== undefined) return nothingToFollow();
    const page = await this.#guarded.read(run.runId, -1, 1);
    const { continues }: Partial<RunStartChunk> = JSON.parse(page?.entries[0] ?? "{}");
    return { position: { run, after: -1 }, continues };
  }

  /** DELETE */
  async stop(request: Request, owner: string): Promise<Response> {
    const target = parseStopTarget(request);
    if (target.kind === "problem") return errorResponse(target.problem);
    if (target.kind !== "key") return this.#stop(target, owner);
    const runId = await this.#guarded.stopKey(owner, target.id);
    if (runId === undefined) return stoppedResponse({ runId: null, terminal: null }, 202);
    return this.#stop({ kind: "run", id: runId }, owner);
  }

  async #stop(target: NamedRun, owner: string): Promise<Response> {
    const run = await this.#find(target, owner);
    const terminal = run && (await this.#guarded.end(run.runId, stoppedTerminal));
    return terminal === undefined ? notFound() : stoppedResponse({ runId: run!.runId, terminal }, 200);
  }

  /** @returns undefined for a run that is unknown or belongs to another owner: the two must look the same. */
  async #find({ kind, id }: NamedRun, owner: string): Promise<RunRecord | undefined> {
    if (id.length > maxIdLength) return undefined;
    if (kind === "session") return this.#options.hasOwners ? this.#guarded.latest(owner, id) : undefined;
    const page = await this.#guarded.read(id, Number.MAX_SAFE_INTEGER, 0);
    return page?.run.owner === owner ? page.run : undefined;
  }

  #follow(
    runId: string,
    connection: { after: number; hasIds: boolean; canHandOff: boolean },
    options: StreamOptions,
  ): ReadableStream<Uint8Array> {
    const followed = {
      ...connection,
      runId,
      feed: this.#feeds.get(runId, connection.after),
      endsWithFollowers: this.#endsWithFollowers,
    };
    return createWebBody((sink) => createRunFollower(followed, options, sink));
  }

  /** Its last follower has left. */
  #cancel(runId: string): void {
    this.#store.end(runId, { type: "abort", reason: "cancelled" }).catch((error) => {
      console.error("The run store failed:", error);
    });
  }
}

const missingSession = {
  status: 400,
  error: "The request names no session; send ?session=.",
  code: "missing-run",
};

const notFound = () => errorResponse({ status: 404, error: "There is no such run.", code: "run-not-found" });

const nothingToFollow = () => new Response(null, { status: 204, headers: { "cache-control": "no-store" } });

const stoppedResponse = (body: unknown, status: number): Response =>
  Response.json(body, { status, headers: { "cache-control": "no-store" } });
