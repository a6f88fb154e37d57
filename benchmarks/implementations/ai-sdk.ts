/** Vercel AI SDK: UI message streams, with the helpers that its transport and its documentation use. */
import {
  createUIMessageStreamResponse,
  parseJsonEventStream,
  pipeUIMessageStreamToResponse,
  readUIMessageStream,
  type UIMessageChunk,
  uiMessageChunkSchema,
} from "ai";
import type { StreamChunk } from "../../packages/protocol/dist/index.js";
import type { Implementation, Source } from "./implementation.ts";

// The DOM types, with which everything else is checked, do not have it yet.
const { from } = ReadableStream as unknown as { from(source: Source): ReadableStream<UIMessageChunk> };
const toStream = (source: Source) => from.call(ReadableStream, source);

function toPart(chunk: StreamChunk): unknown {
  switch (chunk.type) {
    case "text-delta":
      return { type: "text-delta", id: "text-1", delta: chunk.delta };
    case "tool-call-start":
      return { type: "tool-input-start", toolCallId: chunk.toolCallId, toolName: chunk.tool };
    case "tool-call-delta":
      return { type: "tool-input-delta", toolCallId: chunk.toolCallId, inputTextDelta: chunk.delta };
    case "tool-call-ready":
      return {
        type: "tool-input-available",
        toolCallId: chunk.toolCallId,
        toolName: chunk.tool,
        input: chunk.input,
      };
    case "tool-call-result":
      return { type: "tool-output-available", toolCallId: chunk.toolCallId, output: chunk.content };
    case "structured-data":
      return {
        type: `data-${chunk.dataType}`,
        id: chunk.streamId,
        data: "value" in chunk ? chunk.value : "delta" in chunk ? chunk.delta : null,
      };
    case "status":
      return { type: "data-status", data: chunk.message, transient: true };
    default:
      throw new Error(`No ${chunk.type} here.`);
  }
}

export const implementation: Implementation = {
  title: "AI SDK",
  packages: ["ai"],
  form:
    "`createUIMessageStreamResponse({ stream })`; `parseJsonEventStream({ stream, schema: uiMessageChunkSchema })`, " +
    "validated, as its transport reads; `pipeUIMessageStreamToResponse`; `readUIMessageStream`; heartbeats by `keepAliveMs`",

  translate: (chunks) => [
    { type: "start", messageId: "message-1" },
    { type: "text-start", id: "text-1" },
    ...chunks.map(toPart),
    { type: "text-end", id: "text-1" },
    { type: "finish" },
  ],

  encode: (source) => createUIMessageStreamResponse({ stream: toStream(source), keepAliveMs: 8000 }),

  async decode(body, onChunk) {
    const results = parseJsonEventStream({ stream: body, schema: uiMessageChunkSchema });
    const parts = results.pipeThrough(
      new TransformStream<Awaited<ReturnType<typeof readResult>>, UIMessageChunk>({
        transform(result, controller) {
          if (!result.success) throw result.error;
          controller.enqueue(result.value);
        },
      }),
    );
    for await (const part of parts) onChunk(part);
    async function readResult() {
      return (await results.getReader().read()).value!;
    }
  },

  serve: (source, _req, res) =>
    pipeUIMessageStreamToResponse({ response: res, stream: toStream(source), keepAliveMs: 8000 }),

  async accumulate(source, onMessage) {
    for await (const message of readUIMessageStream({ stream: toStream(source) })) onMessage(message);
  },
};
