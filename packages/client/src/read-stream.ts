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
  return createChunkStream(async () => body, options);
}

/**
 * The iterable behind every reading function.
 *
 * @param open - Called at the first `next()`, with a signal that is aborted when the consumer leaves.
 */
export function createChunkStream(
  open: (signal: AbortSignal) => Promise<StreamBody>,
  options: ReadStreamOptions,
): AsyncIterable<StreamChunk> {
  const { signal, ...decoderOptions } = options;
  const left = new AbortController();
  const decoder = createChunkDecoder(decoderOptions);
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  let queue: DecodedChunk[] = [];
  let next = 0;
  let state: "idle" | "open" | "over" = "idle";
  /** A `next()` waits for bytes. */
  let isReading = false;
  /** The answer to the last `next()` that had to wait. */
  let last: Promise<IteratorResult<StreamChunk>>;

  /** Stops reading for good. */
  function leave(reason?: unknown): void {
    if (state === "over") return;
    state = "over";
    queue = [];
    signal?.removeEventListener("abort", onAbort);
    left.abort(reason);
    reader?.cancel(reason).catch(() => {});
  }

  function onAbort(): void {
    abortedStreams.add(stream);
    leave(signal?.reason);
  }

  /** The stream ended in order: gives the server a moment to close, so that the connection can be used again. */
  function finish(bodyIsOver: boolean): void {
    state = "over";
    signal?.removeEventListener("abort", onAbort);
    if (bodyIsOver || reader === undefined) return;
    const body = reader;
    const cancel = () => {
      clearTimeout(timer);
      body.cancel().catch(() => {});
    };
    const timer = setTimeout(cancel, closeGraceMs);
    // Cancelling a body that is over does nothing.
    body.read().then(cancel, cancel);
  }

  async function start(): Promise<IteratorResult<StreamChunk>> {
    try {
      if (signal?.aborted) onAbort();
      if (state === "over") return end();
      state = "open";
      signal?.addEventListener("abort", onAbort);
      const opened = await open(left.signal);
      const body = isResponse(opened) ? await checkResponse(opened) : opened;
      if (isOver()) {
        body?.cancel().catch(() => {});
        return end();
      }
      if (body === null) throw new StreamTruncatedError("The response has no body: the answer is missing.");
      reader = body.getReader();
    } catch (error) {
      return fail(error);
    }
    return readMore();
  }

  /** Told apart from `state === "over"`, which the compiler takes for impossible after an `await`. */
  const isOver = (): boolean => state === "over";

  /** The answer to a `next()` that finds nothing more. */
  function end(): IteratorResult<StreamChunk> {
    isReading = false;
    if (abortedStreams.has(stream)) throw signal?.reason;
    return { done: true, value: undefined };
  }

  function fail(error: unknown): IteratorResult<StreamChunk> {
    // Leaving makes `fetch` and reads fail too, which is nobody's error.
    if (isOver()) return end();
    isReading = false;
    leave();
    throw error;
  }

  /** Reads until there is a chunk, or the end. Promises are chained by hand: each one more costs every piece. */
  function readMore(): Promise<IteratorResult<StreamChunk>> {
    if (isOver()) return settle(end);
    try {
      // Throws what an earlier piece had behind its last good chunk.
      decoder.decode(noBytes);
    } catch (error) {
      return settle(() => fail(error));
    }
    if (!decoder.done) return reader!.read().then(onPiece, onBroken);
    finish(false);
    return settle(end);
  }

  function onPiece(
    piece: ReadableStreamReadResult<Uint8Array>,
  ): IteratorResult<StreamChunk> | Promise<IteratorResult<StreamChunk>> {
    if (isOver()) return end();
    try {
      if (piece.done) {
        decoder.end();
        finish(true);
        return end();
      }
      queue = decoder.decode(piece.value);
    } catch (error) {
      return fail(error);
    }
    if (queue.length === 0) return readMore();
    next = 1;
    isReading = false;
    return { done: false, value: queue[0]!.chunk };
  }

  function onBroken(cause: unknown): IteratorResult<StreamChunk> | Promise<IteratorResult<StreamChunk>> {
    // A connection that breaks behind the terminal has lost nothing.
    if (decoder.complete) return onPiece({ done: true, value: undefined });
    return fail(new StreamTruncatedError("The connection broke before the stream was complete.", { cause }));
  }

  const iterator: AsyncIterator<StreamChunk> = {
    next() {
      if (next < queue.length) return Promise.resolve({ done: false, value: queue[next++]!.chunk });
      if (isReading) {
        // Calls that do not wait for each other are served in order.
        last = last.then(iterator.next, iterator.next);
      } else {
        isReading = true;
        last = state === "idle" ? start() : readMore();
      }
      return last;
    },
    return() {
      leave();
      return Promise.resolve({ done: true, value: undefined });
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

async function settle<Value>(outcome: () => Value): Promise<Value> {
  return outcome();
}

/** By shape, not by class: some server adapters replace the global `Response`, but not what `fetch` resolves to. */
const isResponse = (body: StreamBody): body is Response => body !== null && "headers" in body;

/** @returns the body of a response that is an event stream. */
async function checkResponse(response: Response): Promise<ReadableStream<Uint8Array> | null> {
  if (!response.ok) throw new StreamHttpError(response, await readErrorBody(response));
  if (response.body === null) return null;
  const mediaType = response.headers.get("content-type")?.split(";")[0]?.trim().toLowerCase();
  if (mediaType !== "text/event-stream") {
    response.body.cancel().catch(() => {});
    throw new StreamContentTypeError(response);
  }
  return response.body;
}

async function readErrorBody(response: Response): Promise<unknown> {
  const text = await readText(response.body);
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Reads the start of a body; what breaks off is as good as its end. */
async function readText(body: ReadableStream<Uint8Array> | null): Promise<string> {
  const reader = body?.getReader();
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
  reader?.cancel().catch(() => {});
  return text;
}
