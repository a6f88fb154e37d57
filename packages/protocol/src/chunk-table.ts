/**
 * The fields of every chunk, for the checker: the rules of `chunk-schemas.ts` at a fraction of its size and time, so that
 * readers need no zod. Generated: change the schemas, then run `node packages/protocol/generate-chunk-table.ts`.
 */
import type { ObjectType } from "./chunk-shape.ts";
import type { StreamChunkType } from "./chunks.ts";

export const chunkTable: Readonly<Record<StreamChunkType, ObjectType>> = {
  session: { required: { sessionId: "string" } },
  "run-start": {
    required: { runId: "string" },
    optional: { sessionId: "string", continues: "string", acceptsParts: "boolean" },
  },
  checkpoint: {
    required: { id: "string", sessionId: "string", turnIndex: "natural" },
    optional: { label: "string" },
  },
  trace: { required: { traceId: "string", spanId: "string", runId: "string", rootSpanName: "string" } },
  status: { required: { message: "string" }, optional: { node: "string" } },
  message: { required: { content: "string" }, optional: { node: "string" } },
  "text-start": {
    optional: {
      segmentId: "string",
      providerMetadata: "record",
      node: "string",
      id: "string",
      opId: "string",
    },
  },
  "text-delta": {
    required: { delta: "string" },
    optional: {
      segmentId: "string",
      providerMetadata: "record",
      node: "string",
      id: "string",
      opId: "string",
    },
  },
  "text-end": {
    optional: {
      segmentId: "string",
      providerMetadata: "record",
      node: "string",
      id: "string",
      opId: "string",
      citations: {
        listOf: {
          required: { sourceId: "string" },
          optional: { start: "natural", end: "natural", quote: "string", providerMetadata: "record" },
        },
      },
    },
  },
  "reasoning-start": {
    optional: {
      segmentId: "string",
      providerMetadata: "record",
      node: "string",
      id: "string",
      opId: "string",
    },
  },
  "reasoning-delta": {
    required: { delta: "string" },
    optional: {
      segmentId: "string",
      providerMetadata: "record",
      node: "string",
      id: "string",
      opId: "string",
    },
  },
  "reasoning-end": {
    optional: {
      segmentId: "string",
      providerMetadata: "record",
      node: "string",
      id: "string",
      opId: "string",
    },
  },
  "tool-call-start": {
    required: { tool: "string", toolCallId: "string" },
    optional: {
      node: "string",
      id: "string",
      opId: "string",
      executor: "string",
      title: "string",
      inputFormat: "string",
      parentSegmentId: "string",
      isDynamic: "boolean",
      providerMetadata: "record",
    },
  },
  "tool-call-delta": {
    required: { toolCallId: "string", delta: "string" },
    optional: { tool: "string", node: "string", id: "string", opId: "string" },
  },
  "tool-call-ready": {
    required: { tool: "string", toolCallId: "string", input: "JSON" },
    optional: {
      node: "string",
      id: "string",
      opId: "string",
      executor: "string",
      title: "string",
      inputFormat: "string",
      parentSegmentId: "string",
      isDynamic: "boolean",
      providerMetadata: "record",
      resumeToken: "string",
    },
  },
  "tool-call-progress": {
    required: { tool: "string", toolCallId: "string", content: "JSON" },
    optional: { node: "string", id: "string", opId: "string" },
  },
  "tool-call-result": {
    required: { tool: "string", toolCallId: "string", content: "JSON" },
    optional: {
      node: "string",
      id: "string",
      opId: "string",
      providerMetadata: "record",
      isError: "boolean",
    },
  },
  "tool-call-error": {
    required: { tool: "string", toolCallId: "string", message: "string" },
    optional: { node: "string", id: "string", opId: "string", code: "string", providerMetadata: "record" },
  },
  "tool-call-denied": {
    required: { tool: "string", toolCallId: "string" },
    optional: { node: "string", id: "string", opId: "string", reason: "string" },
  },
  "tool-result": { required: { content: "JSON" }, optional: { tool: "string", node: "string" } },
  "structured-data": {
    kinds: {
      set: {
        required: { streamId: "string", dataType: "string", path: "string", value: "JSON" },
        optional: { schemaId: "string", schemaVersion: "string", id: "string", node: "string" },
      },
      append: {
        required: { streamId: "string", dataType: "string", path: "string", items: { listOf: "JSON" } },
        optional: { schemaId: "string", schemaVersion: "string", id: "string", node: "string" },
      },
      "text-delta": {
        required: { streamId: "string", dataType: "string", path: "string", delta: "string" },
        optional: { schemaId: "string", schemaVersion: "string", id: "string", node: "string" },
      },
      final: {
        required: { streamId: "string", dataType: "string", data: "JSON" },
        optional: { schemaId: "string", schemaVersion: "string", id: "string", node: "string" },
      },
    },
  },
  "structured-data-invalidated": { required: { streamId: "string", checkpointId: "string" } },
  interrupt: {
    required: {
      requestId: "string",
      resumeToken: "string",
      input: {
        kinds: {
          text: {
            required: { multiple: "boolean" },
            optional: {
              id: "string",
              schemaId: "string",
              schemaVersion: "string",
              meta: "record",
              question: "string",
            },
          },
          json: {
            optional: {
              id: "string",
              schemaId: "string",
              schemaVersion: "string",
              meta: "record",
              multiple: "boolean",
              question: "string",
              schema: "record",
            },
          },
          choice: {
            required: {
              multiple: "boolean",
              question: "string",
              options: {
                listOf: { required: { id: "string", label: "string" }, optional: { description: "string" } },
              },
            },
            optional: { id: "string", schemaId: "string", schemaVersion: "string", meta: "record" },
          },
          "multi-choice": {
            required: {
              multiple: "boolean",
              question: "string",
              options: {
                listOf: { required: { id: "string", label: "string" }, optional: { description: "string" } },
              },
            },
            optional: { id: "string", schemaId: "string", schemaVersion: "string", meta: "record" },
          },
        },
        allowsOtherKinds: true,
      },
    },
    optional: {
      workflow: "string",
      schemaId: "string",
      schemaVersion: "string",
      meta: "record",
      toolCallId: "string",
      reason: "string",
      expiresAt: "finite",
      isAutomatic: "boolean",
      node: "string",
      id: "string",
      opId: "string",
    },
  },
  "interrupt-resolved": {
    required: { requestId: "string", outcome: "string" },
    optional: { isAutomatic: "boolean", reason: "string" },
  },
  source: {
    required: { id: "string" },
    optional: {
      url: "string",
      title: "string",
      mediaType: "string",
      name: "string",
      providerMetadata: "record",
      node: "string",
    },
  },
  file: {
    required: { mediaType: "string", url: "string" },
    optional: {
      name: "string",
      id: "string",
      toolCallId: "string",
      isReasoning: "boolean",
      providerReference: "record",
      providerMetadata: "record",
      node: "string",
    },
  },
  data: {
    required: { name: "string", data: "JSON" },
    optional: { id: "string", transient: "boolean", providerMetadata: "record", node: "string" },
  },
  metadata: { required: { metadata: "record" } },
  "part-metadata": {
    required: { providerMetadata: "record" },
    optional: { segmentId: "string", toolCallId: "string", isResult: "boolean" },
  },
  "step-start": {
    required: { stepId: "string" },
    optional: { name: "string", node: "string", id: "string", opId: "string" },
  },
  "step-end": {
    required: { stepId: "string" },
    optional: {
      finishReason: "string",
      usage: {
        optional: {
          inputTokens: "finite",
          outputTokens: "finite",
          totalTokens: "finite",
          reasoningTokens: "finite",
          cachedInputTokens: "finite",
          cacheWriteInputTokens: "finite",
        },
      },
      model: "string",
      node: "string",
      id: "string",
      opId: "string",
    },
  },
  transition: { required: { transitionTo: "string" } },
  error: {
    required: { message: "string" },
    optional: { code: "string", retryable: "boolean", retryAfterMs: "finite", correlationId: "string" },
  },
  abort: { required: { reason: "string" } },
  done: {
    optional: {
      finishReason: "string",
      usage: {
        optional: {
          inputTokens: "finite",
          outputTokens: "finite",
          totalTokens: "finite",
          reasoningTokens: "finite",
          cachedInputTokens: "finite",
          cacheWriteInputTokens: "finite",
        },
      },
      usageByModel: {
        listOf: {
          optional: {
            inputTokens: "finite",
            outputTokens: "finite",
            totalTokens: "finite",
            reasoningTokens: "finite",
            cachedInputTokens: "finite",
            cacheWriteInputTokens: "finite",
            provider: "string",
            model: "string",
          },
        },
      },
      pendingToolCallIds: { listOf: "string" },
    },
  },
};
