/** tRPC's SSE subscriptions, through its own adapters. Its reader is an `EventSource`, which Node does not have. */
import { initTRPC } from "@trpc/server";
import { fetchRequestHandler } from "@trpc/server/adapters/fetch";
import { nodeHTTPRequestHandler } from "@trpc/server/adapters/node-http";
import type { Implementation, Source } from "./implementation.ts";

const t = initTRPC
  .context<{ source: Source }>()
  .create({ sse: { ping: { enabled: true, intervalMs: 8000 } } });

const router = t.router({
  chunks: t.procedure.subscription(async function* ({ ctx }) {
    yield* ctx.source;
  }),
});

export const implementation: Implementation = {
  title: "tRPC",
  packages: ["@trpc/server"],
  form: "a `subscription` that is an async generator, `fetchRequestHandler` or `nodeHTTPRequestHandler`; heartbeats by `sse.ping`",

  encode: (source) =>
    fetchRequestHandler({
      endpoint: "",
      req: new Request("http://localhost/chunks", { headers: { accept: "text/event-stream" } }),
      router,
      createContext: () => ({ source }),
    }),

  serve: (source, req, res) =>
    nodeHTTPRequestHandler({ req, res, router, path: "chunks", createContext: async () => ({ source }) }),
};
