/** Streams of LangGraph as chunks, and conversations as its input. */
export type { AdapterOptions, ModelStream, ModelToolCall, ModelTurn } from "./adapters/model-stream.ts";
