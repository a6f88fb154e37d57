/** Hono's streaming helper. It has no reader. */
import { Hono } from "hono";
import { streamSSE } from "hono/streaming";
import type { Implementation, Source } from "./implementation.ts";

let source: Source;

const app = new Hono().get("/", (context) => {
  const own = source;
  return streamSSE(context, async (stream) => {
    for await (const chunk of own) {
      // As in its documentation; the loop is not notified when a client disconnects.
      if (stream.aborted) return;
      await stream.writeSSE({ data: JSON.stringify(chunk) });
    }
  });
});

export const implementation: Implementation = {
  title: "Hono `streamSSE`",
  packages: ["hono"],
  form: "`streamSSE(c, async (stream) => { … await stream.writeSSE({ data: JSON.stringify(chunk) }) })`; no heartbeats",

  encode(given) {
    source = given;
    return app.fetch(new Request("http://localhost/"));
  },
};
