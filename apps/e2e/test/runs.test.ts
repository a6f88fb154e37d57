import type { Chat } from "@kortyx/client";
import { createChatRoute, createMemoryRunStore, type StreamChunk } from "@kortyx/server";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { bundleForBrowser } from "./bundle-for-browser.ts";
import { hasChromium, launchChromium } from "./chromium.ts";
import { type LiveServer, listen, until } from "./live-server.ts";

/** An agent that yields one word at a time, when the test allows it. */
class PacedAgent {
  words = 0;
  signals: AbortSignal[] = [];
  #allowed = 0;
  #resume: () => void = () => {};

  /** Allows this many more words. */
  allow(count: number): void {
    this.#allowed += count;
    this.#resume();
  }

  async *streamChat(_messages: unknown, { signal }: { signal: AbortSignal }): AsyncGenerator<StreamChunk> {
    this.signals.push(signal);
    for (let word = 1; word <= 20 && !signal.aborted; word++) {
      while (this.#allowed === 0 && !signal.aborted) {
        await new Promise<void>((resolve) => {
          this.#resume = resolve;
          signal.addEventListener("abort", () => resolve());
        });
      }
      this.#allowed--;
      this.words++;
      yield { type: "text-delta", delta: `${word} ` };
    }
  }
}

const wholeText = Array.from({ length: 20 }, (_, index) => `${index + 1} `).join("");

