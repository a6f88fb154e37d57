/**
 * One answer as the AI SDK reads it: a `ReadableStream` of its events. Stops and leaves the answer; requests nothing else.
 */
import { isTerminalChunk, type StreamChunk } from "@kortyx/protocol";
import type { AISDKChunk, ChunkTranslator } from "@kortyx/protocol/ai-sdk";
import { toError } from "../stream/errors.ts";
import { meansNoRun } from "./answer.ts";
import type { ChatTransport } from "./route-transport.ts";

/** An answer that was requested, or found. */
export interface AISDKAnswer {
  iterator: AsyncIterator<StreamChunk>;
  translator: ChunkTranslator<AISDKChunk>;
  /** Aborted to leave the answer. */
  leaving: AbortController;
  stop: NonNullable<ChatTransport["stop"]>;
  /** Identifies the answer while its run's id is unknown. */
  idempotencyKey?: string | undefined;
  onStopError: (error: Error) => void;
  /** What has been read already. */
  burst?: Burst | undefined;
}

/** The chunks that a stream begins with, until none is ready. */
export interface Burst {
  chunks: StreamChunk[];
  /** They are the whole answer. */
  hasEnded: boolean;
  /** The chunk that has not arrived. */
  next: Promise<IteratorResult<StreamChunk>> | undefined;
}

/** A run that has ended is sent at once. How long one may pause in the middle of that, in milliseconds. */
const pauseMs = 100;
/** When an answer that never pauses counts as one in progress, in milliseconds. */
const burstMs = 1_000;

/** Reads what is ready. */
export async function readBurst(iterator: AsyncIterator<StreamChunk>): Promise<Burst> {
  const chunks: StreamChunk[] = [];
  const until = performance.now() + burstMs;
  for (;;) {
    const next = iterator.next();
    // The first chunk may take as long as the connection.
    const isLate = chunks.length > 0 && (await isSlow(next, Math.min(pauseMs, until - performance.now())));
    if (isLate) return { chunks, hasEnded: false, next };
    const { done, value } = await next;
    if (done) return { chunks, hasEnded: true, next: undefined };
    chunks.push(value);
    if (isTerminalChunk(value)) return { chunks, hasEnded: true, next: undefined };
  }
}

/** @returns whether the promise is pending after that time; its error is the caller's. */
async function isSlow(promise: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(true), Math.max(0, ms));
  });
  const settled = promise.then(
    () => false,
    () => false,
  );
  const isLate = await Promise.race([settled, timeout]);
  clearTimeout(timer);
  return isLate;
}

/** @param stopSignal - Aborted to stop the answer, for all of its followers. */
export function openAnswer(
  answer: AISDKAnswer,
  stopSignal: AbortSignal | undefined,
): ReadableStream<AISDKChunk> {
  return new ReadableStream(new AnswerSource(answer, stopSignal), { highWaterMark: 0 });
}

class AnswerSource implements UnderlyingDefaultSource<AISDKChunk> {
  readonly #answer: AISDKAnswer;
  readonly #stopSignal: AbortSignal | undefined;
  readonly #waiting: StreamChunk[];
  #next: Promise<IteratorResult<StreamChunk>> | undefined;
  #runId: string | undefined;
  #isOver = false;

  constructor(answer: AISDKAnswer, stopSignal: AbortSignal | undefined) {
    this.#answer = answer;
    this.#stopSignal = stopSignal;
    this.#waiting = answer.burst?.chunks ?? [];
    this.#next = answer.burst?.next;
  }

  readonly #onStop = () => {
    if (this.#isOver) return;
    void this.#stop();
  };

  #controller: ReadableStreamDefaultController<AISDKChunk> | undefined;

  start(controller: ReadableStreamDefaultController<AISDKChunk>): void {
    this.#controller = controller;
    this.#stopSignal?.addEventListener("abort", this.#onStop);
    if (this.#stopSignal?.aborted) this.#onStop();
  }

  async pull(controller: ReadableStreamDefaultController<AISDKChunk>): Promise<void> {
    const { translator } = this.#answer;
    try {
      for (;;) {
        const { done, value } = await this.#read();
        if (this.#isOver) return;
        const events = done ? translator.end("complete") : translator.translate(value);
        if (!done && this.#waiting.length === 0) events.push(...translator.flush());
        if (!done && value.type === "run-start") this.#runId = value.runId;
        for (const event of events) controller.enqueue(event);
        if (done) {
          this.#end();
          controller.close();
        }
        if (done || events.length > 0) return;
      }
    } catch (error) {
      if (this.#isOver) return;
      this.#end();
      controller.error(error);
    }
  }

  /** The reader has left: a run continues. */
  cancel(): void {
    if (this.#isOver) return;
    // The SDK aborts its signal and leaves in the same turn.
    this.#end();
    this.#answer.leaving.abort();
  }

  #read(): Promise<IteratorResult<StreamChunk>> | IteratorResult<StreamChunk> {
    const value = this.#waiting.shift();
    if (value) return { done: false, value };
    const next = this.#next ?? this.#answer.iterator.next();
    this.#next = undefined;
    return next;
  }

  #end(): void {
    this.#isOver = true;
    this.#stopSignal?.removeEventListener("abort", this.#onStop);
  }

  /** Ends the stream here, and the answer on the server. */
  async #stop(): Promise<void> {
    const { translator, leaving, idempotencyKey, stop, onStopError } = this.#answer;
    const runId = this.#runId ?? runIdOf(this.#waiting);
    this.#end();
    for (const event of translator.translate({ type: "abort", reason: "stopped" })) {
      this.#controller?.enqueue(event);
    }
    this.#controller?.close();
    leaving.abort();
    const target =
      runId !== undefined ? { runId } : idempotencyKey !== undefined ? { idempotencyKey } : undefined;
    if (!target) return;
    try {
      await stop(target);
    } catch (error) {
      // Without runs, leaving has stopped the answer.
      if (!meansNoRun(error)) onStopError(toError(error));
    }
  }
}

const runIdOf = (chunks: readonly StreamChunk[]): string | undefined =>
  chunks.find((chunk) => chunk.type === "run-start")?.runId;
