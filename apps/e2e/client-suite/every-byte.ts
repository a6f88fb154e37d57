/**
 * Streams that end in order after each possible number of bytes: nothing before the terminal or `[DONE]` counts as
 * complete.
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
  /** The chunks, each with the number of bytes after which it has arrived. */
  chunks: [chunk: StreamChunk, fromByte: number][];
  /** The number of bytes after which the stream is complete. */
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
  name: `a stream ${name}, and truncated after every earlier byte`,
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
        `after ${bytes} bytes`,
      );
    }
  },
}));
