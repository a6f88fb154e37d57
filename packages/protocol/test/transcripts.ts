/** The golden transcripts: bytes on the wire and the chunks that a reader must get. They were not written by `src`. */
import { readdirSync, readFileSync } from "node:fs";
import type { StreamChunk } from "../src/chunks.ts";

export interface Transcript {
  name: string;
  bytes: Uint8Array;
  description: string;
  /** The bytes are exactly what the encoder prints for the entries. */
  canonical: boolean;
  /** Whether the stream ended in order. */
  complete: boolean;
  entries: { chunk: StreamChunk; eventId?: string; unknown?: true }[];
}

const folder = new URL("../transcripts/", import.meta.url);

export const transcripts: Transcript[] = readdirSync(folder)
  .filter((file) => file.endsWith(".sse"))
  .map((file) => ({
    name: file.slice(0, -4),
    bytes: new Uint8Array(readFileSync(new URL(file, folder))),
    ...JSON.parse(readFileSync(new URL(`${file.slice(0, -4)}.json`, folder), "utf8")),
  }));
