/** The golden transcripts as cases, with other line ends and cut off at every byte. */
import { readdirSync, readFileSync } from "node:fs";
import type { Body, ReaderCase } from "./reader-case.ts";

const folder = new URL("transcripts/", import.meta.resolve("@kortyx/protocol/package.json"));

interface Transcript {
  /** With its version: `0.1/plain-text`. */
  name: string;
  bytes: Uint8Array;
  /** Its chunks, each with the event id of its time. */
  entries: { chunk: { type: string } }[];
}

const readTranscripts = (): Transcript[] =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((file) => file.replaceAll("\\", "/"))
    .filter((file) => file.endsWith(".sse"))
    .sort()
    .map((file) => {
      const name = file.slice(0, -4);
      const { entries } = JSON.parse(readFileSync(new URL(`${name}.json`, folder), "utf8"));
      return { name, bytes: readFileSync(new URL(file, folder)), entries };
    });

/** The cases of every transcript. */
export function readTranscriptCases(): ReaderCase[] {
  const transcripts = readTranscripts();
  return [
    ...transcripts.map(({ name, bytes }) => ({
      name: `transcript ${name}`,
      section: "8",
      bodies: variantsOf(bytes),
    })),
    {
      name: "an answer that breaks off is cut off, or ends where it may",
      section: "3.1",
      bodies: transcripts.flatMap(({ name, bytes }) =>
        Array.from(
          bytes,
          (_, length): Body => ({
            variant: `the first ${length} bytes of ${name}`,
            bytes: bytes.subarray(0, length),
            cuts: "nowhere",
          }),
        ),
      ),
    },
    {
      name: "an error is pending after a chunk of each type, or was a warning",
      section: "3.2",
      bodies: afterError(transcripts),
    },
  ];
}

function variantsOf(bytes: Uint8Array): Body[] {
  const text = Buffer.from(bytes).toString("latin1");
  const withLineEnd = (end: string) => Buffer.from(text.replaceAll("\n", end), "latin1");
  const asItIs: Body = { variant: "as it is", bytes, cuts: "everywhere" };
  // One has line ends of every kind already.
  if (text.includes("\r")) return [asItIs];
  return [
    asItIs,
    { variant: "with CR LF", bytes: withLineEnd("\r\n"), cuts: "after CR" },
    { variant: "with CR", bytes: withLineEnd("\r"), cuts: "after CR" },
  ];
}

/** For each type of chunk, an answer that ends with an error and such a chunk. */
function afterError(transcripts: Transcript[]): Body[] {
  const chunks = transcripts.flatMap(({ entries }) => entries.map(({ chunk }) => chunk));
  const kinds = new Map(chunks.map((chunk) => [chunk.type, chunk]));
  const error = 'data: {"type":"error","message":"It failed."}\n\n';
  return Array.from(kinds, ([type, chunk]) => ({
    variant: `an error and a ${type}`,
    bytes: Buffer.from(`${error}data: ${JSON.stringify(chunk)}\n\ndata: [DONE]\n\n`),
    cuts: "nowhere",
  }));
}
