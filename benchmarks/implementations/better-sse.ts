/** better-sse: sessions that push. It has no reader. */
import { createResponse, createSession } from "better-sse";
import type { Implementation } from "./implementation.ts";

export const implementation: Implementation = {
  title: "better-sse",
  packages: ["better-sse"],
  form: "`createResponse(request, callback)` or `createSession(req, res)`, and `session.iterate(source)`; heartbeats by `keepAlive`",

  encode(source) {
    // A session over the Fetch API ends only when its request does.
    const left = new AbortController();
    const request = new Request("http://localhost/", { signal: left.signal });
    return createResponse(request, { keepAlive: 8000 }, (session) => {
      void session.iterate(source as AsyncIterable<unknown>).then(() => left.abort());
    });
  },

  async serve(source, req, res) {
    const session = await createSession(req, res, { keepAlive: 8000 });
    await session.iterate(source as AsyncIterable<unknown>);
    res.end();
  },
};
