/** A chat on a SvelteKit server with its CSRF check, where the page's origin is not the one that SvelteKit derives. */

import type { Server } from "node:http";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { createChat } from "@kortyx/client";
import { createChatRoute, createMemoryRunStore } from "@kortyx/server";
import { toNodeHandler } from "@kortyx/server/node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isInstalled } from "../install.ts";

/** `src/runtime/server/csrf.js` of SvelteKit, which its server calls before a route. */
interface CsrfCheck {
  is_csrf_forbidden(input: {
    request: Request;
    request_origin: string | null;
    self_origin: string;
    trusted_origins: string[];
  }): boolean;
}

describe.skipIf(!isInstalled())("with SvelteKit's CSRF check", () => {
  let server: Server;
  let endpoint: string;
  const refused: string[] = [];

  beforeAll(async () => {
    const kit = dirname(createRequire(import.meta.url).resolve("@sveltejs/kit/package.json"));
    const { is_csrf_forbidden }: CsrfCheck = await import(
      pathToFileURL(join(kit, "src/runtime/server/csrf.js")).href
    );
    const route = createChatRoute({
      agent: {
        async *streamChat(_messages, { signal }) {
          yield { type: "text-delta", delta: "Hel" };
          await new Promise((resolve) => signal.addEventListener("abort", resolve));
        },
      },
      authorize: () => "ann",
      runs: { store: createMemoryRunStore() },
    });
    server = createServer(
      toNodeHandler((request) => {
        // As with a proxy that terminates TLS, or adapter-node on plain http.
        const isForbidden = is_csrf_forbidden({
          request,
          request_origin: "http://app.example",
          self_origin: "https://app.example",
          trusted_origins: [],
        });
        if (!isForbidden) return route.fetch(request);
        refused.push(request.method);
        return new Response("Cross-site form submissions are forbidden", { status: 403 });
      }),
    );
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/chat`;
  });
  afterAll(() => {
    server?.closeAllConnections();
    server?.close();
  });

  test("a DELETE without a content type is forbidden", async () => {
    expect((await fetch(`${endpoint}?run=x`, { method: "DELETE" })).status).toBe(403);
    expect(refused.splice(0)).toEqual(["DELETE"]);
  });

  test("sending, stopping and resuming are allowed", async () => {
    const chat = createChat({ endpoint, runs: true });
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
    await chat.resume();
    expect(chat.getSnapshot().status).toBe("ready");
    expect(refused).toEqual([]);
  });
});
