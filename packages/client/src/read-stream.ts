/**
 * Bytes of a response to chunks, one at a time, at the consumer's pace. Owns the body: whatever ends the iteration,
 * the body is cancelled or read to its end here. Does not make requests.
 */
import {
  type ChunkDecoderOptions,
  createChunkDecoder,
  type DecodedChunk,
  type StreamChunk,
  StreamTruncatedError,
} from "@kortyx/protocol";
import { StreamContentTypeError, StreamHttpError } from "./stream-errors.ts";

/** After `[DONE]`, so long may the server take to close the body before it is cancelled. */
const closeGraceMs = 250;

/** The most that is read of the body of a response that is not a stream. */
const maxErrorBodyBytes = 64 * 1024;

const noBytes = new Uint8Array();

export interface ReadStreamOptions extends ChunkDecoderOptions {
  /** Ends the iteration when aborted: it then rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/** A body of bytes, or what `fetch` resolved to. */
export type StreamBody = ReadableStream<Uint8Array> | Response | null;

/** Streams that ended because the caller's own signal was aborted. */
const abortedStreams = new WeakSet<AsyncIterable<StreamChunk>>();

/** Whether a stream failed because its caller aborted it. */
export const wasAborted = (stream: AsyncIterable<StreamChunk>): boolean => abortedStreams.has(stream);

/**
 * Reads the chunks of a stream.
 *
 * Nothing is read before the first `next()`, and no more than the consumer asks for. Leaving the loop cancels the body
 * at once. A stream can be iterated once.
 *
 * @param body - A body, a `Response` (whose status and content type are checked), or `null`, which is truncated.
 * @throws StreamTruncatedError when the body ends before the stream is complete, or the connection breaks.
 * @throws StreamProtocolError when what arrives breaks the contract; the chunks before it have been delivered.
 * @throws StreamHttpError, StreamContentTypeError when a `Response` is not a stream.
 * @throws The signal's reason when the caller aborted.
 *
 * @example
 * ```ts
 * for await (const chunk of readStream(response.body)) {
 *   if (chunk.type === "text-delta") write(chunk.delta);
 * }
 * ```
 */
export function readStream(body: StreamBody, options: ReadStreamOptions = {}): AsyncIterable<StreamChunk> {
  return createChunkStream(
    async () => body,
    options,
    () => discard(body),
  );
}

interface Waiter {
  resolve(result: IteratorResult<StreamChunk>): void;
  reject(error: unknown): void;
}

const over: IteratorResult<StreamChunk> = { done: true, value: undefined };

/**
 * The iterable behind every reading function.
 *
 * @param open - Called at the first `next()`, with a signal that is aborted when the consumer leaves.
 * @param onUnread - Called when the consumer leaves before that.
 */
export function createChunkStream(
  open: (signal: AbortSignal) => Promise<StreamBody>,
  options: ReadStreamOptions,
  onUnread: () => void = () => {},
): AsyncIterable<StreamChunk> {
  const { signal, ...decoderOptions } = options;
  const left = new AbortController();
  const decoder = createChunkDecoder(decoderOptions);
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  let state: "idle" | "open" | "over" = "idle";
  /** The chunks of the last piece, and the first of them that has not been handed out. */
  let queue: DecodedChunk[] = [];
  let at = 0;
  /** The calls of `next()` that wait, in their order. */
  const waiters: Waiter[] = [];
  /** What the first `next()` that finds nothing more rejects with. */
  let failure: { error: unknown } | undefined;

  /** Hands out what there is to those who wait for it. */
  function settle(): void {
    while (waiters.length > 0 && (at < queue.length || state === "over")) {
      const waiter = waiters.shift()!;
      if (at < queue.length) {
        waiter.resolve({ done: false, value: queue[at++]!.chunk });
      } else if (failure === undefined) {
        waiter.resolve(over);
      } else {
        waiter.reject(failure.error);
        failure = undefined;
      }
    }
  }

  /** The stream has ended in order, or failed. */
  function close(error?: { error: unknown }): void {
    state = "over";
    failure = error;
    signal?.removeEventListener("abort", onAbort);
    settle();
  }

  /** Stops reading for good: the body is cancelled, or, if it is not there yet, the request. */
  function leave(reason: unknown, error?: { error: unknown }): void {
    if (state === "over") return;
    if (state === "idle") onUnread();
    queue = [];
    at = 0;
    close(error);
    left.abort(reason);
    reader?.cancel(reason).catch(() => {});
  }

  function onAbort(): void {
    if (state === "over") return;
    abortedStreams.add(stream);
    leave(signal?.reason, { error: signal?.reason });
  }

  /** What fails because the consumer has left is nobody's error. */
  function fail(error: unknown): void {
    if (state !== "over") leave(error, { error });
  }

  /** Gives the server a moment to close the body, so that the connection can be used again. */
  function finishReading(body: ReadableStreamDefaultReader<Uint8Array>): void {
    const cancel = () => {
      clearTimeout(timer);
      // Does nothing to a body that is over.
      body.cancel().catch(() => {});
    };
    const timer = setTimeout(cancel, closeGraceMs);
    body.read().then(cancel, cancel);
  }

  async function start(): Promise<void> {
    if (signal?.aborted) return onAbort();
    state = "open";
    signal?.addEventListener("abort", onAbort);
    try {
      const opened = await open(left.signal);
      if (left.signal.aborted) return discard(opened);
      const body = isResponse(opened) ? await checkResponse(opened, left.signal) : opened;
      if (left.signal.aborted) return discard(body);
      if (body === null) throw new StreamTruncatedError("The response has no body: the answer is missing.");
      if (typeof body?.getReader !== "function") {
        throw new TypeError(`Expected a body, a Response or null to read; got ${typeof body}.`);
      }
      reader = body.getReader();
      readMore();
    } catch (error) {
      fail(error);
    }
  }

  /** Reads until there is a chunk, or the end. */
  function readMore(): void {
    try {
      // Throws what an earlier piece had behind its last good chunk.
      decoder.decode(noBytes);
    } catch (error) {
      fail(error);
      return;
    }
    if (decoder.done) {
      finishReading(reader!);
      close();
    } else {
      reader!.read().then(onPiece, onBroken);
    }
  }

  function onPiece(piece: ReadableStreamReadResult<Uint8Array>): void {
    if (state === "over") return;
    try {
      if (piece.done) {
        decoder.end();
        close();
        return;
      }
      queue = decoder.decode(piece.value);
    } catch (error) {
      fail(error);
      return;
    }
    at = 0;
    settle();
    // No chunk in it, or fewer than there are calls waiting.
    if (waiters.length > 0) readMore();
  }

  function onBroken(cause: unknown): void {
    // A connection that breaks behind the terminal has lost nothing.
    if (decoder.complete) onPiece({ done: true, value: undefined });
    else fail(new StreamTruncatedError("The connection broke before the stream was complete.", { cause }));
  }

  const iterator: AsyncIterator<StreamChunk> = {
    next() {
      if (at < queue.length && waiters.length === 0) {
        return Promise.resolve({ done: false, value: queue[at++]!.chunk });
      }
      return new Promise((resolve, reject) => {
        waiters.push({ resolve, reject });
        if (waiters.length > 1) return;
        if (state === "over") settle();
        else if (state === "open") readMore();
        else void start();
      });
    },
    return() {
      leave(undefined);
      return Promise.resolve(over);
    },
  };

  let isTaken = false;
  const stream: AsyncIterable<StreamChunk> = {
    [Symbol.asyncIterator]() {
      if (isTaken) throw new TypeError("A stream can be iterated only once.");
      isTaken = true;
      return iterator;
    },
  };
  return stream;
}

/** By shape, not by class: some server adapters replace the global `Response`, but not what `fetch` resolves to. */
const isResponse = (body: StreamBody): body is Response =>
  typeof body === "object" && body !== null && "headers" in body;

function discard(body: StreamBody): void {
  const stream = isResponse(body) ? body.body : body;
  stream?.cancel().catch(() => {});
}

/** @returns the body of a response that is an event stream. */
async function checkResponse(
  response: Response,
  left: AbortSignal,
): Promise<ReadableStream<Uint8Array> | null> {
  if (!response.ok) throw new StreamHttpError(response, await readErrorBody(response, left));
  if (response.body === null) return null;
  const mediaType = response.headers.get("content-type")?.split(";")[0]?.trim().toLowerCase();
  if (mediaType !== "text/event-stream") {
    discard(response);
    throw new StreamContentTypeError(response);
  }
  return response.body;
}

async function readErrorBody(response: Response, left: AbortSignal): Promise<unknown> {
  const text = await readText(response.body, left);
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Reads the start of a body; what breaks off is as good as its end. */
async function readText(body: ReadableStream<Uint8Array> | null, left: AbortSignal): Promise<string> {
  const reader = body?.getReader();
  const cancel = () => void reader?.cancel().catch(() => {});
  left.addEventListener("abort", cancel);
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  try {
    while (reader !== undefined && bytes < maxErrorBodyBytes) {
      const { done, value } = await reader.read();
      if (done) break;
      bytes += value.length;
      text += decoder.decode(value, { stream: true });
    }
  } catch {}
  cancel();
  return text;
}
