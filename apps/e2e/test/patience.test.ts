/** Unavailable networks and servers: real sockets, a real browser that is offline or asleep, and broken routes. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type Chat, type ConnectionState, type StreamChunk, streamFromRoute } from "@kortyx/client";
import { createChatRoute, createMemoryRunStore } from "@kortyx/server";
import { toNodeHandler } from "@kortyx/server/node";
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { hasChromium, launchChromium } from "./chromium.ts";
import { collect, type LiveServer, listen, until } from "./live-server.ts";
import { openScriptPage, type ScriptPage } from "./script-page.ts";

/** Much longer than anything here takes on a busy machine. */
const patientMs = 40_000;

/** A route with runs, whose agent yields two words, and two more when the test allows it. */
function steeredRoute() {
  let proceed: () => void = () => {};
  const allowed = new Promise<void>((resolve) => {
    proceed = resolve;
  });
  const agent = {
    async *streamChat(): AsyncGenerator<StreamChunk> {
      for (const word of ["one ", "two "]) yield { type: "text-delta", delta: word };
      await allowed;
      for (const word of ["three ", "four"]) yield { type: "text-delta", delta: word };
      yield { type: "done" };
    },
  };
  const runs = { store: createMemoryRunStore() };
  const route = createChatRoute({ agent, runs, authorize: () => "ann" });
  let cut: () => void = () => {};
  return {
    route,
    proceed,
    /** Ends the connection of the latest POST halfway, like a proxy. */
    cut: () => cut(),
    async fetch(request: Request): Promise<Response> {
      const response = await route.fetch(request);
      if (request.method !== "POST" || response.body === null) return response;
      const reader = response.body.getReader();
      const body = new ReadableStream<Uint8Array>({
        start(controller) {
          cut = () => {
            void reader.cancel();
            controller.close();
          };
        },
        async pull(controller) {
          const { done, value } = await reader.read();
          if (!done && controller.desiredSize !== null) controller.enqueue(value);
        },
      });
      return new Response(body, response);
    },
  };
}

const listenAt = (server: Server, port = 0) =>
  new Promise<number>((resolve) => {
    server.listen(port, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });

test("fifty clients of a server that goes away and returns each get the whole answer, without a storm of requests", async () => {
  const { route, proceed } = steeredRoute();
  const listener = toNodeHandler(route.fetch);
  let server = createServer(listener);
  const port = await listenAt(server);
  const endpoint = `http://127.0.0.1:${port}/`;
  const first = await fetch(endpoint, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ sessionId: "s", messages: [{ role: "user", content: "Count" }] }),
  });
  await first.body?.cancel();

  const lost: Extract<ConnectionState, { state: "reconnecting" }>[][] = [];
  const asked: number[][] = [];
  const chunksOf = Array.from({ length: 50 }, (_, client) => {
    lost[client] = [];
    asked[client] = [];
    const fetchAndNote: typeof fetch = (url, init) => {
      asked[client]!.push(performance.now());
      return fetch(url, init);
    };
    const onConnectionChange = (change: ConnectionState) => {
      if (change.state === "reconnecting") lost[client]!.push(change);
    };
    return { chunks: 0, onConnectionChange, fetch: fetchAndNote };
  });
  const reading = chunksOf.map(async (client) => {
    const { onConnectionChange, fetch } = client;
    const query = { session: "s" };
    const stream = streamFromRoute({ endpoint, method: "GET", query, onConnectionChange, fetch });
    const counted = async function* () {
      for await (const chunk of stream) {
        client.chunks++;
        yield chunk;
      }
    };
    return collect(counted());
  });
  await until(() => chunksOf.every(({ chunks }) => chunks === 3), "all follow the run", patientMs);

  server.close();
  server.closeAllConnections();
  await until(() => lost.every((changes) => changes.length >= 3), "all have failed twice", patientMs);
  proceed();
  server = createServer(listener);
  await listenAt(server, port);
  const backSince = performance.now();
  const results = await Promise.all(reading);
  const tookMs = performance.now() - backSince;
  server.close();
  server.closeAllConnections();

  const [whole] = results;
  expect(whole).toEqual({
    chunks: [
      expect.objectContaining({ type: "run-start" }),
      ...["one ", "two ", "three ", "four"].map((delta) => ({ type: "text-delta", delta })),
      { type: "done" },
    ],
  });
  for (const result of results) expect(result).toEqual(whole);
  for (const changes of lost) {
    expect(changes.map(({ attempt }) => attempt)).toEqual(changes.map((_, index) => index + 1));
    expect(changes[0]!.delayMs).toBeLessThan(3_500);
    for (const { delayMs, error } of changes.slice(1)) {
      expect(delayMs).toBeLessThan(4_750);
      expect(error).toMatchObject({ name: "StreamConnectionError" });
    }
  }
  for (const [, ...attempts] of asked) {
    const gaps = attempts.slice(1).map((at, last) => at - attempts[last]!);
    expect(gaps.length).toBeGreaterThanOrEqual(2);
    // A timer of Node may be a millisecond early.
    for (const gap of gaps) expect(gap).toBeGreaterThanOrEqual(3_499);
  }
  // 4.75 s on an otherwise idle machine.
  expect(tookMs).toBeLessThan(patientMs);
});

