/** The stream class of OpenAI's SDK, which only reads. */
import { Stream } from "openai/streaming";
import { eventStreamResponse, type Implementation } from "./implementation.ts";

export const implementation: Implementation = {
  title: "OpenAI `Stream`",
  packages: ["openai"],
  isUnvalidated: true,
  form: "`Stream.fromSSEResponse(response, controller)` over our bytes",

  async decode(body, onChunk) {
    const stream = Stream.fromSSEResponse<unknown>(eventStreamResponse(body), new AbortController());
    for await (const chunk of stream) onChunk(chunk);
  },
};