describe.skipIf(!hasChromium())("runs in Chromium", () => {
  let browser: Browser;
  let context: BrowserContext;
  let server: LiveServer;
  let agent: PacedAgent;
  let requests: string[];
  /** Breaks the connection of the latest answer. */
  let cut: () => void;
  let script: string;

  beforeAll(async () => {
    browser = await launchChromium();
    const code = 'import { createChat } from "@kortyx/client"; globalThis.createChat = createChat;';
    script = (await bundleForBrowser(code)).text;
  });
  afterAll(() => browser?.close());

  beforeEach(async () => {
    agent = new PacedAgent();
    requests = [];
    const route = createChatRoute({
      agent,
      runs: { store: createMemoryRunStore() },
      authorize: (request) => /user=(\w+)/.exec(request.headers.get("cookie") ?? "")?.[1] ?? null,
    });
    server = await listen(async (request) => {
      const { pathname } = new URL(request.url);
      if (pathname === "/client.js") {
        return new Response(script, { headers: { "content-type": "text/javascript" } });
      }
      if (pathname !== "/api/chat") {
        const headers = {
          "content-type": "text/html",
          "content-security-policy": "default-src 'self'",
          "set-cookie": "user=ann; HttpOnly; SameSite=Strict",
        };
        return new Response('<!doctype html><script type="module" src="/client.js"></script>', { headers });
      }
      requests.push(`${request.method} ${request.headers.get("last-event-id") ?? ""}`.trim());
      return breakable(await route.fetch(request));
    });
    context = await browser.newContext();
  });
  afterEach(async () => {
    await context.close();
    await server.close();
  });

  function breakable(response: Response): Response {
    if (response.body === null) return response;
    const reader = response.body.getReader();
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        cut = () => {
          void reader.cancel();
          controller.error(new Error("cut by the test"));
        };
      },
      async pull(controller) {
        const { done, value } = await reader.read();
        // A body that was cut accepts no more data.
        if (controller.desiredSize === null) return;
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: (reason) => reader.cancel(reason),
    });
    return new Response(body, response);
  }

  /** A tab with a chat; {@link stateOf} returns its state. */
  async function openTab(): Promise<Page> {
    const page = await context.newPage();
    await page.goto(server.url);
    await startChat(page);
    return page;
  }

  /** Creates the page's chat from the state that the tab kept. */
  async function startChat(page: Page): Promise<void> {
    await page.waitForFunction("globalThis.createChat");
    await page.evaluate(() => {
      const initialMessages = JSON.parse(sessionStorage.getItem("messages") ?? "[]");
      const scope = globalThis as unknown as { chat: Chat; createChat(options: object): Chat };
      scope.chat = scope.createChat({
        endpoint: "/api/chat",
        runs: true,
        sessionId: "s",
        initialMessages,
      });
    });
  }

  const send = (page: Page) =>
    page.evaluate(() => void (globalThis as unknown as { chat: Chat }).chat.send("Count to 20"));
  const resume = (page: Page) =>
    page.evaluate(() => void (globalThis as unknown as { chat: Chat }).chat.resume());
  const stateOf = (page: Page) =>
    page.evaluate(() => {
      const { messages, status, reconnecting } = (globalThis as unknown as { chat: Chat }).chat.getSnapshot();
      const lines = messages.map((message) =>
        message.role === "user"
          ? message.content
          : `${message.parts.map((part) => (part.type === "text" ? part.text : "")).join("")}(${message.abortReason ?? message.status})`,
      );
      return { lines, status, reconnecting };
    });

  /** Waits until a tab shows the expected state; fails with the shown one. */
  async function shows(
    page: Page,
    expected: { lines?: string[]; status?: string; reconnecting?: boolean },
  ): Promise<void> {
    await expect.poll(() => stateOf(page)).toMatchObject(expected);
  }

  test("a reload halfway through an answer continues it, whether or not the page kept its messages", async () => {
    const page = await openTab();
    await send(page);
    agent.allow(5);
    await shows(page, { lines: ["Count to 20", "1 2 3 4 5 (streaming)"], status: "streaming" });
    for (const keepsMessages of [false, true]) {
      await page.evaluate((keeps) => {
        const { messages } = (globalThis as unknown as { chat: Chat }).chat.getSnapshot();
        if (keeps) sessionStorage.setItem("messages", JSON.stringify(messages));
      }, keepsMessages);
      await page.reload();
      await startChat(page);
      await resume(page);
      await shows(page, { lines: ["Count to 20", "1 2 3 4 5 (streaming)"], status: "streaming" });
    }
    agent.allow(15);
    await shows(page, { lines: ["Count to 20", `${wholeText}(done)`], status: "ready" });
    expect(agent.signals).toHaveLength(1);
  });

  test("two tabs show the same growing answer, and Stop in one stops it in both permanently", async () => {
    const [first, second] = [await openTab(), await openTab()];
    await send(first);
    agent.allow(3);
    await shows(first, { lines: ["Count to 20", "1 2 3 (streaming)"] });
    await resume(second);
    agent.allow(2);
    for (const page of [first, second])
      await shows(page, { lines: ["Count to 20", "1 2 3 4 5 (streaming)"] });

    const statuses = second.evaluate(async () => {
      const { chat } = globalThis as unknown as { chat: Chat };
      const seen: string[] = [];
      const unsubscribe = chat.subscribe(({ status }) => void (seen.at(-1) === status || seen.push(status)));
      await chat.stop();
      unsubscribe();
      return seen;
    });
    expect(await statuses).toEqual(["streaming", "stopping", "ready"]);
    const stopped = { lines: ["Count to 20", "1 2 3 4 5 (stopped)"], status: "ready" };
    for (const page of [first, second]) await shows(page, stopped);
    await until(() => agent.signals[0]!.aborted, "the agent is aborted");
    agent.allow(15);
    const later = await openTab();
    await resume(later);
    await shows(later, stopped);
  });

  test("a connection that breaks halfway through an answer is restored without a trace", async () => {
    const page = await openTab();
    await send(page);
    agent.allow(5);
    await shows(page, { lines: ["Count to 20", "1 2 3 4 5 (streaming)"] });
    // The server of this test logs the error that breaks a body.
    const log = vi.spyOn(console, "error").mockImplementation(() => {});
    cut();
    agent.allow(15);
    await shows(page, {
      lines: ["Count to 20", `${wholeText}(done)`],
      status: "ready",
      reconnecting: false,
    });
    expect(log.mock.calls).toEqual([[expect.objectContaining({ message: "cut by the test" })]]);
    log.mockRestore();
    expect(requests).toHaveLength(2);
    expect(requests[1]).toMatch(/^GET [0-9a-f-]{36}\.\d+$/);
  });

  test("a reload that races with the end of the run still shows the whole answer", async () => {
    const page = await openTab();
    await send(page);
    agent.allow(19);
    await shows(page, {
      status: "streaming",
      lines: ["Count to 20", `${wholeText.slice(0, -3)}(streaming)`],
    });
    for (let attempt = 0; attempt < 5; attempt++) {
      const reloaded = await openTab();
      await resume(reloaded);
      if (attempt === 2) agent.allow(1);
      if (attempt >= 2)
        await shows(reloaded, { lines: ["Count to 20", `${wholeText}(done)`], status: "ready" });
    }
  });

  test("close() does not end the run", async () => {
    const page = await openTab();
    await send(page);
    agent.allow(2);
    await shows(page, { lines: ["Count to 20", "1 2 (streaming)"] });
    await page.evaluate(() => (globalThis as unknown as { chat: Chat }).chat.close());
    agent.allow(18);
    await until(() => agent.words === 20, "the agent has finished");
    await resume(page);
    await shows(page, { lines: ["Count to 20", `${wholeText}(done)`], status: "ready" });
  });

  test("a browser's EventSource can follow a run, and makes exactly two requests for a finished one", async () => {
    const page = await openTab();
    await send(page);
    agent.allow(20);
    await shows(page, { status: "ready" });
    requests = [];
    const { texts, readyState } = await page.evaluate(
      () =>
        new Promise<{ texts: string; readyState: number }>((resolve) => {
          const source = new EventSource("/api/chat?session=s");
          let texts = "";
          source.onmessage = ({ data }) => {
            if (data !== "[DONE]") texts += JSON.parse(data).delta ?? "";
          };
          source.onerror = () => {
            if (source.readyState === EventSource.CLOSED) resolve({ texts, readyState: source.readyState });
          };
        }),
    );
    expect({ texts, readyState }).toEqual({ texts: wholeText, readyState: 2 });
    expect(requests).toHaveLength(2);
    expect(requests[0]).toBe("GET");
    expect(requests[1]).toMatch(/^GET [0-9a-f-]{36}\.21$/);
  });
});
