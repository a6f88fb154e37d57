/**
 * The demo as one web-standard application: the chat route, the documents that answers link to, and the built page.
 * Opens no port.
 */
import { type ChatRouteOptions, createChatRoute, type RunStore } from "@kortyx/server";
import { Hono } from "hono";
import { servePage } from "./serve-page.ts";
import { readVisitor, welcomeVisitor } from "./visitor.ts";

export interface AppOptions {
  agent: ChatRouteOptions["agent"];
  /** Keeps the answers, so that they survive a reload and can be stopped from any tab. */
  store?: RunStore | undefined;
  /** Gives the source of a document that `/docs/<path>` serves. */
  readDocument?: ((path: string) => Promise<string | undefined>) | undefined;
  /** The folder of the built page. Without it there is only the API. */
  pageFolder?: string | undefined;
}

/** Creates the application; `app.request("/api/chat", …)` drives it without a port. */
export function createApp({ agent, store, readDocument, pageFolder }: AppOptions): Hono {
  const app = new Hono();

  const route = createChatRoute({ agent, ...(store && { runs: { store }, authorize: readVisitor }) });
  // A question may come without a page, by `curl`. To follow or stop an answer takes the cookie that came with it.
  if (store !== undefined) app.post("/api/chat", welcomeVisitor);
  app.all("/api/chat", (c) => route.fetch(c.req.raw));

  app.get("/docs/:path{.+}", async (c) => {
    const source = await readDocument?.(c.req.param("path"));
    if (source === undefined) return c.notFound();
    // Browsers show plain text, and offer Markdown as a download.
    return c.text(source, 200, { "cache-control": "no-cache", "x-content-type-options": "nosniff" });
  });

  if (pageFolder !== undefined) {
    app.use("/", welcomeVisitor);
    app.route("/", servePage(pageFolder));
  }

  app.notFound((c) => c.json({ error: "There is nothing here.", code: "not-found" }, 404));
  app.onError((error, c) => {
    console.error(error);
    return c.json({ error: "Something went wrong on the server.", code: "internal" }, 500);
  });
  return app;
}
