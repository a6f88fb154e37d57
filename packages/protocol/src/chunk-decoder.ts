/**
 * Bytes to chunks, a piece at a time: the pull decoder, emptied after every piece. Decides whether what was read is the
 * whole stream.
 */

import type { StreamChunk } from "./chunks.ts";
import { type StreamProtocolError, StreamTruncatedError } from "./errors.ts";
import { type ChunkDecoderOptions, createPullDecoder, type StreamPosition } from "./pull-decoder.ts";

/** A chunk with its place in the stream. */
export interface DecodedChunk {
  chunk: StreamChunk;
  /** The event id in force, for resuming behind this chunk; `""` when the stream has none, and none was given as `after`. */
  eventId: string;
}

export interface ChunkDecoder extends StreamPosition {
  /**
   * Decodes the next piece of the stream, however it was cut. Takes time linear in its length.
   *
   * What breaks the contract ends the stream: this call returns the chunks before it, and every later call throws.
   * Bytes after `[DONE]` are ignored, and so are events with an `event:` line other than `message`. Where events have
   * ids of a run, one that was seen before is dropped, and a missing one breaks the contract.
   *
   * @throws StreamProtocolError `too-large`, `invalid-json`, `invalid-chunk` or `sequence-gap`, on the call after the
   * one that met it.
   */
  decode(bytes: Uint8Array): DecodedChunk[];
  /**
   * Tells the decoder that no more bytes come, and judges what was read.
   *
   * @throws StreamProtocolError what has ended the stream.
   * @throws StreamTruncatedError when the stream is not `complete`.
   */
  end(): void;
}

/**
 * Creates a decoder for one stream.
 *
 * @example
 * ```ts
 * const decoder = createChunkDecoder();
 * const decoded = decoder.decode(new TextEncoder().encode('data: {"type":"done"}\n\ndata: [DONE]\n\n'));
 * decoder.end(); // throws if the stream is not complete
 * // decoded is [{ chunk: { type: "done" }, eventId: "" }]
 * ```
 */
export function createChunkDecoder(options?: ChunkDecoderOptions): ChunkDecoder {
  const puller = createPullDecoder(options);
  let failure: StreamProtocolError | undefined;

  return {
    decode(bytes) {
      if (failure !== undefined) throw failure;
      const decoded: DecodedChunk[] = [];
      if (puller.done) return decoded;
      puller.push(bytes);
      try {
        for (let chunk = puller.next(); chunk !== undefined; chunk = puller.next()) {
          decoded.push({ chunk, eventId: puller.lastEventId });
        }
      } catch (error) {
        failure = error as StreamProtocolError;
      }
      return decoded;
    },
    end() {
      if (failure !== undefined) throw failure;
      if (!puller.complete) throw new StreamTruncatedError();
    },
    get done() {
      return puller.done;
    },
    get complete() {
      return puller.complete && failure === undefined;
    },
    get lastEventId() {
      return puller.lastEventId;
    },
    get retryMs() {
      return puller.retryMs;
    },
    get heartbeatMs() {
      return puller.heartbeatMs;
    },
    get mustStay() {
      return puller.mustStay;
    },
  };
}
