/**
 * A whole stream as one value, for routes that answer a single buffered result, for logs and for tests. Checks chunks
 * as the pump does, because what it returns leaves the server too.
 */
import {
  type BufferedStreamResult,
  type ErrorChunk,
  encodeChunk,
  isTerminalChunk,
  joinTextParts,
  reduceMessage,
  reduceStreamError,
  type StreamChunk,
  StreamProtocolError,
  toChunk,
} from "@kortyx/protocol";
import { checkLimitOption } from "@kortyx/protocol/internal";
import {
  type ChunkIterator,
  closeIterator,
  closeSource,
  openSource,
  type StreamSource,
  toIterator,
} from "./source.ts";
import { defaultMaxAnswerSize } from "./stream-options.ts";
import { withWritableData } from "./writable-data.ts";

export interface CollectLimits {
  /**
   * The largest stream, in bytes as it would be on the wire.
   *
   * @defaultValue 8 MiB
   */
  maxBytes?: number | undefined;
  /** Leaves the source when aborted; the collecting then rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/**
 * Collects the chunks of a stream, in order, up to and including the first terminal chunk. Unbounded.
 *
 * @throws What the source throws; StreamProtocolError `invalid-chunk` when it yields something that is not a chunk.
 */
export async function collectStream(source: StreamSource): Promise<StreamChunk[]> {
  const chunks: StreamChunk[] = [];
  for await (const chunk of readChunks(source)) chunks.push(chunk);
  return chunks;
}

/**
 * Collects a stream into the answer of a route that does not stream: `Response.json(await collectBufferedStream(…))`.
 *
 * A stream that ended on an `error` chunk, with a `done` without `finishReason` after it or none, resolves with that chunk
 * as `error`.
 *
 * @throws What the source throws; StreamProtocolError `invalid-chunk`, `unserializable-chunk`, or `too-large` beyond
 * `maxBytes`. The source is left then.
 */
export async function collectBufferedStream(
  source: StreamSource,
  limits: CollectLimits = {},
): Promise<BufferedStreamResult> {
  const { maxBytes = defaultMaxAnswerSize, signal } = limits;
  checkLimitOption("maxBytes", maxBytes);
  const encoder = new TextEncoder();
  const chunks: StreamChunk[] = [];
  let bytes = 0;
  for await (const chunk of readChunks(source, signal)) {
    bytes += encoder.encode(encodeChunk(chunk)).length;
    if (bytes > maxBytes) {
      throw new StreamProtocolError(
        "too-large",
        `The stream is larger than the limit of ${maxBytes} bytes (maxBytes).`,
      );
    }
    chunks.push(chunk);
  }
  return { chunks, ...summarizeStreamChunks(chunks) };
}

/** What a buffered answer says beside its chunks: of chunks that are collected already. */
export function summarizeStreamChunks(chunks: readonly StreamChunk[]): Omit<BufferedStreamResult, "chunks"> {
  const error = chunks.reduce<Readonly<ErrorChunk> | undefined>(reduceStreamError, undefined);
  return {
    text: textOf(chunks),
    structured: chunks.filter((chunk) => chunk.type === "structured-data"),
    ...(error && { error }),
  };
}

/** The chunks of a source up to its terminal. Whatever ends the reading, the source is released. */
async function* readChunks(source: StreamSource, signal?: AbortSignal): AsyncGenerator<StreamChunk> {
  if (signal?.aborted) {
    closeSource(source);
    throw signal.reason;
  }
  const abort = new AbortController();
  let iterator: ChunkIterator | undefined;
  let isOver = false;
  let count = 0;
  let leave: () => void = () => {};
  const left = new Promise<never>((_, reject) => {
    leave = () => reject(signal?.reason);
  });
  left.catch(() => {});
  signal?.addEventListener("abort", leave);
  /** An agent that ignores its signal does not hold up whoever has left. */
  const orLeft = <Value>(value: Value | PromiseLike<Value>) => Promise.race([value, left]);
  try {
    const opening = openSource(source, abort.signal).then((iterable) => {
      iterator = toIterator(iterable);
      if (abort.signal.aborted) closeIterator(iterator);
      return iterator;
    });
    const opened = await orLeft(opening);
    for (;;) {
      // If this throws, the source has ended by itself.
      isOver = true;
      const result = await orLeft(opened.next());
      if (result?.done) return;
      isOver = false;
      if (typeof result !== "object" || result === null) {
        throw new TypeError(`next() of a source answered ${result}, which is no iterator result.`);
      }
      const chunk = toChunk(withWritableData(result.value as StreamChunk), ++count) as StreamChunk;
      if (isTerminalChunk(chunk)) {
        isOver = true;
        closeIterator(opened);
      }
      yield chunk;
      if (isOver) return;
    }
  } finally {
    signal?.removeEventListener("abort", leave);
    if (!isOver || signal?.aborted) {
      abort.abort(signal?.reason);
      if (iterator !== undefined) closeIterator(iterator);
    }
  }
}

/** The text that a user interface copies of the same stream. Structured objects are no part of it, and may be broken. */
function textOf(chunks: readonly StreamChunk[]): string {
  const { parts } = reduceMessage(chunks.filter(({ type }) => type !== "structured-data"));
  return joinTextParts(parts);
}
