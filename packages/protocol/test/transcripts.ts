/** The golden transcripts of every version: bytes on the wire, and the chunks that a reader must get. */
import { globSync, readFileSync } from "node:fs";
import type { StreamChunk } from "../src/chunks.ts";

export interface Transcript {
  /** With the version: `0.1/plain-text`. */
  name: string;
  bytes: Uint8Array;
  description: string;
  /** The bytes are exactly what the encoder prints for the entries. */
  canonical: boolean;
  /** Whether the stream ended in order. */
  complete: boolean;
  /** What the answer has come to. */
  outcome: "done" | "failed" | "aborted" | "truncated" | "violation";
  entries: { chunk: StreamChunk; eventId?: string; unknown?: true }[];
}

const folder = new URL("../transcripts/", import.meta.url);

export const transcripts: Transcript[] = globSync("*/*.sse", { cwd: folder })
  .sort()
  .map((file) => ({
    name: file.slice(0, -4).replaceAll("\\", "/"),
    bytes: new Uint8Array(readFileSync(new URL(file, folder))),
    ...JSON.parse(readFileSync(new URL(`${file.slice(0, -4)}.json`, folder), "utf8")),
  }));
