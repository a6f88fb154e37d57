/**
 * Writes one run: moves chunks from its source to its log, and ends it with exactly one terminal. Needs no reader, and
 * is independent of connections. The log forms batches; the lease renews and retries.
 */
import {
  type AssistantUIMessage,
  type ChatTypes,
  createMessageAccumulator,
  type ErrorChunk,
  type StreamChunk,
  stringifyChunk,
  type UnknownChunk,
} from "@kortyx/protocol";
import { type PrintedChunk, parseTimeoutMs } from "@kortyx/protocol/internal";
import { type OpenStream, registerFinishing, registerStream } from "../shutdown/stream-registry.ts";
import { producerLostTerminal, type RunStore, type RunTerminal } from "../stores/run-store.ts";
import { outsideRequests } from "../stream/async-context.ts";
import { type FailureOptions, maskError } from "../stream/mask-error.ts";
import { registerSave } from "../stream/message-saves.ts";
import type { StreamSource } from "../stream/source.ts";
import { type SourceConsumer, type SourceEnd, SourceReader } from "../stream/source-reader.ts";
import { startTimer, type Timer, unref } from "../stream/start-timer.ts";
import { defaultMaxRunCharacters, never, sourceIdle } from "../stream/stream-options.ts";
import { type LeaseResult, RunLease } from "./run-lease.ts";
import { RunLog, type RunLogTarget } from "./run-log.ts";
import { SilenceWatch, type WatchedSource } from "./silence-watch.ts";

/** Extra room, in characters, for the terminal of a run that has reached its size limit. */
const maxTerminalLength = 64 * 1024;

/** The limits of a run. */
export interface RunLimits {
  /**
   * The maximum size of the JSON of all chunks together, in UTF-16 code units, the user's message in `run-start` included;
   * a larger run ends with `error` `run-too-large`.
   *
   * @defaultValue 8,388,608
   */
  maxRunCharacters?: number | undefined;
  /**
   * The maximum number of chunks, `run-start` included and the terminal not; a larger run ends with `error` `run-too-large`.
   *
   * @defaultValue 100,000
   */
  maxRunChunks?: number | undefined;
  /**
   * How long a run may take, in milliseconds, before it ends with `abort` `timeout`; 0 is forever.
   *
   * @defaultValue 1,800,000 (30 minutes)
   */
  maxRunDurationMs?: number | undefined;
}

/** The limits with defaults applied. `Infinity` means no limit. */
type ReadRunLimits = { readonly [Name in keyof RunLimits]-?: number };

/** How a run has ended. */
export interface RunResult<Types extends ChatTypes = ChatTypes> {
  /**
   * What its followers saw, as a chat shows it: pass it back in `initialMessages`. Its id is the run's, or that of the
   * message that the run continues.
   */
  message: AssistantUIMessage<Types>;
  /** The chunk that ended the run. */
  terminal: RunTerminal;
}

export interface RunWriterOptions extends RunLimits, FailureOptions {
  store: RunStore;
  /** Appends to the store, and to what this process has of the run. */
  append: RunStore["append"];
  runId: string;
  source: StreamSource;
  /** How long the source may be silent, in milliseconds. @defaultValue `Infinity` */
  sourceIdleTimeoutMs?: number | undefined;
  /** Resolves when the source calls the agent, whose silence counts from then on. @defaultValue it does so at once */
  agentCalled?: Promise<void> | undefined;
  /** The first entry. */
  first: StreamChunk;
  /** The message that the run continues. */
  continued?: AssistantUIMessage | undefined;
  /** The name of the message for requests that wait until `onFinish` has saved it. */
  messageKey?: string | undefined;
  /** Called, and awaited, when the run has ended. An error that it throws is logged. */
  onFinish?: ((result: RunResult) => unknown) | undefined;
}

export interface RunWriter {
  /** Resolves when the first entry is in the log. */
  readonly started: Promise<void>;
  /** Resolves when the run has ended, its source is released and `onFinish` is done. Never rejects. */
  readonly finished: Promise<void>;
}

/**
 * Parses the limits; those that are not times are checked with the route's options.
 *
 * @throws RangeError for a time that is not a number of milliseconds.
 */
export function readRunLimits(options: RunLimits): ReadRunLimits {
  const { maxRunCharacters = defaultMaxRunCharacters, maxRunChunks = 100_000 } = options;
  const { maxRunDurationMs = 30 * 60_000 } = options;
  return {
    maxRunCharacters,
    maxRunChunks,
    maxRunDurationMs: parseTimeoutMs("runs.maxRunDurationMs", maxRunDurationMs),
  };
}

const tooLarge: ErrorChunk = {
  type: "error",
  message: "The answer is larger than this server allows.",
  code: "run-too-large",
};
const storeFull: ErrorChunk = {
  type: "error",
  message: "The server has no room for this answer. Please try again later.",
  code: "store-full",
};

