import type { AddressInfo } from "node:net";
import { createChatRoute } from "@kortyx/server";
import { toNodeHandler } from "@kortyx/server/node";
import express from "express";
import { agent } from "./agent.ts";

const route = createChatRoute({ agent });

const app = express();
app.all("/api/chat", toNodeHandler(route.fetch));
app.use(express.static("public"));
for (const name of ["@kortyx/client", "@kortyx/protocol", "eventsource-parser"]) {
  app.use(`/modules/${name}`, express.static(`node_modules/${name}/dist`));
}

const server = app.listen(Number(process.env.PORT ?? 3000), "localhost", () => {
  console.info(`http://localhost:${(server.address() as AddressInfo).port}`);
});
