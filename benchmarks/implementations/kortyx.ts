/** Our packages as published: the build output, imported by path, so that the guard needs no installation. */
import { readStream } from "../../packages/client/dist/index.js";
import { createMessageAccumulator, type StreamChunk } from "../../packages/protocol/dist/index.js";
import { toSSE } from "../../packages/server/dist/index.js";
import { sendStream } from "../../packages/server/dist/node.js";
import type { Implementation } from "./implementation.ts";

type Chunks = AsyncIterable<StreamChunk>;

export const implementation: Implementation = {
  title: "Kortyx",
  packages: [],
  form: "`toSSE(source)`; `for await (const chunk of readStream(body))`, validated; `sendStream(req, res, source)`; `createMessageAccumulator`; heartbeats as by default",

  encode: (source) => toSSE(source as Chunks),

  async decode(body, onChunk) {
    for await (const chunk of readStream(body)) onChunk(chunk);
  },

  serve: (source, req, res) => sendStream(req, res, source as Chunks),

  async accumulate(source, onMessage) {
    const accumulator = createMessageAccumulator();
    for await (const chunk of source as Chunks) {
      accumulator.apply(chunk);
      onMessage(accumulator.message);
    }
  },
};
