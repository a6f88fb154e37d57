import { createChatRoute } from "@kortyx/server";
import { toNodeHandler } from "@kortyx/server/node";
import express from "express";
import { agent } from "./agent.ts";

const route = createChatRoute({ agent });

const app = express();
app.all("/api/chat", toNodeHandler(route.fetch));
app.use(express.static("dist"));

const server = app.listen(Number(process.env.PORT ?? 3000), "localhost", () => {
  console.info("http://localhost:%d", (server.address() as { port: number }).port);
});
