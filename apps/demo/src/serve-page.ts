/**
 * Serves the built page, with the headers that keep everything else out of it.
 */
import { serveStatic } from "@hono/node-server/serve-static";
import { Hono, type MiddlewareHandler } from "hono";
import { secureHeaders } from "hono/secure-headers";

/** The page needs nothing from elsewhere, no inline script or style, and no `eval`. */
const pageSecurity = secureHeaders({
  contentSecurityPolicy: {
    defaultSrc: ["'self'"],
    baseUri: ["'none'"],
    formAction: ["'self'"],
    frameAncestors: ["'none'"],
    objectSrc: ["'none'"],
  },
  referrerPolicy: "no-referrer",
  xContentTypeOptions: "nosniff",
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

/** @param folder - Where the page was built to. */
export function servePage(folder: string): Hono {
  return new Hono().get("*", pageSecurity, pageCache, serveStatic({ root: folder }));
}
