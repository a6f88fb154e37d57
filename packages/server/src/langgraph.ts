/** Streams of LangGraph as chunks, and conversations as its input. */
export {
  type LangChainBlock,
  type LangChainMessage,
  type LangChainToolCall,
  toLangChainMessages,
  toLangChainResults,
} from "./adapters/langchain-messages.ts";
export {
  fromLangGraph,
  type LangGraphOptions,
  type LangGraphOrigin,
  type LangGraphRun,
} from "./adapters/langgraph.ts";
export type {
  LangGraphEvent,
  LangGraphItem,
  LangGraphSDKEvent,
  LangGraphSubgraphItem,
} from "./adapters/langgraph-events.ts";
export { toResumeMap } from "./adapters/langgraph-interrupts.ts";
export type { HistoryOptions } from "./adapters/model-history.ts";
export type { AdapterOptions, ModelStream, ModelToolCall, ModelTurn } from "./adapters/model-stream.ts";
