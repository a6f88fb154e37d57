import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { createApp } from "@kortyx/demo/app";
import { createDocumentationAgent } from "@kortyx/demo/documentation-agent";
import type { StreamChunk } from "@kortyx/server";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { hasChromium, launchChromium } from "./chromium.ts";
import { startDemo } from "./demo-process.ts";
import { listen, until } from "./live-server.ts";

const repository = fileURLToPath(new URL("../../../", import.meta.url));
const pageFolder = fileURLToPath(new URL("../node_modules/@kortyx/demo/dist/page/", import.meta.url));
/** Pictures for people to look at. */
const pictures = fileURLToPath(new URL("../.tmp/pictures/", import.meta.url));

type Agent = Parameters<typeof createApp>[0]["agent"];

/** The built page and the route, around an agent of the test's own. */
const listenWith = (agent: Agent) =>
  listen(createApp({ agent, pageFolder }).fetch as (request: Request) => Promise<Response>);

const agentOf = (streamChat: (signal: AbortSignal) => AsyncIterable<StreamChunk>): Agent => ({
  streamChat: (_messages, { signal }) => streamChat(signal!),
});

const delta = (text: string): StreamChunk => ({ type: "text-delta", delta: text });

describe.skipIf(!hasChromium())("the demo in Chromium", () => {
  let browser: Browser;
  let page: Page;
  /** Console errors, exceptions and breaches of the Content-Security-Policy. */
  let complaints: string[];

  beforeAll(async () => {
    mkdirSync(pictures, { recursive: true });
    browser = await launchChromium();
  });
  afterAll(() => browser?.close());
  beforeEach(async () => {
    page = await browser.newPage({ viewport: { width: 1280, height: 860 } });
    complaints = [];
    page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(error.message));
  });
  afterEach(() => page.close());

  const ask = async (question: string) => {
    await page.getByRole("textbox", { name: "Message" }).fill(question);
    await page.getByRole("button", { name: "Send" }).click();
  };
  const answer = () => page.getByRole("article", { name: "Assistant" }).last();
  const answerWith = (status: string) =>
    page.locator(`article[aria-label=Assistant][data-status=${status}]`).last();

  test("an answer streams in: its text is seen at three lengths before it is complete, with its search and its sources", async () => {
    const demo = await startDemo({ DEMO_TOKENS_PER_SECOND: "40" });
    try {
      await page.goto(demo.url);
      await ask("What happens when the client leaves?");
      const lengths = new Set<number>();
      while ((await answer().getAttribute("data-status")) === "streaming" && lengths.size < 1000) {
        lengths.add((await answer().textContent())?.length ?? 0);
        if (lengths.size === 4) await page.screenshot({ path: `${pictures}streaming.png` });
        await page.waitForTimeout(30);
      }
      expect(lengths.size).toBeGreaterThan(3);
      await answerWith("done").waitFor();
      const whole = (await answer().textContent())?.length ?? 0;
      expect([...lengths].filter((length) => length < whole).length).toBeGreaterThanOrEqual(3);
      expect(await answer().getByTestId("tool-call").getAttribute("data-state")).toBe("done");
      const source = answer().getByRole("list", { name: "Sources" }).getByRole("link").first();
      const document = await fetch(new URL((await source.getAttribute("href"))!, demo.url));
      expect(document.status).toBe(200);
      expect(await document.text()).toContain("# ");
      await page.screenshot({ path: `${pictures}answer.png` });
      expect(complaints).toEqual([]);
    } finally {
      await demo.kill();
    }
  });

  test("Stop stops the agent on the server, and keeps the partial answer, marked", async () => {
    const documentation = createDocumentationAgent({ root: repository, tokensPerSecond: 40 });
    const seen = { chunks: 0, aborted: false, ended: false };
    const server = await listenWith({
      async *streamChat(messages, options) {
        options.signal?.addEventListener("abort", () => {
          seen.aborted = true;
        });
        try {
          for await (const chunk of documentation.streamChat(messages, options)) {
            seen.chunks++;
            yield chunk;
          }
        } finally {
          seen.ended = true;
        }
      },
    });
    await page.goto(server.url);
    await ask("What is the wire?");
    await page.locator("article[aria-label=Assistant] blockquote").first().waitFor();
    await page.getByRole("button", { name: "Stop" }).click();
    await answerWith("stopped").waitFor();
    await until(() => seen.aborted && seen.ended, "the agent stopped");
    const { chunks } = seen;
    const text = await answer().textContent();
    expect(text).toContain("Stopped");
    await page.waitForTimeout(300);
    expect(seen.chunks).toBe(chunks);
    expect(await answer().textContent()).toBe(text);
    expect(complaints).toEqual([]);
    await server.close();
  });

  test("a server that is killed in mid-answer shows an error and not a finished answer; Retry works when it is back", async () => {
    const demo = await startDemo({ DEMO_TOKENS_PER_SECOND: "20" });
    await page.goto(demo.url);
    await ask("What is a chunk?");
    await page.locator("article[aria-label=Assistant] blockquote").first().waitFor();
    await demo.kill();
    await answerWith("error").waitFor();
    expect(await page.getByRole("alert").textContent()).toContain("The answer was cut off");
    expect(await answerWith("done").count()).toBe(0);
    await page.screenshot({ path: `${pictures}error.png` });
    const again = await startDemo({ PORT: new URL(demo.url).port, DEMO_TOKENS_PER_SECOND: "0" });
    try {
      await page.getByRole("button", { name: "Retry" }).click();
      await answerWith("done").waitFor();
      expect(await page.getByRole("article", { name: "Assistant" }).count()).toBe(1);
    } finally {
      await again.kill();
    }
  });

  test("an agent that fails shows its error with a reference, and not what it said", async () => {
    const server = await listenWith(
      agentOf(async function* () {
        yield delta("Half an ");
        throw new Error("password=hunter2");
      }),
    );
    await page.goto(server.url);
    await ask("Anything");
    const alert = page.getByRole("alert");
    await alert.waitFor();
    expect(await alert.textContent()).toMatch(
      /Something went wrong on the server\. Reference: [0-9a-f-]{36}/,
    );
    expect(await page.content()).not.toContain("hunter2");
    await server.close();
  });

  test("Markdown from an agent is text: no HTML, no script, no dangerous link", async () => {
    const hostile =
      '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script> [click](javascript:window.hacked=1) **bold**';
    const server = await listenWith(
      agentOf(async function* () {
        for (const letter of hostile) yield delta(letter);
        yield { type: "done" };
      }),
    );
    await page.goto(server.url);
    await ask("Anything");
    await answerWith("done").waitFor();
    expect(await answer().locator("strong").textContent()).toBe("bold");
    expect(await answer().locator("img, script").count()).toBe(0);
    expect(await answer().locator('a[href^="javascript"]').count()).toBe(0);
    expect(await page.evaluate("window.hacked")).toBeUndefined();
    expect(complaints).toEqual([]);
    await server.close();
  });

  test("the page fits a phone: nothing is wider than 375 px", async () => {
    const server = await listenWith(createDocumentationAgent({ root: repository, tokensPerSecond: 0 }));
    await page.setViewportSize({ width: 375, height: 740 });
    await page.goto(server.url);
    await ask("Which errors can a stream end with?");
    await answerWith("done").waitFor();
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(375);
    await page.screenshot({ path: `${pictures}phone.png` });
    expect(complaints).toEqual([]);
    await server.close();
  });
});
