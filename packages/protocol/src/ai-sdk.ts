/** The wire of the AI SDK, UI Message Stream v1: chunks as its events, and its requests as ours. Pure mappings. */
export type { ChunkTranslator } from "./chunk-translator.ts";
