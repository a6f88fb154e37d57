/**
 * The writer's side of a run's log: collects chunks into batches and appends one batch at a time. Knows neither the
 * source nor how a run ends.
 */
import type { StreamChunk, UnknownChunk } from "@kortyx/protocol";
import { onNextTurn } from "../stream/next-turn.ts";
import type { Timer } from "../stream/start-timer.ts";
import type { LeaseResult } from "./run-lease.ts";

/** A batch is appended at this many chunks, … */
const maxBatchChunks = 64;
/** … at this many characters of JSON, … */
const maxBatchLength = 64 * 1024;
/** … or when it is this old. */
const flushWindowMs = 15;

/** Chunks that a UI waits for are appended at once; pieces of a tool's input are batched like text. */
const isBoundary = (type: string): boolean =>
  (type.startsWith("tool-") && type !== "tool-call-delta") || type === "interrupt";

/** Where a log is kept, and the callbacks for its progress. */
export interface RunLogTarget {
  append(firstSeq: number, entries: readonly string[]): Promise<LeaseResult>;
  /** These chunks are in the log. */
  onAppended(chunks: readonly UnknownChunk[]): void;
  /** These chunks may be in the log, which accepts no more. Nothing is appended before this resolves. */
  onRefused(result: Exclude<LeaseResult, "ok">, inDoubt: readonly UnknownChunk[]): Promise<void>;
  /** The log accepts chunks again. */
  onRoom(): void;
}

/** Chunks that are appended together. */
class Batch {
  readonly entries: string[] = [];
  readonly chunks: UnknownChunk[] = [];
  length = 0;
  /** It is appended at once. */
  isUrgent = false;
  /** When its first chunk arrived. */
  startedAt = 0;

  get isFull(): boolean {
    return this.entries.length >= maxBatchChunks || this.length >= maxBatchLength;
  }
}

export class RunLog {
  readonly #target: RunLogTarget;
  #batch = new Batch();
  #flushTimer: Timer | undefined;
  /** An append that has not settled. */
  #appending: Promise<void> | undefined;
  /** The source is not read again before the next turn of the event loop. */
  #isTurnDue = false;
  #isSealed = false;
  #nextSeq = 0;
  #chunks = 0;
  #size = 0;
  #hasText = false;

  constructor(target: RunLogTarget) {
    this.#target = target;
  }

  /** The position of the next entry. */
  get nextSeq(): number {
    return this.#nextSeq;
  }

  /** The number of pushed chunks. */
  get chunks(): number {
    return this.#chunks;
  }

  /** The size of the pushed chunks, in characters of JSON. */
  get size(): number {
    return this.#size;
  }

  /** A full batch waits for the append before it, and the source waits for that batch. */
  get hasRoom(): boolean {
    return !this.#isTurnDue && !this.#batch.isFull;
  }

  push(chunk: StreamChunk | UnknownChunk, json: string): void {
    const batch = this.#batch;
    if (batch.entries.length === 0) batch.startedAt = performance.now();
    batch.entries.push(json);
    batch.chunks.push(chunk as UnknownChunk);
    batch.length += json.length;
    // The entry that makes a run addressable, and the first one that a user sees.
    const isFirstText = chunk.type === "text-delta" && !this.#hasText;
    this.#hasText ||= isFirstText;
    batch.isUrgent ||= this.#chunks < 2 || isFirstText || isBoundary(chunk.type);
    this.#chunks++;
    this.#size += json.length;
  }

  /** Appends the pushed chunks, now or when the batch is old enough. */
  scheduleFlush(): void {
    const batch = this.#batch;
    if (this.#isSealed || this.#appending !== undefined || batch.entries.length === 0) return;
    const delayMs = batch.startedAt + flushWindowMs - performance.now();
    if (batch.isUrgent || batch.isFull || delayMs <= 0) void this.#append();
    else this.#flushTimer ??= setTimeout(() => void this.#append(), delayMs);
  }

  /** Resolves when nothing is being appended. */
  async whenIdle(): Promise<void> {
    await this.#appending;
  }

  /** After this, nothing more is pushed, and only {@link flush} appends. */
  seal(): void {
    this.#isSealed = true;
    clearTimeout(this.#flushTimer);
  }

  /** Appends the rest of a sealed log. */
  async flush(): Promise<void> {
    await this.#appending;
    if (this.#batch.entries.length > 0) await this.#append();
  }

  /** Drops the rest of a sealed log. */
  drop(): void {
    this.#batch = new Batch();
  }

  #append(): Promise<void> {
    this.#appending = this.#appendBatch().then(() => {
      this.#appending = undefined;
      this.scheduleFlush();
    });
    return this.#appending;
  }

  async #appendBatch(): Promise<void> {
    this.#takeTurn();
    clearTimeout(this.#flushTimer);
    this.#flushTimer = undefined;
    const { entries, chunks } = this.#batch;
    this.#batch = new Batch();
    const result = await this.#target.append(this.#nextSeq, entries);
    if (result !== "ok") return this.#target.onRefused(result, chunks);
    this.#nextSeq += entries.length;
    this.#target.onAppended(chunks);
  }

  /** Without this, a source that never waits would starve the event loop. */
  #takeTurn(): void {
    if (this.#isTurnDue) return;
    this.#isTurnDue = true;
    onNextTurn(() => {
      this.#isTurnDue = false;
      this.#target.onRoom();
    });
  }
}
