/** eventsource-parser with callbacks: the minimum cost of its grammar. */
import { createParser } from "eventsource-parser";
import type { Implementation } from "./implementation.ts";

export const implementation: Implementation = {
  title: "eventsource-parser",
  packages: ["eventsource-parser"],
  isUnvalidated: true,
  form: "`reader.read()`, `TextDecoder`, `parser.feed(text)`, `JSON.parse` in `onEvent`",

  async decode(body, onChunk) {
    const parser = createParser({
      onEvent: ({ data }) => {
        if (data !== "[DONE]") onChunk(JSON.parse(data));
      },
    });
    const reader = body.getReader();
    const decoder = new TextDecoder();
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      parser.feed(decoder.decode(read.value, { stream: true }));
    }
  },
};
