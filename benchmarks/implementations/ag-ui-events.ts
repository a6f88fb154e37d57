/** Our chunks as the events of AG-UI, which TanStack AI also uses. */
import type { StreamChunk } from "../../packages/protocol/dist/index.js";

function toEvent(chunk: StreamChunk): unknown {
  switch (chunk.type) {
    case "text-delta":
      return { type: "TEXT_MESSAGE_CONTENT", messageId: "message-1", delta: chunk.delta };
    case "tool-call-start":
      return { type: "TOOL_CALL_START", toolCallId: chunk.toolCallId, toolCallName: chunk.tool };
    case "tool-call-delta":
      return { type: "TOOL_CALL_ARGS", toolCallId: chunk.toolCallId, delta: chunk.delta };
    case "tool-call-ready":
      return { type: "TOOL_CALL_END", toolCallId: chunk.toolCallId };
    case "tool-call-result": {
      const { toolCallId, content } = chunk;
      return { type: "TOOL_CALL_RESULT", messageId: "tool-1", toolCallId, content: JSON.stringify(content) };
    }
    case "structured-data":
      return {
        type: "CUSTOM",
        name: chunk.dataType,
        value: "value" in chunk ? chunk.value : "delta" in chunk ? chunk.delta : null,
      };
    case "status":
      return { type: "CUSTOM", name: "status", value: chunk.message };
    default:
      throw new Error(`No ${chunk.type} here.`);
  }
}

export const toAgUiEvents = (chunks: StreamChunk[]): unknown[] => [
  { type: "RUN_STARTED", threadId: "thread-1", runId: "run-1" },
  { type: "TEXT_MESSAGE_START", messageId: "message-1", role: "assistant" },
  ...chunks.map(toEvent),
  { type: "TEXT_MESSAGE_END", messageId: "message-1" },
  { type: "RUN_FINISHED", threadId: "thread-1", runId: "run-1" },
];