describe.skipIf(!hasChromium())("in Chromium", () => {
  let browser: Browser;
  let opened: ScriptPage | undefined;
  const closing: LiveServer[] = [];
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser?.close());
  afterEach(async () => {
    await opened?.close();
    for (const server of closing.splice(0)) await server.close();
  });

  type Scope = { chat: Chat; reasons: string[] };
  /** A page with a chat, which sends its first message on demand. */
  const code = `
    import { createChat, toMessageText } from "@kortyx/client";
    const endpoint = new URLSearchParams(location.search).get("endpoint") ?? "/api/chat";
    globalThis.chat = createChat({ endpoint, runs: true });
    globalThis.reasons = [];
    chat.subscribe(({ messages, status, reconnecting, connectionError, error }) => {
      if (reconnecting) reasons.push(connectionError.message);
      document.querySelector("#answer").textContent = JSON.stringify({
        text: messages.map(toMessageText).at(-1),
        status,
        reconnecting,
        reason: connectionError?.message,
        error: error && [error.name, error.message],
      });
    });`;
  const send = () => opened!.page.evaluate(() => void (globalThis as unknown as Scope).chat.send("Count"));
  const shown = async () => JSON.parse((await opened!.page.locator("#answer").textContent())!);
  const shows = (expected: object) =>
    expect.poll(shown, { timeout: patientMs, interval: 20 }).toMatchObject(expected);
  /** The requests that the page makes from now on. */
  function watchRequests(): string[] {
    const requests: string[] = [];
    opened!.page.on("request", (request) => requests.push(request.method()));
    return requests;
  }

  for (const [name, pass] of [
    ["offline for ten minutes", (page: ScriptPage["page"]) => page.clock.runFor(600_000)],
    [
      "asleep, and then offline, for an hour",
      (page: ScriptPage["page"]) => page.clock.fastForward(3_600_000),
    ],
  ] as const) {
    test(`a page that is ${name} makes no request, shows why it waits, and continues at once when it is online`, async () => {
      const { fetch, cut, proceed } = steeredRoute();
      opened = await openScriptPage(browser, code, fetch);
      const { page } = opened;
      await page.clock.install();
      await page.reload();
      await page.waitForFunction("globalThis.chat");
      await send();
      await shows({ text: "one two ", status: "streaming" });
      await page.context().setOffline(true);
      cut();
      await shows({ reconnecting: true });
      const requests = watchRequests();
      await pass(page);
      await shows({ text: "one two ", status: "streaming", reconnecting: true });
      expect(await shown()).toMatchObject({ reason: expect.stringContaining("The stream ended too early") });
      expect(requests).toEqual([]);
      proceed();
      await page.context().setOffline(false);
      await shows({ text: "one two three four", status: "ready", reconnecting: false });
      expect(requests).toEqual(["GET"]);
    });
  }

  test("a question sent offline is requested once the page is online", async () => {
    const { route, proceed } = steeredRoute();
    proceed();
    opened = await openScriptPage(browser, code, route.fetch);
    const { page } = opened;
    await page.clock.install();
    await page.reload();
    await page.waitForFunction("globalThis.chat");
    await page.context().setOffline(true);
    await send();
    await shows({
      status: "submitted",
      reconnecting: true,
      reason: expect.stringContaining("No response from"),
    });
    const requests = watchRequests();
    await page.clock.runFor(600_000);
    await shows({ status: "submitted", reconnecting: true });
    expect(requests).toEqual([]);
    await page.context().setOffline(false);
    await shows({ text: "one two three four", status: "ready" });
  });

  test("a laptop that sleeps for an hour halfway through an answer continues, although its connection is dead", async () => {
    const { fetch, cut, proceed } = steeredRoute();
    opened = await openScriptPage(browser, code, fetch);
    const { page } = opened;
    await page.clock.install();
    await page.reload();
    await page.waitForFunction("globalThis.chat");
    await send();
    await shows({ text: "one two " });
    await page.clock.fastForward(3_600_000);
    cut();
    await shows({ reconnecting: true });
    // And again, while it waits.
    await page.clock.fastForward(3_600_000);
    proceed();
    await shows({ text: "one two three four", status: "ready" });
  });

  const causes =
    "Nothing listens there, there is no network, or, in a page, CORS or the Content-Security-Policy";
  const rows: [string, () => Promise<{ endpoint: string; csp?: string }>, number, [string, string]][] = [
    [
      "nothing listens",
      async () => {
        const gone = await listen(() => new Response());
        await gone.close();
        return { endpoint: `${gone.url}/api/chat` };
      },
      2,
      ["StreamConnectionError", causes],
    ],
    [
      "another origin forbids it (CORS)",
      async () => {
        const other = await listen(() => new Response("data: [DONE]\n\n"));
        closing.push(other);
        return { endpoint: `${other.url}/api/chat` };
      },
      2,
      ["StreamConnectionError", causes],
    ],
    [
      "the route throws",
      async () => ({ endpoint: "/broken" }),
      2,
      ["StreamHttpError", "The route responded with 500"],
    ],
    [
      "the address is misspelt",
      async () => ({ endpoint: "/api/caht" }),
      1,
      ["StreamHttpError", "responded with 404"],
    ],
    [
      "the scheme cannot be requested",
      async () => ({ endpoint: "ws://host/api/chat" }),
      1,
      ["StreamRequestError", 'use "http:" or "https:"'],
    ],
  ];
  for (const [name, setUp, requests, [error, message]] of rows) {
    test(`a chat reports within seconds that ${name}, and shows it while it retries`, async () => {
      const asked: string[] = [];
      opened = await openScriptPage(browser, code, (request) => {
        const { pathname } = new URL(request.url);
        if (pathname === "/broken") return new Response("Internal Server Error", { status: 500 });
        return new Response("Not Found", { status: 404 });
      });
      const { page, server } = opened;
      const { endpoint } = await setUp();
      await page.clock.install();
      await page.goto(`${server.url}/?endpoint=${encodeURIComponent(endpoint)}`);
      await page.waitForFunction("globalThis.chat");
      page.on("request", (request) => {
        if (request.method() === "POST") asked.push(request.url());
      });
      const startedAt = await page.evaluate(() => performance.now());
      await send();
      await page.clock.runFor(3_500);
      await shows({ status: "error", error: [error, expect.stringContaining(message)] });
      const reasons = await page.evaluate(() => (globalThis as unknown as Scope).reasons);
      expect(reasons).toEqual(Array(requests - 1).fill(expect.stringContaining(message)));
      // Measured on the page's own clock, which also runs while the test does.
      expect((await page.evaluate(() => performance.now())) - startedAt).toBeLessThan(patientMs);
      // Chromium does not count a request that it never makes.
      expect(asked.length).toBeLessThanOrEqual(requests);
    });
  }
});
