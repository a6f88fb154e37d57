/** eventsource-parser as a transform stream: the core of most hand-written clients. */
import { EventSourceParserStream } from "eventsource-parser/stream";
import type { Implementation } from "./implementation.ts";

export const implementation: Implementation = {
  title: "eventsource-parser/stream",
  packages: ["eventsource-parser"],
  isUnvalidated: true,
  form: "`body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream())`, `JSON.parse`",

  async decode(body, onChunk) {
    const decoder = new TextDecoderStream() as unknown as TransformStream<Uint8Array, string>;
    for await (const { data } of body.pipeThrough(decoder).pipeThrough(new EventSourceParserStream())) {
      if (data !== "[DONE]") onChunk(JSON.parse(data));
    }
  },
};
