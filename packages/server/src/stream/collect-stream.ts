/**
 * A whole stream as one value, for routes that return a single buffered result, for logs and for tests. Checks chunks
 * as the pump does, because its result also leaves the server.
 */
import {
  type BufferedStreamResult,
  type ChatTypes,
  type ErrorChunk,
  joinTextParts,
  reduceMessage,
  reduceStreamError,
  type StreamChunk,
  StreamProtocolError,
} from "@kortyx/protocol";
import { checkLimitOption, encodeChunkJson, type PrintedChunk } from "@kortyx/protocol/internal";
import { checkNames } from "./check-names.ts";
import type { StreamSource } from "./source.ts";
import { type SourceConsumer, type SourceEnd, SourceReader } from "./source-reader.ts";
import { defaultMaxAnswerBytes, never } from "./stream-options.ts";

/** Limits of {@link collectBufferedStream}. */
export interface CollectLimits {
  /**
   * The largest stream, in bytes on the wire.
   *
   * @defaultValue 8 MiB
   */
  maxBytes?: number | undefined;
  /** Leaves the source when aborted; the promise then rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/** Every limit; one that is missing here is a type error. */
const limitNames: Record<keyof CollectLimits, true> = { maxBytes: true, signal: true };

/**
 * Collects the chunks of a stream, in order, up to and including the first terminal chunk. Unbounded.
 *
 * @throws The source's error; StreamProtocolError `invalid-chunk` or `unserializable-chunk` if it yields a value
 * that cannot be sent as a chunk.
 *
 * @example
 * ```ts
 * const chunks = await collectStream(({ signal }) => agent.streamChat(messages, { signal }));
 * chunks.at(-1); // { type: "done" }
 * ```
 */
export function collectStream<Types extends ChatTypes = ChatTypes>(
  source: StreamSource<Types>,
): Promise<StreamChunk<Types>[]>;
export function collectStream(source: StreamSource): Promise<StreamChunk[]> {
  return collectChunks(source, never);
}

/**
 * Collects a stream into the result of a route that does not stream; one with an `error` belongs to a status of 500.
 *
 * A stream that ended on an `error` chunk, even if a `done` without `finishReason` follows, resolves with that chunk as
 * `error`.
 *
 * @throws The source's error; StreamProtocolError `invalid-chunk`, `unserializable-chunk`, or `too-large` beyond
 * `maxBytes`. The source is then left. RangeError for a `maxBytes` that is not a number, or is negative, TypeError for a
 * limit of an unknown name.
 *
 * @example
 * ```ts
 * const { text } = await collectBufferedStream(stream, { maxBytes: 100_000 });
 * text; // "Hello"
 * ```
 */
export function collectBufferedStream<Types extends ChatTypes = ChatTypes>(
  source: StreamSource<Types>,
  limits?: CollectLimits,
): Promise<BufferedStreamResult<Types>>;
export async function collectBufferedStream(
  source: StreamSource,
  limits: CollectLimits = {},
): Promise<BufferedStreamResult> {
  const { maxBytes = defaultMaxAnswerBytes, signal } = limits;
  checkNames("collectBufferedStream", limits, limitNames);
  checkLimitOption("maxBytes", maxBytes);
  const chunks = await collectChunks(source, maxBytes, signal);
  return { chunks, ...summarizeStreamChunks(chunks) };
}

/**
 * The fields of a buffered answer, computed from its collected chunks.
 *
 * @example
 * ```ts
 * const chunks = await collectStream(stream);
 * summarizeStreamChunks(chunks); // { text: "Hello", structured: [] }
 * ```
 */
export function summarizeStreamChunks<Types extends ChatTypes = ChatTypes>(
  chunks: readonly StreamChunk<Types>[],
): Omit<BufferedStreamResult<Types>, "chunks">;
export function summarizeStreamChunks(chunks: readonly StreamChunk[]): Omit<BufferedStreamResult, "chunks"> {
  const error = chunks.reduce<Readonly<ErrorChunk> | undefined>(reduceStreamError, undefined);
  return {
    text: textOf(chunks),
    structured: chunks.filter((chunk) => chunk.type === "structured-data"),
    ...(error && { error }),
  };
}

function collectChunks(
  source: StreamSource,
  maxBytes: number,
  signal?: AbortSignal | undefined,
): Promise<StreamChunk[]> {
  return new Promise((resolve, reject) => {
    const collector = new Collector(maxBytes, (end) => {
      if (end.type === "failed" || end.type === "invalid") reject(end.error);
      else if (end.type === "aborted") reject(signal?.reason);
      else resolve(collector.chunks);
    });
    collector.reader.start(source, signal);
  });
}

const encoder = new TextEncoder();

/** Collects all chunks of a source, up to a number of bytes. */
class Collector implements SourceConsumer {
  readonly wantsChunk = true;
  readonly chunks: StreamChunk[] = [];
  readonly reader: SourceReader = new SourceReader(this);
  readonly #maxBytes: number;
  readonly #onEnd: (end: SourceEnd) => void;
  #bytes = 0;

  constructor(maxBytes: number, onEnd: (end: SourceEnd) => void) {
    this.#maxBytes = maxBytes;
    this.#onEnd = onEnd;
  }

  onChunk({ chunk, json }: PrintedChunk): void {
    this.#bytes += encoder.encode(encodeChunkJson(json)).length;
    if (this.#bytes > this.#maxBytes) {
      const message = `The stream is larger than the limit of ${this.#maxBytes} bytes (maxBytes, or maxBufferedBytes of a route).`;
      this.reader.close();
      this.#onEnd({ type: "failed", error: new StreamProtocolError("too-large", message) });
    } else this.chunks.push(chunk as StreamChunk);
  }

  onEnd(end: SourceEnd): void {
    if (end.type === "terminal") this.onChunk(end.last);
    this.#onEnd(end);
  }
}

/**
 * The text that a user interface copies from the same stream. Structured objects are not part of it, and may be
 * invalid.
 */
function textOf(chunks: readonly StreamChunk[]): string {
  const { parts } = reduceMessage(chunks.filter(({ type }) => type !== "structured-data"));
  return joinTextParts(parts);
}
