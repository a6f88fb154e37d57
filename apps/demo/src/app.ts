/**
 * The demo as one web-standard application: the chat route, the documents that answers link to, and the built page.
 * Opens no port.
 */
import { serveStatic } from "@hono/node-server/serve-static";
import { type ChatAgent, createChatRoute } from "@kortyx/server";
import { Hono, type MiddlewareHandler } from "hono";
import { secureHeaders } from "hono/secure-headers";

export interface AppOptions {
  agent: ChatAgent;
  /** Gives the source of a document that `/docs/<path>` serves. */
  readDocument?: ((path: string) => Promise<string | undefined>) | undefined;
  /** The folder of the built page. Without it there is only the API. */
  pageFolder?: string | undefined;
}

/** The page needs nothing from elsewhere, no inline script or style, and no `eval`. */
const pageSecurity = secureHeaders({
  contentSecurityPolicy: {
    defaultSrc: ["'self'"],
    baseUri: ["'none'"],
    formAction: ["'self'"],
    frameAncestors: ["'none'"],
    objectSrc: ["'none'"],
  },
  xFrameOptions: "DENY",
  // The demo is served over plain http.
  strictTransportSecurity: false,
});

/** Names in `assets/` hold a hash of the content; everything else is asked for again. */
const pageCache: MiddlewareHandler = async (c, next) => {
  await next();
  const isHashed = c.res.ok && c.req.path.startsWith("/assets/");
  c.header("cache-control", isHashed ? "public, max-age=31536000, immutable" : "no-cache");
};

/** Creates the application; `app.request("/api/chat", …)` drives it without a port. */
export function createApp({ agent, readDocument, pageFolder }: AppOptions): Hono {
  const app = new Hono();
  const route = createChatRoute({ agent });

  app.onError((error, c) => {
    console.error(error);
    return c.json({ error: "Something went wrong on the server.", code: "internal" }, 500);
  });
  app.notFound((c) => c.json({ error: "There is nothing here.", code: "not-found" }, 404));

  app.all("/api/chat", (c) => route.fetch(c.req.raw));

  app.get("/docs/:path{.+}", async (c) => {
    const source = await readDocument?.(c.req.param("path"));
    if (source === undefined) return c.notFound();
    // Browsers show plain text, and offer Markdown as a download.
    return c.text(source, 200, { "cache-control": "no-cache", "x-content-type-options": "nosniff" });
  });

  if (pageFolder !== undefined) {
    app.get("*", pageSecurity, pageCache, serveStatic({ root: pageFolder }));
  }
  return app;
}
