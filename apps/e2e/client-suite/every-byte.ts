/**
 * Streams that end in order behind every single byte: whatever comes before the terminal or `[DONE]` is whole in no
 * part of it.
 */
import type { StreamChunk } from "@kortyx/client";
import { answerUrl } from "./answer.ts";
import { delta, done, doneMarker, frame } from "./frames.ts";
import { assertEqual, newId, type SuiteCase } from "./suite-case.ts";

const opening = ":hb=8000\n\n";
const text = frame(delta("ä🙂"));
const bytesIn = (part: string): number => new TextEncoder().encode(part).length;

interface Transcript {
  name: string;
  body: string;
  /** The chunks, and behind how many bytes each of them has come. */
  chunks: [chunk: StreamChunk, fromByte: number][];
  /** Behind so many bytes the stream is complete. */
  completeFrom: number;
}

const transcripts: Transcript[] = [
  {
    name: "with a terminal is complete from its terminal on",
    body: opening + text + frame(done) + doneMarker,
    chunks: [
      [delta("ä🙂"), bytesIn(opening + text)],
      [done, bytesIn(opening + text + frame(done))],
    ],
    completeFrom: bytesIn(opening + text + frame(done)),
  },
  {
    name: "without a terminal is complete from [DONE] on",
    body: text + doneMarker,
    chunks: [[delta("ä🙂"), bytesIn(text)]],
    completeFrom: bytesIn(text + doneMarker),
  },
];

export const everyByteCases: SuiteCase[] = transcripts.map(({ name, body, chunks, completeFrom }) => ({
  name: `a stream ${name}, and truncated behind every byte before`,
  async run({ baseUrl, client }) {
    const id = newId();
    for (let bytes = 0; bytes <= bytesIn(body); bytes++) {
      const endpoint = answerUrl(baseUrl, id, { body, bytes });
      const seen: StreamChunk[] = [];
      let ends = "complete";
      try {
        for await (const chunk of client.streamFromRoute({ endpoint })) seen.push(chunk);
      } catch (error) {
        ends = (error as Error).name;
      }
      assertEqual(
        { ends, seen },
        {
          ends: bytes >= completeFrom ? "complete" : "StreamTruncatedError",
          seen: chunks.filter(([, fromByte]) => bytes >= fromByte).map(([chunk]) => chunk),
        },
        `behind ${bytes} bytes`,
      );
    }
  },
}));
