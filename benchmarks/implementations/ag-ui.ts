/** AG-UI: its encoder on the server, and the event pipeline of its `HttpAgent` on the client. */
import {
  type BaseEvent,
  enforceEvents,
  runHttpRequest,
  transformChunks,
  transformHttpEventStream,
  verifyEvents,
} from "@ag-ui/client";
import { EventEncoder } from "@ag-ui/encoder";
import { toAgUiEvents } from "./ag-ui-events.ts";
import { eventStreamResponse, type Implementation, type Source } from "./implementation.ts";

const utf8 = new TextEncoder();

export const implementation: Implementation = {
  title: "AG-UI",
  packages: ["@ag-ui/encoder", "@ag-ui/client"],
  form:
    "`new EventEncoder().encodeSSE(event)`, enqueued or written one by one; `transformHttpEventStream`, `enforceEvents`, " +
    "`transformChunks` and `verifyEvents` as `HttpAgent` pipes them, validated; no heartbeats",

  translate: toAgUiEvents,

  encode(source: Source) {
    const encoder = new EventEncoder();
    const iterator = source[Symbol.asyncIterator]();
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        const { done, value } = await iterator.next();
        if (done) controller.close();
        else controller.enqueue(utf8.encode(encoder.encodeSSE(value as BaseEvent)));
      },
      cancel: () => void iterator.return?.(),
    });
    return eventStreamResponse(body);
  },

  decode: (body, onChunk) =>
    new Promise((resolve, reject) => {
      const response = Promise.resolve(eventStreamResponse(body));
      transformHttpEventStream(runHttpRequest(() => response))
        .pipe(enforceEvents(), transformChunks(), verifyEvents())
        .subscribe({ next: onChunk, error: reject, complete: resolve });
    }),

  async serve(source, _req, res) {
    const encoder = new EventEncoder();
    res.writeHead(200, { "content-type": encoder.getContentType(), "cache-control": "no-cache" });
    for await (const event of source) res.write(encoder.encodeSSE(event as BaseEvent));
    res.end();
  },
};
