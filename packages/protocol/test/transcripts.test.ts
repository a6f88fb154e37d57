import { describe, expect, test } from "vitest";
import { createChunkDecoder } from "../src/chunk-decoder.ts";
import { DONE_FRAME, encodeChunk } from "../src/encode-chunk.ts";
import { StreamProtocolError } from "../src/errors.ts";
import { streamChunkSchema } from "../src/schemas.ts";
import { variants } from "./chunk-arbitraries.ts";
import { byteByByte, cutAt } from "./pieces.ts";
import { pullChunks } from "./pull.ts";
import { transcripts } from "./transcripts.ts";

/** What a reader throws, by the outcome. */
const errorNames: Record<string, string> = {
  truncated: "StreamTruncatedError",
  violation: "StreamProtocolError",
};

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
      `Add a chunk ${JSON.stringify(literals)} to a stream of packages/protocol/transcripts/<the next version>.`,
    ).toBe(true);
  }
});

for (const { name, bytes, canonical, complete, outcome, entries, description } of transcripts) {
  describe(`${name}: ${description}`, () => {
    const known = entries.filter((entry) => !entry.unknown);

    test("decodes to its chunks and its ending, whole, at every two-way split and byte by byte", () => {
      const cuts = [[bytes], byteByByte(bytes)];
      for (let place = 1; place < bytes.length; place++) cuts.push(cutAt(bytes, [place]));
      for (const pieces of cuts) {
        const unknown: unknown[] = [];
        const decoder = createChunkDecoder({ onUnknownChunk: (chunk) => unknown.push(chunk) });
        const decoded: unknown[] = [];
        const read = () => {
          for (const one of pullChunks(decoder, pieces)) decoded.push(one);
        };
        if (outcome === "violation") expect(read).toThrow(StreamProtocolError);
        else read();
        expect(decoded).toEqual(known.map(({ chunk, eventId = "" }) => ({ chunk, eventId })));
        expect(unknown).toEqual(entries.filter((entry) => entry.unknown).map(({ chunk }) => chunk));
        expect(decoder.complete).toBe(complete);
        if (complete) decoder.end();
        else expect(() => decoder.end()).toThrow(expect.objectContaining({ name: errorNames[outcome] }));
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
