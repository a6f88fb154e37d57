/** A Worker with chat routes: without runs, with runs, and with runs that outlive their request. */

// @ts-expect-error only workerd has this module
import { waitUntil } from "cloudflare:workers";
import { AsyncLocalStorage } from "node:async_hooks";
import { createChatRoute, createMemoryRunStore } from "@kortyx/server";
import { createSteeredAgent } from "./steered-agent.ts";

const users = new AsyncLocalStorage<string>();
const { agent, diary } = createSteeredAgent(() => users.getStore() ?? "anonymous");

const authorize = (request: Request) => request.headers.get("x-user");
const store = createMemoryRunStore({ leaseMs: 2500 });
/** Only a write reveals a client that has disconnected, so a silent agent learns of it through a heartbeat. */
const heartbeatMs = 200;
const options = { agent, heartbeatMs, resumeSecret: "a secret of more than 32 characters" };
const routes = new Map([
  ["/plain", createChatRoute(options)],
  ["/runs", createChatRoute({ ...options, authorize, runs: { store } })],
  ["/wait-until", createChatRoute({ ...options, authorize, runs: { store, waitUntil } })],
]);

// biome-ignore lint/style/noDefaultExport: a Worker has one
export default {
  fetch(request: Request): Response | Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname === "/diary") return Response.json(diary);
    const route = routes.get(pathname);
    if (route === undefined) return new Response(null, { status: 404 });
    return users.run(request.headers.get("x-user") ?? "anonymous", () => route.fetch(request));
  },
};