/**
 * Starts writing. The source, `onError` and `onFinish` run in the async context of this call, no matter what ends the
 * run; renewing its lease and waiting for its end run outside any request's context.
 */
export const startRunWriter = (options: RunWriterOptions): RunWriter => new Writer(options);

class Writer implements RunWriter, OpenStream, SourceConsumer, RunLogTarget, WatchedSource {
  readonly #options: RunWriterOptions;
  readonly #limits: ReadRunLimits;
  readonly #store: RunStore;
  readonly #runId: string;
  readonly #reader: SourceReader = new SourceReader(this);
  readonly #log: RunLog = new RunLog(this);
  readonly #lease: RunLease;
  readonly #message;
  readonly #durationTimer: Timer | undefined;
  readonly #silence: SilenceWatch;
  readonly #unregister: () => void;
  readonly #begun = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<void>();
  readonly started: Promise<void> = this.#begun.promise;
  readonly finished: Promise<void>;

  /** `finishing`: nothing more is read from the source. `ended`: the log has its terminal, or is unreachable. */
  #phase: "writing" | "finishing" | "ended" = "writing";
  /**
   * An error that is the outcome unless it turns out to be a warning. As the terminal it must be the last entry: chunks
   * that do not make it a warning are written before it.
   */
  #heldError: Readonly<ErrorChunk> | undefined;
  /** The `done` that followed it, which is not written. */
  #unwrittenDone: UnknownChunk | undefined;
  #terminal: RunTerminal = producerLostTerminal;
  /** To be called when `onFinish` has returned. */
  #onSaved: (() => void) | undefined;

