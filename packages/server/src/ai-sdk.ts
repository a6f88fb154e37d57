/** The AI SDK: its streams as chunks, and its wire, which `useChat` reads, as an option of a route. */
export type { AdapterOptions, ModelStream, ModelToolCall, ModelTurn } from "./adapters/model-stream.ts";
