/** AG-UI: runs of its agents as chunks, and its wire, which `HttpAgent` reads, as an option of a route. */

// Read the runs of agents

export { fromAGUI } from "./adapters/ag-ui.ts";
export type { AGUIOptions, AGUISource, AGUISourceEvent } from "./adapters/ag-ui-events.ts";
export { type RunAgentInputOptions, toRunAgentInput } from "./adapters/ag-ui-input.ts";
export type {
  AGUIInput,
  AGUIInputAnswer,
  AGUIInputContext,
  AGUIInputMessage,
  AGUIInputTool,
} from "./adapters/ag-ui-run-input.ts";
export type { AGUIObservable, AGUISubscription } from "./adapters/ag-ui-source.ts";
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
