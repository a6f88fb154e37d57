/** The transcripts of each version, and what the readers of today make of them. */
import { createHash } from "node:crypto";
import { globSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  type AssistantMessage,
  createChunkDecoder,
  createMessageAccumulator,
  isStreamError,
  reduceStreamError,
  type StreamChunk,
  type UnknownChunk,
} from "@kortyx/protocol";
import { repository } from "../test/readme-snippets.ts";

/** How an answer ended, as in section 3 of the protocol; `violation` where a reader must stop. */
type Outcome = "done" | "failed" | "aborted" | "truncated" | "violation";

/** One `<name>.json`. */
export interface Transcript {
  description: string;
  /** The bytes are exactly what `encodeChunk` prints for the entries, and `[DONE]`. */
  canonical: boolean;
  complete: boolean;
  outcome: Outcome;
  /** Each chunk, with the last event id at its time. */
  entries: { chunk: StreamChunk; eventId?: string; unknown?: true }[];
}

export const transcriptsFolder: string = join(repository, "packages/protocol/transcripts");

/** The versions with transcripts: `0.1`, … */
export const versions: string[] = readdirSync(transcriptsFolder).sort((one, other) =>
  one.localeCompare(other, "en", { numeric: true }),
);

/** The names of a version's transcripts, without an ending. */
export const namesOf = (version: string): string[] =>
  globSync("*.sse", { cwd: join(transcriptsFolder, version) })
    .map((file) => file.slice(0, -".sse".length))
    .sort();

export const readBytes = (version: string, name: string): Uint8Array<ArrayBuffer> =>
  new Uint8Array(readFileSync(join(transcriptsFolder, version, `${name}.sse`)));

const readJson = (...path: string[]) => JSON.parse(readFileSync(join(transcriptsFolder, ...path), "utf8"));

export const readTranscript = (version: string, name: string): Transcript =>
  readJson(version, `${name}.json`);

/** The message that a page shows at the end of a transcript. */
export const readMessage = (version: string, name: string): AssistantMessage =>
  readJson(version, "messages", `${name}.json`);

/** The name of the list of hashes, which `sha256sum --check` reads. */
export const sumsFile = "SHA256SUMS";

export const hashOf = (content: Uint8Array | string): string =>
  createHash("sha256").update(content).digest("hex");

/** @returns the list of hashes that the files of a version should have. */
export const hashFiles = (version: string): string =>
  globSync("{,messages/}*.{json,sse}", { cwd: join(transcriptsFolder, version) })
    .sort()
    .map((file) => {
      const bytes = readFileSync(join(transcriptsFolder, version, file));
      return `${hashOf(bytes)}  ${file}\n`;
    })
    .join("");

/** Reads a body with the decoder, and folds its message. */
export function readHere(
  bytes: Uint8Array,
): Pick<Transcript, "complete" | "outcome" | "entries"> & { message: AssistantMessage } {
  const entries: Transcript["entries"] = [];
  const decoder = createChunkDecoder({
    onUnknownChunk: (chunk) => entries.push({ chunk: chunk as StreamChunk, unknown: true }),
  });
  let isViolated = false;
  decoder.push(bytes);
  try {
    for (let chunk = decoder.next(); chunk !== undefined; chunk = decoder.next()) {
      entries.push({ chunk, ...(decoder.lastEventId !== "" && { eventId: decoder.lastEventId }) });
    }
  } catch (error) {
    if (!isStreamError(error)) throw error;
    isViolated = true;
  }
  const chunks = entries.map(({ chunk }) => chunk);
  const complete = decoder.complete && !isViolated;
  const outcome = isViolated ? "violation" : complete ? outcomeOf(chunks) : "truncated";
  return { complete, outcome, entries, message: foldMessage(chunks) };
}

function outcomeOf(chunks: (StreamChunk | UnknownChunk)[]): Outcome {
  if (chunks.at(-1)?.type === "abort") return "aborted";
  let error: ReturnType<typeof reduceStreamError>;
  for (const chunk of chunks) error = reduceStreamError(error, chunk);
  return error === undefined ? "done" : "failed";
}

/** The message as JSON, which has no fields of `undefined`. */
function foldMessage(chunks: StreamChunk[]): AssistantMessage {
  const accumulator = createMessageAccumulator();
  for (const chunk of chunks) accumulator.apply(chunk);
  accumulator.finish();
  return JSON.parse(JSON.stringify(accumulator.message));
}
