/** Streams of Anthropic as chunks, and conversations as its requests. */
export type { AdapterOptions, ModelStream, ModelToolCall, ModelTurn } from "./adapters/model-stream.ts";
