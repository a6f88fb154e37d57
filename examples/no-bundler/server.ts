import { createChatRoute } from "@kortyx/server";
import { toNodeHandler } from "@kortyx/server/node";
import express from "express";
import { agent } from "./agent.ts";

const app = express();
app.all("/api/chat", toNodeHandler(createChatRoute({ agent }).fetch));
app.use(express.static("public"));
for (const name of ["@kortyx/client", "@kortyx/protocol", "eventsource-parser"]) {
  app.use(`/modules/${name}`, express.static(`node_modules/${name}/dist`));
}

const server = app.listen(Number(process.env.PORT ?? 3000), "localhost", () => {
  console.info("http://localhost:%d", (server.address() as { port: number }).port);
});
