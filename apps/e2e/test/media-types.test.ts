/** Content types as real proxies and browsers send them. */

import type { AddressInfo } from "node:net";
import { createServer, type Socket } from "node:net";
import { readStream, requestChat } from "@kortyx/client";
import { createChatRoute } from "@kortyx/server";
import { createScriptedAgent } from "@kortyx/server/testing";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasChromium, launchChromium } from "./chromium.ts";
import { collect, listen } from "./live-server.ts";

/** Responds to every connection with these header lines and a body. */
async function answering(lines: string[], body: string): Promise<{ url: string; close: () => void }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("data", () => {
      socket.end(["HTTP/1.1 200 OK", ...lines, "connection: close", "", body].join("\r\n"));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

test("a content type that a proxy repeats is still recognized as a stream, or as JSON", async () => {
  const stream = await answering(
    ["content-type: text/event-stream", "content-type: text/event-stream; charset=utf-8"],
    'data: {"type":"done"}\n\n',
  );
  expect(await collect(readStream(await fetch(stream.url)))).toEqual({ chunks: [{ type: "done" }] });
  stream.close();
  const json = await answering(
    ["content-type: application/json\t; charset=utf-8", "content-type: application/json"],
    '{"chunks":[],"text":"Hi","structured":[]}',
  );
  expect(await requestChat({ endpoint: json.url, messages: [] })).toMatchObject({ text: "Hi" });
  json.close();
});

describe.skipIf(!hasChromium())("in Chromium", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser?.close());

  test("a page of another origin cannot start a route's agent", async () => {
    const agent = createScriptedAgent([{ type: "done" }]);
    const arrived: (string | null)[] = [];
    const route = createChatRoute({ agent });
    const server = await listen((request) => {
      if (request.method === "POST") arrived.push(request.headers.get("content-type"));
      return route.fetch(request);
    });
    const elsewhere = await listen(() => new Response("<p>", { headers: { "content-type": "text/html" } }));
    const page = await browser.newPage();
    await page.goto(elsewhere.url);
    const types = [
      "text/plain",
      "text/plain;,application/json",
      "multipart/form-data;, application/json",
      "application/x-www-form-urlencoded;a=b,application/json",
      "text/plain, application/json",
      "application/json",
    ];
    const ask = async ({ url, type }: { url: string; type: string }) => {
      const init = { method: "POST", headers: { "content-type": type }, body: '{"messages":[]}' };
      await fetch(url, init).catch(() => {});
    };
    for (const type of types) await page.evaluate(ask, { url: server.url, type });
    // The last two need a preflight, which the route refuses.
    expect(arrived).toEqual(types.slice(0, 4));
    expect(agent.calls).toEqual([]);
    await page.close();
    await server.close();
    await elsewhere.close();
  });
});
