/** Stop, from the client to the agent, through the body parsers of the frameworks on which a route is mounted. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createChat } from "@kortyx/client";
import { createChatRoute, createMemoryRunStore } from "@kortyx/server";
import { toNodeHandler } from "@kortyx/server/node";
import { createScriptedAgent } from "@kortyx/server/testing";
import express from "express";
import fastify from "fastify";
import { expect, test } from "vitest";
import { listen } from "./live-server.ts";

type Handler = (request: Request) => Promise<Response>;
interface Mounted {
  url: string;
  close(): unknown;
}

async function onNode(server: Server): Promise<Mounted> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/chat`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

const frameworks: [name: string, mount: (handler: Handler) => Promise<Mounted>][] = [
  ["a plain Node server", (handler) => onNode(createServer(toNodeHandler(handler)))],
  ["Hono's Node server", (handler) => listen(handler)],
  [
    "Express with its JSON parser",
    (handler) => {
      const app = express();
      app.use(express.json());
      app.all("/api/chat", toNodeHandler(handler));
      return onNode(createServer(app));
    },
  ],
  [
    "Fastify with its JSON parser",
    async (handler) => {
      const app = fastify({ forceCloseConnections: true });
      const methods = ["GET", "POST", "DELETE", "OPTIONS"];
      app.route({ method: methods, url: "/api/chat", handler: toNodeHandler(handler) as never });
      const url = await app.listen({ port: 0, host: "127.0.0.1" });
      return { url: `${url}/api/chat`, close: () => app.close() };
    },
  ],
];

test.each(frameworks)("%s: Stop ends the agent, and the chat is ready", async (_name, mount) => {
  const agent = createScriptedAgent([{ type: "text-delta", delta: "Hel" }, new Promise(() => {})]);
  const route = createChatRoute({ agent, authorize: () => "ann", runs: { store: createMemoryRunStore() } });
  const { url, close } = await mount(route.fetch);
  const chat = createChat({ endpoint: url, runs: true });
  const streaming = new Promise<void>((resolve) => {
    chat.subscribe(({ status }) => status === "streaming" && resolve());
  });
  const answered = chat.send("Hello");
  await streaming;
  await chat.stop();
  await answered;
  expect(chat.getSnapshot()).toMatchObject({
    status: "ready",
    error: undefined,
    messages: [{ role: "user" }, { status: "aborted", abortReason: "stopped" }],
  });
  expect(agent.calls).toMatchObject([{ isOpen: false, options: { signal: { aborted: true } } }]);
  await close();
});
