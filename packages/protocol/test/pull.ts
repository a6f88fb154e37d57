/** Reads a stream with a decoder, for tests of its output. */
import type { ChunkDecoder } from "../src/chunk-decoder.ts";
import type { StreamChunk } from "../src/chunks.ts";

interface Decoder<Item> {
  push(bytes: Uint8Array): void;
  next(): Item | undefined;
}

/** Pushes each piece, and then yields all that `next` returns. */
export function* pull<Item>(decoder: Decoder<Item>, pieces: Iterable<Uint8Array>): Generator<Item> {
  for (const piece of pieces) {
    decoder.push(piece);
    for (let item = decoder.next(); item !== undefined; item = decoder.next()) yield item;
  }
}

/** The same for chunks, each with its event id. */
export function* pullChunks(
  decoder: ChunkDecoder,
  pieces: Iterable<Uint8Array>,
): Generator<{ chunk: StreamChunk; eventId: string }> {
  for (const chunk of pull(decoder, pieces)) yield { chunk, eventId: decoder.lastEventId };
}
