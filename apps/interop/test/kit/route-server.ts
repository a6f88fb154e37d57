/** A route on loopback, at every path. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type ChatAgent, type ChatRouteOptions, createChatRoute } from "@kortyx/server";
import { toNodeHandler } from "@kortyx/server/node";
import { afterEach } from "vitest";

const servers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of servers.splice(0)) await close();
});

/** Serves a route for one user until the test ends. @returns its URL. */
export async function serveRoute(agent: ChatAgent, options: Partial<ChatRouteOptions> = {}): Promise<string> {
  const route = createChatRoute({ agent, authorize: () => "ann", ...options });
  const server = createServer(toNodeHandler(route.fetch));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  servers.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/chat`;
}
