/** Streams of OpenAI, and of every API that is compatible with it, as chunks; and conversations as its requests. */
export type { AdapterOptions, ModelStream, ModelToolCall, ModelTurn } from "./adapters/model-stream.ts";
