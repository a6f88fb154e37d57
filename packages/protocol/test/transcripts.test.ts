import { describe, expect, test } from "vitest";
import { createChunkDecoder } from "../src/chunk-decoder.ts";
import { DONE_FRAME, encodeChunk } from "../src/encode-chunk.ts";
import { streamChunkSchema } from "../src/schemas.ts";
import { variants } from "./chunk-arbitraries.ts";
import { byteByByte, cutAt } from "./pieces.ts";
import { pullChunks } from "./pull.ts";
import { transcripts } from "./transcripts.ts";

test("the transcripts together contain every shape of chunk", () => {
  const chunks = transcripts.flatMap(({ entries }) =>
    entries.map(({ chunk }) => chunk as unknown as Record<string, unknown>),
  );
  for (const { literals } of variants) {
    const isFound = chunks.some((chunk) =>
      Object.entries(literals).every(([name, value]) => chunk[name] === value),
    );
    expect(
      isFound,
      `Add a chunk ${JSON.stringify(literals)} to a stream of packages/protocol/transcripts.`,
    ).toBe(true);
  }
});

for (const { name, bytes, canonical, complete, entries, description } of transcripts) {
  describe(`${name}: ${description}`, () => {
    const known = entries.filter((entry) => !entry.unknown);

    test("decodes to its chunks and its ending, whole, at every two-way split and byte by byte", () => {
      const cuts = [[bytes], byteByByte(bytes)];
      for (let place = 1; place < bytes.length; place++) cuts.push(cutAt(bytes, [place]));
      for (const pieces of cuts) {
        const unknown: unknown[] = [];
        const decoder = createChunkDecoder({ onUnknownChunk: (chunk) => unknown.push(chunk) });
        const decoded = [...pullChunks(decoder, pieces)];
        expect(decoded).toEqual(known.map(({ chunk, eventId = "" }) => ({ chunk, eventId })));
        expect(unknown).toEqual(entries.filter((entry) => entry.unknown).map(({ chunk }) => chunk));
        expect(decoder.complete).toBe(complete);
        if (complete) decoder.end();
        else expect(() => decoder.end()).toThrow(expect.objectContaining({ name: "StreamTruncatedError" }));
      }
    });

    test("contains only chunks that the schemas accept", () => {
      for (const { chunk } of known) expect(streamChunkSchema.parse(chunk)).toEqual(chunk);
    });

    if (canonical) {
      test("is what the encoder prints", () => {
        const frames = entries.map(({ chunk, eventId }) => encodeChunk(chunk, { id: eventId }));
        expect(frames.join("") + DONE_FRAME).toBe(
          new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes),
        );
      });
    }
  });
}
