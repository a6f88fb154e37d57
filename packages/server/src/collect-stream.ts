/**
 * A whole stream as one value, for routes that answer a single buffered result, for logs and for tests. Checks chunks
 * as the pump does, because what it returns leaves the server too.
 */
import {
  type BufferedStreamResult,
  checkChunk,
  encodeChunk,
  isTerminalChunk,
  reduceMessage,
  type StreamChunk,
  StreamProtocolError,
} from "@kortyx/protocol";
import { closeIterator, openSource, type StreamSource, toIterator } from "./stream-source.ts";

const defaultMaxBytes = 8 * 1024 * 1024;

export interface CollectLimits {
  /**
   * The largest stream, in bytes as it would be on the wire.
   *
   * @defaultValue 8 MiB
   */
  maxBytes?: number | undefined;
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
 * A stream that ended on an `error` chunk resolves, with that chunk as `error`.
 *
 * @throws What the source throws; StreamProtocolError `invalid-chunk`, `unserializable-chunk`, or `too-large` beyond
 * `maxBytes`. The source is left then.
 */
export async function collectBufferedStream(
  source: StreamSource,
  limits: CollectLimits = {},
): Promise<BufferedStreamResult> {
  const { maxBytes = defaultMaxBytes } = limits;
  const encoder = new TextEncoder();
  const chunks: StreamChunk[] = [];
  let bytes = 0;
  for await (const chunk of readChunks(source)) {
    bytes += encoder.encode(encodeChunk(chunk)).length;
    if (bytes > maxBytes) {
      throw new StreamProtocolError(
        "too-large",
        `The stream is larger than the limit of ${maxBytes} bytes (maxBytes).`,
      );
    }
    chunks.push(chunk);
  }
  const last = chunks.at(-1);
  return {
    chunks,
    text: joinText(chunks),
    structured: chunks.filter((chunk) => chunk.type === "structured-data"),
    ...(last?.type === "error" && { error: last }),
  };
}

async function* readChunks(source: StreamSource): AsyncGenerator<StreamChunk> {
  const abort = new AbortController();
  const iterator = toIterator(await openSource(source, abort.signal));
  let isOver = false;
  try {
    for (;;) {
      // If this throws, the source has ended by itself.
      isOver = true;
      const result = await iterator.next();
      if (result.done) return;
      isOver = false;
      const problem = checkChunk(result.value);
      if (problem?.code === "invalid-chunk") throw new StreamProtocolError("invalid-chunk", problem.message);
      const chunk = result.value as StreamChunk;
      if (isTerminalChunk(chunk)) {
        isOver = true;
        closeIterator(iterator);
      }
      yield chunk;
      if (isOver) return;
    }
  } finally {
    if (!isOver) {
      abort.abort();
      closeIterator(iterator);
    }
  }
}

function joinText(chunks: StreamChunk[]): string {
  const texts = chunks.some((chunk) => chunk.type === "text-delta")
    ? reduceMessage(chunks.filter((chunk) => chunk.type.startsWith("text-"))).parts.map((part) =>
        part.type === "text" ? part.text : "",
      )
    : chunks.map((chunk) => (chunk.type === "message" ? chunk.content : ""));
  return texts.filter((text) => text !== "").join("\n\n");
}
