/** A `fetch` over XMLHttpRequest, as in whatwg-fetch and React Native: its responses have no `body`. */
import type { ChatSnapshot } from "@kortyx/client";
import { createChatRoute, createMemoryRunStore } from "@kortyx/server";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasChromium, launchChromium } from "./chromium.ts";
import { until } from "./live-server.ts";
import { openScriptPage, type ScriptPage } from "./script-page.ts";

/** A page with a chat for each route, and functions that make requests. */
const script = `
  import { createChat, isStreamError, requestChat, streamChatFromRoute } from "@kortyx/client";
  import { fetch } from "whatwg-fetch";
  const messages = [{ role: "user" as const, content: "Grüße, 世界 😀" }];
  const plain = createChat({ endpoint: "/plain", fetch });
  const runs = createChat({ endpoint: "/runs", fetch, runs: true });
  Object.assign(globalThis, {
    chats: { plain, runs },
    hasBody: fetch("/plain").then((response) => "body" in response),
    async chunks(endpoint: string) {
      const chunks = [];
      for await (const chunk of streamChatFromRoute({ endpoint, messages, fetch })) chunks.push(chunk.type);
      return chunks;
    },
    buffered: () => requestChat({ endpoint: "/plain", messages, fetch }),
    refusal: () => requestChat({ endpoint: "/unauthorized", messages, fetch }).catch((error) => ({ ...error, known: isStreamError(error) })),
  });
`;

interface PageGlobals {
  chats: Record<
    "plain" | "runs",
    { send(text: string): Promise<void>; close(): void; getSnapshot(): ChatSnapshot }
  >;
  hasBody: Promise<boolean>;
  chunks(endpoint: string): Promise<string[]>;
  buffered(): Promise<unknown>;
  refusal(): Promise<unknown>;
}

describe.skipIf(!hasChromium())("a fetch that cannot stream, in Chromium", () => {
  let browser: Browser;
  let opened: ScriptPage;
  const waiting: string[] = [];
  const left: string[] = [];
  const agent = {
    async *streamChat(messages: { content: string }[], { signal }: { signal: AbortSignal }) {
      const question = messages.at(-1)!.content;
      for (const letter of question) yield { type: "text-delta", delta: letter } as const;
      if (question === "wait") {
        waiting.push(question);
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        left.push(question);
      }
      yield { type: "done" } as const;
    },
  };
  const routes: Record<string, (request: Request) => Promise<Response>> = {
    "/plain": createChatRoute({ agent }).fetch,
    "/runs": createChatRoute({ agent, authorize: () => "ann", runs: { store: createMemoryRunStore() } })
      .fetch,
    "/unauthorized": createChatRoute({ agent, authorize: () => null }).fetch,
  };

  beforeAll(async () => {
    browser = await launchChromium();
    opened = await openScriptPage(browser, script, (request) =>
      routes[new URL(request.url).pathname]!(request),
    );
  });
  afterAll(async () => {
    await opened?.close();
    await browser?.close();
  });

  test("returns responses without a body", async () => {
    expect(await opened.page.evaluate(() => (globalThis as unknown as PageGlobals).hasBody)).toBe(false);
  });

  test.each(["plain", "runs"] as const)("shows a chat's whole answer at its end: %s", async (name) => {
    const snapshot = await opened.page.evaluate(async (name) => {
      const chat = (globalThis as unknown as PageGlobals).chats[name];
      await chat.send("Grüße, 世界 😀");
      return chat.getSnapshot();
    }, name);
    expect(snapshot).toMatchObject({
      status: "ready",
      messages: [{ role: "user" }, { status: "done", parts: [{ type: "text", text: "Grüße, 世界 😀" }] }],
    });
  });

  test("delivers every chunk of a stream, and a buffered answer", async () => {
    const read = await opened.page.evaluate(async () => {
      const { chunks, buffered } = globalThis as unknown as PageGlobals;
      return [await chunks("/plain"), await chunks("/runs"), await buffered()];
    });
    const deltas = Array(11).fill("text-delta");
    expect(read).toEqual([
      [...deltas, "done"],
      ["run-start", ...deltas, "done"],
      expect.objectContaining({ text: "Grüße, 世界 😀" }),
    ]);
  });

  test("delivers the status and body of a refusal", async () => {
    expect(await opened.page.evaluate(() => (globalThis as unknown as PageGlobals).refusal())).toMatchObject({
      known: true,
      status: 401,
      body: { code: "unauthorized" },
    });
  });

  test("stops the agent when the chat is closed while the answer arrives", async () => {
    const ask = () => void (globalThis as unknown as PageGlobals).chats.plain.send("wait");
    const leave = () => (globalThis as unknown as PageGlobals).chats.plain.close();
    await opened.page.evaluate(ask);
    await until(() => waiting.length > 0, "the agent waits", 30_000);
    await opened.page.evaluate(leave);
    await until(() => left.length > 0, "the agent is aborted", 30_000);
    expect(opened.complaints).toEqual([]);
  });
});