  constructor(options: RunWriterOptions) {
    const { store, runId, first, continued, sourceIdleTimeoutMs = never } = options;
    this.#limits = readRunLimits(options);
    this.#options = options;
    this.#store = store;
    this.#runId = runId;
    const fields = continued ?? { id: runId, role: "assistant" };
    this.#message = createMessageAccumulator(fields as AssistantUIMessage);
    this.#unregister = registerStream(this);
    const onTimeout = () => void this.#finish({ type: "abort", reason: "timeout" });
    // Does not keep a process alive that has nothing else to do.
    this.#durationTimer = unref(startTimer(onTimeout, this.#limits.maxRunDurationMs));
    this.#silence = new SilenceWatch(this, sourceIdleTimeoutMs);
    void Promise.resolve(options.agentCalled).then(() => this.#silence.start());
    this.#lease = new RunLease(store, runId, (result) => void this.#onRenewalRefused(result));
    this.finished = this.#callAtEnd();
    this.#log.push(first, stringifyChunk(first));
    this.#log.scheduleFlush();
    void this.#log.whenIdle().then(() => outsideRequests(() => this.#watchForEnd()));
    this.#reader.start(options.source);
  }

  /** The process is shutting down. */
  shutdown(): void {
    void this.#finish({ type: "abort", reason: "shutdown" });
  }

  get wantsChunk(): boolean {
    return this.#log.hasRoom;
  }

  get isRequested(): boolean {
    return this.#log.hasRoom;
  }

  onSilence(): void {
    void this.#finish(sourceIdle);
  }

  onRoom(): void {
    this.#silence.reset();
    this.#reader.resume();
  }

  onChunk({ chunk, json }: PrintedChunk): void {
    this.#silence.reset();
    const { maxRunCharacters, maxRunChunks } = this.#limits;
    if (chunk.type === "error" || this.#reader.error === undefined) this.#letGo();
    if (this.#log.size + json.length > maxRunCharacters || this.#log.chunks >= maxRunChunks) {
      this.#refuse();
      return;
    }
    if (chunk.type === "error") this.#heldError = chunk as ErrorChunk;
    else this.#log.push(chunk, json);
    this.#log.scheduleFlush();
  }

  onEnd(end: SourceEnd): void {
    if (end.type === "terminal") this.#onTerminal(end.last);
    else if ("error" in end) void this.#finish(maskError(end.error, this.#options));
    else void this.#finish(this.#heldError ?? { type: "done" });
  }

  #onTerminal({ chunk, json }: PrintedChunk): void {
    const { maxRunCharacters } = this.#limits;
    if (this.#reader.error === undefined) this.#letGo();
    if (this.#log.size + json.length > maxRunCharacters + maxTerminalLength) this.#refuse();
    else if (this.#heldError === undefined) void this.#finish(chunk as RunTerminal);
    else {
      this.#unwrittenDone = chunk as UnknownChunk;
      void this.#finish(this.#heldError);
    }
  }

  #refuse(): void {
    void this.#finish(tooLarge);
  }

  /** The error was a warning. */
  #letGo(): void {
    if (this.#heldError !== undefined) this.#log.push(this.#heldError, stringifyChunk(this.#heldError));
    this.#heldError = undefined;
  }

  append(firstSeq: number, entries: readonly string[]): Promise<LeaseResult> {
    return this.#lease.renewWith(() => this.#options.append(this.#runId, firstSeq, entries));
  }

  onAppended(chunks: readonly UnknownChunk[]): void {
    for (const chunk of chunks) this.#apply(chunk);
    this.#begun.resolve();
  }

  onRefused(result: Exclude<LeaseResult, "ok">, inDoubt: readonly UnknownChunk[]): Promise<void> {
    return this.#stop(result, inDoubt);
  }

  /** Ends the run from this side, after writing the chunks read so far. */
  async #finish(last: RunTerminal): Promise<void> {
    if (this.#phase !== "writing") return;
    if (last !== this.#heldError) this.#letGo();
    this.#leaveSource();
    await this.#log.flush();
    if (!this.#hasEnded()) this.#end(await this.#endInStore(last, this.#log.nextSeq - 1));
  }

  /** An append that has not settled, and may be in the log, is settled first. */
  async #onRenewalRefused(result: LeaseResult): Promise<void> {
    this.#leaveSource();
    await this.#log.whenIdle();
    if (!this.#hasEnded()) await this.#stop(result, []);
  }

  /**
   * The store accepts no more entries. Entries of `inDoubt` may be in its log, although the store has not confirmed
   * them.
   */
  async #stop(result: LeaseResult, inDoubt: readonly UnknownChunk[]): Promise<void> {
    this.#leaveSource();
    if (result === undefined) this.#end(undefined);
    else if (result === "full") this.#end(await this.#endInStore(storeFull));
    else await this.#endAsFound(inDoubt);
  }

  /** The run was ended elsewhere, or its log has lost its end. */
  async #endAsFound(inDoubt: readonly UnknownChunk[]): Promise<void> {
    const page = await this.#readEnd();
    if (page !== undefined) {
      const kept = Math.max(0, page.run.lastSeq - this.#log.nextSeq);
      for (const chunk of inDoubt.slice(0, kept)) this.#apply(chunk);
    }
    // A log that has lost its end is not continued; ending it spares followers the wait for the lease.
    this.#end(page && (page.run.terminal ?? (await this.#endInStore(producerLostTerminal))));
  }

  /** Notices a terminal written elsewhere, such as that of a stop. */
  async #watchForEnd(): Promise<void> {
    while (!this.#hasEnded()) {
      await this.#store.wait(this.#runId, Number.MAX_SAFE_INTEGER, this.#lease.signal);
      if (this.#hasEnded()) return;
      const page = await this.#readEnd();
      if (page !== undefined && page.run.terminal === undefined) continue;
      // A terminal found while the run is already ending is handled there.
      if (this.#phase !== "writing") return;
      this.#leaveSource();
      await this.#log.whenIdle();
      this.#end(page?.run.terminal);
    }
  }

  #readEnd() {
    return this.#lease.withStore(() => this.#store.read(this.#runId, Number.MAX_SAFE_INTEGER, 0));
  }

  #endInStore(last: RunTerminal, lastSeq?: number): Promise<RunTerminal | undefined> {
    return this.#lease.withStore(() => this.#store.end(this.#runId, last, lastSeq));
  }

  /** Reads nothing more from the source. */
  #leaveSource(): void {
    if (this.#phase === "writing") {
      this.#phase = "finishing";
      const { onFinish, messageKey } = this.#options;
      if (onFinish !== undefined && messageKey !== undefined) this.#onSaved = registerSave(messageKey);
    }
    this.#silence.end();
    this.#log.seal();
    this.#reader.close();
  }

  #hasEnded(): boolean {
    return this.#phase === "ended";
  }

  /** The log has its terminal, or is unreachable: nothing more can be written. */
  #end(terminal: RunTerminal | undefined): void {
    if (this.#hasEnded()) return;
    this.#leaveSource();
    this.#phase = "ended";
    if (terminal !== undefined) this.#terminal = terminal;
    this.#log.drop();
    this.#lease.end();
    clearTimeout(this.#durationTimer);
    this.#begun.resolve();
    this.#apply(this.#terminal as UnknownChunk);
    // It carries the token usage.
    if (this.#unwrittenDone !== undefined) this.#apply(this.#unwrittenDone);
    this.#message.finish("truncated");
    this.#ended.resolve();
  }

  #apply(chunk: UnknownChunk): void {
    if (this.#options.onFinish === undefined) return;
    try {
      this.#message.apply(chunk);
    } catch {
      // A structured object that cannot be built is omitted.
    }
  }

  /** Called when the run begins, so that `onFinish` runs in the async context of that call. */
  async #callAtEnd(): Promise<void> {
    await this.#ended.promise;
    const finishing = this.#callOnFinish();
    registerFinishing(finishing);
    // Last: a process may exit when its runs have ended.
    this.#unregister();
    await finishing;
  }

  async #callOnFinish(): Promise<void> {
    try {
      await this.#options.onFinish?.({ message: this.#message.message, terminal: this.#terminal });
    } catch (error) {
      console.error(`onFinish of run ${this.#runId} failed:`, error);
    }
    this.#onSaved?.();
  }
}
