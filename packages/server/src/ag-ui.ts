/** AG-UI: its events as chunks, and its wire, which `HttpAgent` reads, as an option of a route. */
export type { AdapterOptions, ModelStream, ModelToolCall, ModelTurn } from "./adapters/model-stream.ts";
