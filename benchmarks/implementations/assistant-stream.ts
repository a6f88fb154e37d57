/** assistant-stream (assistant-ui): its controller on the server, its SSE decoder on the client. */
import {
  AssistantMessageStream,
  AssistantStream,
  type AssistantStreamChunk,
  AssistantTransportDecoder,
  AssistantTransportEncoder,
  createAssistantStream,
} from "assistant-stream";
import type { StreamChunk } from "../../packages/protocol/dist/index.js";
import { eventStreamResponse, type Implementation, type Source } from "./implementation.ts";

const open = (source: Source) =>
  createAssistantStream(async (controller) => {
    for await (const text of source) controller.appendText(text as string);
  });

export const implementation: Implementation = {
  title: "assistant-stream",
  packages: ["assistant-stream"],
  form:
    "`createAssistantStream` with `controller.appendText(delta)`, `AssistantTransportEncoder` (its SSE wire); " +
    "`AssistantTransportDecoder`, validated; no heartbeats",

  translate: (chunks) => chunks.map((chunk) => (chunk as Extract<StreamChunk, { delta: string }>).delta),

  encode: (source) => AssistantStream.toResponse(open(source), new AssistantTransportEncoder()),

  async decode(body, onChunk) {
    const response = eventStreamResponse(body);
    const chunks = AssistantStream.fromResponse(response, new AssistantTransportDecoder());
    const reader = (chunks as ReadableStream<AssistantStreamChunk>).getReader();
    for (let read = await reader.read(); !read.done; read = await reader.read()) onChunk(read.value);
  },

  async accumulate(source, onMessage) {
    for await (const message of AssistantMessageStream.fromAssistantStream(open(source))) onMessage(message);
  },
};
