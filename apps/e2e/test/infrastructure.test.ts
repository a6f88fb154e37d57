/** The statements of docs/infrastructure.md about compressing proxies and other readers, verified. */
import { readFileSync } from "node:fs";
import { request as ask } from "node:http";
import type { StreamChunk } from "@kortyx/client";
import { readStream } from "@kortyx/client";
import { createChatRoute, toSSE } from "@kortyx/server";
import { toNodeHandler } from "@kortyx/server/node";
import compression from "compression";
import express from "express";
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { hasChromium, launchChromium } from "./chromium.ts";
import { collect, type LiveServer, listenOnNode, until } from "./live-server.ts";
import { openScriptPage } from "./script-page.ts";

const page = readFileSync(new URL("../../../docs/infrastructure.md", import.meta.url), "utf8");
/** The headers that a row of the page recommends, unchanged. */
function documentedHeaders(name: string): Record<string, string> {
  const value = new RegExp(`headers: \\{ "${name}": "([^"]+)" \\}`).exec(page)?.[1];
  expect(value, name).toBeDefined();
  return { [name]: value! };
}

const delta = (text: string): StreamChunk => ({ type: "text-delta", delta: text });

const servers: LiveServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

describe("a proxy with the compression middleware", () => {
  /** A route behind the proxy, whose agent waits after each piece. */
  async function setUp(headers?: Record<string, string>) {
    const steps = Array.from({ length: 3 }, () => Promise.withResolvers<void>());
    const route = createChatRoute({
      agent: {
        async *streamChat() {
          for (const [index, step] of steps.entries()) {
            yield delta(`${index}`);
            await step.promise;
          }
          yield { type: "done" };
        },
      },
      headers,
    });
    const upstream = await listenOnNode(toNodeHandler(route.fetch));
    let passed = "";
    const app = express();
    app.use(compression());
    app.use((req, res) => {
      const { method, headers, url } = req;
      const onward = ask(upstream.url + url, { method: method!, headers }, (response) => {
        response.on("data", (piece) => {
          passed += piece;
        });
        res.writeHead(response.statusCode!, response.headers);
        response.pipe(res);
      });
      req.pipe(onward);
    });
    const proxy = await listenOnNode(app);
    servers.push(proxy, upstream);
    const response = await fetch(proxy.url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"messages":[{"role":"user","content":"Hello"}]}',
    });
    return { steps, response, hasPassed: (text: string) => passed.includes(text) };
  }

  test("forwards each piece as it arrives with the documented header", async () => {
    const { steps, response } = await setUp(documentedHeaders("cache-control"));
    expect(response.headers.get("content-encoding")).toBeNull();
    const texts: string[] = [];
    for await (const chunk of readStream(response)) {
      if (chunk.type !== "text-delta") continue;
      texts.push(chunk.delta);
      // The agent waits for this step, so a piece that was held back would never arrive.
      steps[Number(chunk.delta)]!.resolve();
    }
    expect(texts).toEqual(["0", "1", "2"]);
  });

  test("holds everything back until the end without it", async () => {
    const { steps, response, hasPassed } = await setUp();
    expect(response.headers.get("content-encoding")).toBe("gzip");
    const seen: StreamChunk[] = [];
    const reading = (async () => {
      for await (const chunk of readStream(response)) seen.push(chunk);
    })();
    for (const [index, step] of steps.entries()) {
      await until(() => hasPassed(`"delta":"${index}"`), "the proxy has received the piece", 30_000);
      expect(seen).toEqual([]);
      step.resolve();
    }
    await reading;
    expect(seen).toHaveLength(4);
  });
});

test("a reader that defaults to Latin-1 for text without a charset reads every character with the documented header", async () => {
  /** Like Python's `requests`, according to RFC 2616, section 3.7.1. */
  const readAsRequestsDoes = async (response: Response) => {
    const charset = /charset=([\w-]+)/.exec(response.headers.get("content-type")!)?.[1] ?? "latin1";
    return new TextDecoder(charset).decode(await response.arrayBuffer());
  };
  const chunks = [delta("é€😀"), { type: "done" } as const];
  const headers = documentedHeaders("content-type");
  expect(await readAsRequestsDoes(toSSE(chunks, { headers }))).toContain("é€😀");
  expect(await readAsRequestsDoes(toSSE(chunks))).not.toContain("é€😀");
  expect(await collect(readStream(toSSE(chunks, { headers })))).toEqual({ chunks });
});

describe.skipIf(!hasChromium())("a browser's EventSource, in Chromium", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser?.close());

  test("reconnects when a plain stream has ended, unless it is closed at [DONE]", async () => {
    const asked: Record<string, number> = {};
    const script = `
      const shown = { kept: [] as string[], closed: [] as string[] };
      Object.assign(globalThis, { shown });
      for (const name of ["kept", "closed"] as const) {
        const source = new EventSource("/" + name);
        source.onmessage = ({ data }) => {
          shown[name].push(data);
          if (data === "[DONE]" && name === "closed") source.close();
        };
      }
    `;
    const headers = documentedHeaders("content-type");
    const opened = await openScriptPage(browser, script, (request) => {
      const name = new URL(request.url).pathname.slice(1);
      asked[name] = (asked[name] ?? 0) + 1;
      return toSSE([delta("é€😀"), { type: "done" }], { headers });
    });
    await until(() => asked.kept === 2, "it has reconnected", 60_000);
    expect(asked.closed).toBe(1);
    const shown = await opened.page.evaluate(() => (globalThis as unknown as { shown: unknown }).shown);
    expect(shown).toMatchObject({
      closed: ['{"type":"text-delta","delta":"é€😀"}', '{"type":"done"}', "[DONE]"],
    });
    await opened.close();
  });
});
