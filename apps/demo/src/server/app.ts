/**
 * The demo as one web-standard application: the chat route, the pages that answers link to, and the built page. Names the visitors
 * by a cookie: a demo has no login, and runs need an owner. Opens no port.
 */
import { serveStatic } from "@hono/node-server/serve-static";
import { type ChatRouteOptions, createChatRoute, type RunStore } from "@kortyx/server";
import { Hono, type MiddlewareHandler } from "hono";
import { setCookie } from "hono/cookie";
import { secureHeaders } from "hono/secure-headers";

export interface AppOptions {
  agent: ChatRouteOptions["agent"];
  /** Keeps the answers, so that they survive a reload and can be stopped from any tab. */
  store?: RunStore | undefined;
  /** Signs the questions and calls that wait. @defaultValue random: other processes cannot read the answers */
  resumeSecret?: string | undefined;
  /** What `/docs/<name>` serves: Markdown by name. */
  documents?: ReadonlyMap<string, string> | undefined;
  /** The folder of the built page. Without it, there is only the API. */
  pageFolder?: string | undefined;
}

/** How long a model may be silent. */
const sourceIdleTimeoutMs = 120_000;

/** Creates the application; `app.request("/api/chat", …)` drives it without a port. */
export function createApp(options: AppOptions): Hono {
  const { agent, store, resumeSecret = crypto.randomUUID(), documents, pageFolder } = options;
  const app = new Hono();

  const runs = store && { runs: { store }, authorize: readVisitor };
  const route = createChatRoute({ agent, sourceIdleTimeoutMs, resumeSecret, ...runs });
  // `curl` sends a question without a page. To follow or stop the answer, it sends the cookie that came with it.
  if (store !== undefined) app.post("/api/chat", welcomeVisitor);
  app.all("/api/chat", (c) => route.fetch(c.req.raw));

  app.get("/docs/:name", (c) => {
    const markdown = documents?.get(c.req.param("name"));
    if (markdown === undefined) return c.notFound();
    // Browsers show plain text, and download Markdown.
    return c.text(markdown, 200, { "cache-control": "no-cache", "x-content-type-options": "nosniff" });
  });

  if (pageFolder !== undefined) {
    app.use("/", welcomeVisitor);
    app.get("*", pageSecurity, pageCache, serveStatic({ root: pageFolder }));
  }

  app.notFound((c) => c.json({ error: "There is nothing here.", code: "not-found" }, 404));
  app.onError((error, c) => {
    console.error(error);
    return c.json({ error: "Something went wrong on the server.", code: "internal" }, 500);
  });
  return app;
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

/** Names in `assets/` contain a hash of the content; browsers check everything else at each visit. */
const pageCache: MiddlewareHandler = async (c, next) => {
  await next();
  const isHashed = c.res.ok && c.req.path.startsWith("/assets/");
  c.header("cache-control", isHashed ? "public, max-age=31536000, immutable" : "no-cache");
};

const cookieName = "visitor";
const maxAgeSeconds = 60 * 60 * 24 * 365;

/** The visitors whose first request is in progress: it has no cookie yet. */
const newVisitors = new WeakMap<Request, string>();

/** A request without the cookie is from a new visitor, and its response sets one that no script can read. */
const welcomeVisitor: MiddlewareHandler = async (c, next) => {
  const request = c.req.raw;
  if (readVisitor(request) !== null) return next();
  const visitor = crypto.randomUUID();
  newVisitors.set(request, visitor);
  await next();
  setCookie(c, cookieName, visitor, { httpOnly: true, sameSite: "Strict", path: "/", maxAge: maxAgeSeconds });
};

/** @returns the owner of the visitor's runs; `null` for a request without the cookie that was not welcomed. */
function readVisitor(request: Request): string | null {
  const cookies = request.headers.get("cookie") ?? "";
  const [, visitor] = /(?:^|;\s*)visitor=([\w-]{1,64})(?:;|$)/.exec(cookies) ?? [];
  return visitor ?? newVisitors.get(request) ?? null;
}
