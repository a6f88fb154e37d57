import { serve } from "@hono/node-server";
import { serveStatic } from "@hono/node-server/serve-static";
import { createChatRoute } from "@kortyx/server";
import { Hono } from "hono";
import { agent } from "./agent.ts";

const route = createChatRoute({ agent });

const app = new Hono();
app.all("/api/chat", (c) => route.fetch(c.req.raw));
app.use(serveStatic({ root: "dist" }));

const options = { fetch: app.fetch, hostname: "localhost", port: Number(process.env.PORT ?? 3000) };
serve(options, ({ port }) => console.info(`http://localhost:${port}`));
