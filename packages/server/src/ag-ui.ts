/** AG-UI: its events as chunks, and its wire, which `HttpAgent` reads, as an option of a route. */

// Read the streams of agents

export type { AdapterOptions, ModelStream, ModelToolCall, ModelTurn } from "./adapters/model-stream.ts";

// Write streams for clients

export {
  type AGUIEvent,
  type AGUIRequestBody,
  type AGUITranslatorOptions,
  type ChunkTranslator,
  createAGUITranslator,
  fromAGUIRequest,
  isAGUIRequest,
  toAGUI,
} from "@kortyx/protocol/ag-ui";

// Speak to clients

export { agUIWire } from "./wires/ag-ui-wire.ts";
