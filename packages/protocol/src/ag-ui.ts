/** The events of AG-UI: chunks as its events, and its requests as ours. Pure mappings. */
export type { ChunkTranslator } from "./chunk-translator.ts";
