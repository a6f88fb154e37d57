/**
 * The pump: one source of chunks in, one `ReadableStream` of SSE bytes out, driven by the reader. Owns the source from
 * the call on: whatever ends the stream, the source is released here. Knows nothing of HTTP.
 */
import {
  checkChunk,
  DONE_FRAME,
  encodeChunk,
  encodeComment,
  isTerminalChunk,
  StreamProtocolError,
  type UnknownChunk,
} from "@kortyx/protocol";
import { createIdleCall } from "./idle-call.ts";
import { describeFailure, type OnStreamError } from "./stream-failure.ts";
import {
  type ChunkIterable,
  type ChunkIterator,
  closeIterator,
  isChunkIterable,
  isPromiseLike,
  openSource,
  type StreamSource,
  toIterator,
} from "./stream-source.ts";

/** A piece ends at this many chunks, … */
const maxPieceChunks = 64;
/** … at this many characters (16 KiB of ASCII), … */
const maxPieceLength = 16 * 1024;
/**
 * … or when it has been filled for this long, because a source that computes without waiting would else hold back its
 * first chunk. The clock is read at every fourth chunk, so that the true time stays below 10 ms.
 */
const maxFillMs = 4;

/** A source that is silent for this long makes the response open with a comment, so that its headers are sent. */
const openingWindowMs = 25;

const encoder = new TextEncoder();

/** Stands for no result at all: a bad source may answer with anything, `undefined` included. */
const noResult: IteratorResult<unknown> = { done: true, value: undefined };

export interface EncodeStreamOptions {
  /** Ends the stream when aborted: the request's signal, where the runtime has one. */
  signal?: AbortSignal | undefined;
  /** Decides what the client is told when the source fails. */
  onError?: OnStreamError | undefined;
}

/**
 * Encodes a source of chunks.
 *
 * Chunks that are ready together travel in one piece; a chunk that is alone is sent within the macrotask that brought
 * it. A reader that does not read stops the source after one or two pieces. A source that fails ends with an `error`
 * chunk and `[DONE]`; the stream itself never errors.
 */
export function encodeStream(
  source: StreamSource,
  options: EncodeStreamOptions = {},
): ReadableStream<Uint8Array> {
  const { signal, onError } = options;
  const sourceAbort = new AbortController();
  let controller!: ReadableStreamDefaultController<Uint8Array>;
  let iterator: ChunkIterator | undefined;

  /** The reader waits for a piece. */
  let isWanted = false;
  /** A `next()` is under way. */
  let isPending = false;
  /** The loop that takes results is on the stack. */
  let isTaking = false;
  let isClosed = false;

  /** The piece that is being filled. */
  let text = "";
  let chunks = 0;
  let filledSince = 0;

  let openingTimer: ReturnType<typeof setTimeout> | undefined = setTimeout(() => {
    openingTimer = undefined;
    // No heartbeats are sent yet, which is what 0 announces.
    controller.enqueue(encoder.encode(encodeComment("hb=0")));
  }, openingWindowMs);

  /** Releases everything that this stream holds. `sourceIsOver`: it has ended by itself. */
  function release(sourceIsOver: boolean): void {
    isClosed = true;
    text = "";
    clearTimeout(openingTimer);
    signal?.removeEventListener("abort", onAbort);
    if (sourceIsOver) return;
    sourceAbort.abort(signal?.reason);
    if (iterator !== undefined) closeIterator(iterator);
  }

  function onAbort(): void {
    release(false);
    // Without `[DONE]`: whoever still reads is to see that the stream was cut.
    controller.close();
  }

  function flush(): void {
    const piece = encoder.encode(text);
    text = "";
    chunks = 0;
    isWanted = false;
    controller.enqueue(piece);
  }

  /** The piece goes when no more chunks are ready. */
  const scheduleFlush = createIdleCall(() => {
    if (isWanted && text !== "") flush();
  });

  /** Writes the last piece and closes. */
  function end(lastFrames: string, sourceIsOver: boolean): void {
    const piece = encoder.encode(text + lastFrames);
    release(sourceIsOver);
    controller.enqueue(piece);
    controller.close();
  }

  function fail(error: unknown, sourceIsOver: boolean): void {
    end(encodeChunk(describeFailure(error, onError)) + DONE_FRAME, sourceIsOver);
  }

  /** Takes one result of the source. @returns whether the next one is wanted. */
  function take(result: IteratorResult<unknown>): boolean {
    if (result.done) {
      end(DONE_FRAME, true);
      return false;
    }
    const chunk = result.value as UnknownChunk;
    try {
      const problem = checkChunk(chunk);
      if (problem?.code === "invalid-chunk") throw new StreamProtocolError("invalid-chunk", problem.message);
      text += encodeChunk(chunk);
    } catch (error) {
      fail(error, false);
      return false;
    }
    chunks++;
    if (openingTimer !== undefined) {
      clearTimeout(openingTimer);
      openingTimer = undefined;
    }
    if (isTerminalChunk(chunk)) {
      // Nothing may follow it, so the source is not asked again.
      if (iterator !== undefined) closeIterator(iterator);
      end(DONE_FRAME, true);
      return false;
    }
    if (!isWanted) return false;
    if (chunks === 1) filledSince = Date.now();
    if (
      chunks === maxPieceChunks ||
      text.length >= maxPieceLength ||
      ((chunks <= 4 || chunks % 4 === 0) && Date.now() - filledSince >= maxFillMs)
    ) {
      flush();
    } else {
      scheduleFlush();
    }
    // A flush may have brought the next pull with it.
    return isWanted;
  }

  /** Takes `first`, and then more for as long as the source answers at once. */
  function advance(first: IteratorResult<unknown>): void {
    isTaking = true;
    try {
      if (first === noResult || take(first)) {
        for (;;) {
          const result = iterator!.next();
          if (isPromiseLike(result)) {
            isPending = true;
            result.then(onResult as (result: unknown) => void, onFailure);
            break;
          }
          if (!take(result)) break;
        }
      }
    } catch (error) {
      // The source threw, or answered with something that is not an iterator result.
      if (!isClosed) fail(error, true);
    }
    isTaking = false;
  }

  function onResult(result: IteratorResult<unknown>): void {
    isPending = false;
    if (!isClosed) advance(result);
  }

  function onFailure(error: unknown): void {
    isPending = false;
    if (!isClosed) fail(error, true);
  }

  function begin(chunks: ChunkIterable): void {
    isPending = false;
    iterator = toIterator(chunks);
    if (isClosed) closeIterator(iterator);
    else if (isWanted) advance(noResult);
  }

  return new ReadableStream<Uint8Array>(
    {
      start(streamController) {
        controller = streamController;
        try {
          // An aborted request opens nothing, but what is open already must be closed.
          if (isChunkIterable(source)) {
            begin(source);
          } else if (!signal?.aborted) {
            isPending = true;
            openSource(source, sourceAbort.signal).then(begin).catch(onFailure);
          }
          if (signal?.aborted) onAbort();
          else signal?.addEventListener("abort", onAbort);
        } catch (error) {
          onFailure(error);
        }
      },
      pull() {
        isWanted = true;
        if (text !== "") {
          // It came while nobody asked, and can go now, with what else is ready.
          filledSince = Date.now();
          scheduleFlush();
        }
        if (!isPending && !isTaking && !isClosed && iterator !== undefined) advance(noResult);
      },
      cancel() {
        release(false);
      },
    },
    { highWaterMark: 1 },
  );
}
