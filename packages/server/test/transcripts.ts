/** Golden transcripts of the protocol package: bytes as our encoder writes them, with their chunks. */
import { globSync, readFileSync } from "node:fs";
import type { StreamChunk } from "@kortyx/protocol";

const folder = new URL("../../protocol/transcripts/", import.meta.url);

export const canonicalTranscripts: { name: string; bytes: string; chunks: StreamChunk[] }[] = globSync(
  "*/*.json",
  { cwd: folder },
)
  .map((file) => ({ name: file.slice(0, -5), ...JSON.parse(readFileSync(new URL(file, folder), "utf8")) }))
  // Streams with event ids come from runs, which these tests do not cover.
  .filter(
    ({ canonical, entries }) => canonical && !entries.some((entry: { eventId?: string }) => entry.eventId),
  )
  .map(({ name, entries }) => ({
    name,
    bytes: readFileSync(new URL(`${name}.sse`, folder), "utf8"),
    chunks: entries.map((entry: { chunk: StreamChunk }) => entry.chunk),
  }));
