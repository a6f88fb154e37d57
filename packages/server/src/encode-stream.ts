/**
 * The pump as a web-standard body: a `ReadableStream` of bytes. Knows nothing of HTTP.
 */
import type { StreamOptions } from "./stream-options.ts";
import { createStreamPump, type StreamPump, type StreamSink } from "./stream-pump.ts";
import type { StreamSource } from "./stream-source.ts";

const encoder = new TextEncoder();

/** Takes a piece of the usual length, of characters of three bytes each. */
const scratch = new Uint8Array(3 * 18 * 1024);

/** As `TextEncoder.encode`, but a fifth faster for texts in other scripts: the length is known when memory is taken. */
function toBytes(text: string): Uint8Array {
  if (3 * text.length > scratch.length) return encoder.encode(text);
  return scratch.slice(0, encoder.encodeInto(text, scratch).written);
}

/**
 * Encodes a source of chunks. A reader that does not read stops the source after one or two pieces. The stream never
 * errors: a source that fails ends it with an `error` chunk and `[DONE]`.
 */
export const encodeStream = (
  source: StreamSource,
  options: StreamOptions = {},
  onOpen?: StreamSink["onOpen"],
): ReadableStream<Uint8Array> =>
  encodePump((sink) => createStreamPump(source, options, { ...(onOpen && { onOpen }), ...sink }));

/** Makes a body of whatever a pump writes. */
export function encodePump(createPump: (sink: StreamSink) => StreamPump): ReadableStream<Uint8Array> {
  let pump: StreamPump;
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        pump = createPump({
          write(text) {
            const piece = toBytes(text);
            controller.enqueue(piece);
            return piece.length;
          },
          close: () => controller.close(),
        });
      },
      pull: () => pump.pull(),
      cancel: (reason) => pump.cancel(reason),
    },
    { highWaterMark: 1 },
  );
}
