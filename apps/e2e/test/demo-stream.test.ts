/** The stream itself: its panel, the state of the connection, and a page that stays calm and fast. */
import type { StreamChunk } from "@kortyx/server";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { hasChromium, launchChromium } from "./chromium.ts";
import { agentOf, type DemoPage, done, listenWith, openDemoPage, pause, text } from "./demo-page.ts";
import { until } from "./live-server.ts";

const paragraph =
  "Every word of this answer arrives as a separate chunk, and is **shown** with the next frame. ";

/** Chunks at a rate, kept to by the clock, however late single timers are. */
async function* atRate(perSecond: number, chunks: number, signal: AbortSignal): AsyncGenerator<StreamChunk> {
  const words = paragraph.split(/(?<= )/);
  const startedAt = performance.now();
  for (let sent = 0; sent < chunks && !signal.aborted; ) {
    const due = Math.min(chunks, ((performance.now() - startedAt) / 1000) * perSecond);
    for (; sent < due; sent++) yield text(sent % 60 === 59 ? "\n\n" : words[sent % words.length]!);
    await pause(5, signal);
  }
}

describe.skipIf(!hasChromium())("the demo's stream in Chromium", () => {
  let browser: Browser;
  let demo: DemoPage;
  let server: Awaited<ReturnType<typeof listenWith>>;
  /** The number of looks that the test has taken at the page; the agent waits for them. */
  let looks = 0;

  beforeAll(async () => {
    browser = await launchChromium();
    server = await listenWith(
      agentOf(async function* (question, { signal }) {
        looks = 0;
        if (question === "200 chunks a second for 2 s") {
          yield* atRate(200, 400, signal);
          yield done;
        } else if (question === "without end") {
          // The text that fits below the question arrives step by step.
          for (let step = 1; step <= 10; step++) {
            yield text(paragraph.slice(0, 60));
            await until(() => looks >= step, "the page was looked at");
          }
          yield* atRate(100, Number.POSITIVE_INFINITY, signal);
        } else if (question === "wait") {
          await until(() => looks >= 1, "the page was looked at");
          yield { type: "status", message: "Thinking hard" };
          yield { type: "tool-call-start", tool: "t", toolCallId: "call", input: { query: "q" } };
          await until(() => looks >= 2, "the page was looked at again");
          yield { type: "weather", celsius: 21 } as unknown as StreamChunk;
          yield text("Here.");
          yield done;
        } else {
          yield text(paragraph.repeat(8));
          yield done;
        }
      }),
    );
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });
  afterEach(() => demo.close());

  const open = async (options?: Parameters<typeof openDemoPage>[2]) => {
    demo = await openDemoPage(browser, server.url, options);
    return demo;
  };
  const state = (page: Page) => page.getByTestId("stream-state").textContent();
  const figure = async (page: Page, name: string) =>
    page
      .getByRole("complementary", { name: "Stream" })
      .locator("div", { hasText: name })
      .locator("dd")
      .textContent();

  test("the panel shows every chunk with its time, the time to the first one, and the state of the connection", async () => {
    const { page, ask, answerWith, complaints } = await open();
    const listed = page.getByLabel("Chunks").getByRole("listitem");
    expect(await state(page)).toBe("Idle");
    await ask("wait");
    await expect.poll(() => state(page)).toMatch("Streaming");
    for (const count of [1, 3]) {
      await expect.poll(() => listed.count()).toBe(count);
      await page.waitForTimeout(150);
      if (count === 3) await page.getByText("Thinking hard…").waitFor();
      looks++;
    }
    expect(await figure(page, "Time")).toMatch(/^\d+ ms$|^\d+\.\d\d s$/);
    await answerWith("done");
    await expect.poll(() => state(page)).toBe("Idle");
    const rows = await listed.allTextContents();
    expect(rows.map((row) => row.replace(/^\d+ ms|^\d+\.\d\d s/, ""))).toEqual([
      expect.stringContaining('run-start {"input":{"role":"user","content":"wait"'),
      'status {"message":"Thinking hard"}',
      'tool-call-start {"tool":"t","input":{"query":"q"},"toolCallId":"call"}',
      'weather {"celsius":21}',
      'text-delta {"delta":"Here."}',
      'done {"finishReason":"stop"}',
    ]);
    const times = rows.map(toMs);
    // Times are printed in whole milliseconds, those of more than a second in hundredths of one.
    expect(times[1]! - times[0]!).toBeGreaterThanOrEqual(140);
    expect(times[3]! - times[2]!).toBeGreaterThanOrEqual(140);
    const first = toMs((await figure(page, "First chunk"))!);
    expect(Math.abs(first - times[0]!)).toBeLessThan(Math.abs(first - times[1]!));
    expect(await figure(page, "Chunks")).toBe("6");
    await page.getByRole("button", { name: /^Stream/ }).click();
    expect(await page.getByLabel("Chunks").count()).toBe(0);
    await page.getByRole("button", { name: /^Stream/ }).click();
    expect(await listed.count()).toBe(6);
    expect(complaints).toEqual([]);
  });

  test("a connection that breaks and comes back is shown with its attempts, and loses nothing of the answer", async () => {
    const { page, ask, answer, answerWith } = await open();
    const frame = (index: number, chunk: object) => `id: run.${index}\ndata: ${JSON.stringify(chunk)}\n\n`;
    const contentType = "text/event-stream";
    let attempts = 0;
    let seen = 0;
    await page.route("**/api/chat", async (route) => {
      if (route.request().method() === "POST") {
        const start = frame(0, { type: "run-start", runId: "run" });
        return route.fulfill({ contentType, body: `${start}${frame(1, text("Half of it, "))}` });
      }
      expect(route.request().headers()["last-event-id"]).toBe("run.1");
      attempts++;
      await until(() => seen >= attempts, "the page was looked at");
      if (attempts < 3) return route.fulfill({ status: 503 });
      return route.fulfill({
        contentType,
        body: `${frame(2, text("and the rest."))}${frame(3, done)}data: [DONE]\n\n`,
      });
    });
    await ask("Anything");
    for (const attempt of [1, 2, 3]) {
      await expect.poll(() => state(page)).toBe(`Reconnecting, attempt ${attempt}`);
      if (attempt < 3) seen = attempt;
    }
    expect(await answer().textContent()).toContain("Half of it,");
    seen = 3;
    await answerWith("done");
    expect(await answer().textContent()).toContain("Half of it, and the rest.");
    await expect.poll(() => state(page)).toBe("Idle");
    expect(await figure(page, "Chunks")).toBe("4");
  });

  test("while an answer streams, nothing above it moves, and a user who scrolls away stays there", async () => {
    const { page, ask, answer, answerWith, complaints } = await open({ height: 700 });
    // The panel moves with each chunk; this is about the conversation.
    await page.getByRole("button", { name: /^Stream/ }).click();
    for (const question of ["One", "Two"]) {
      await ask(question);
      await answerWith("done");
    }
    await page.evaluate(() => {
      const seen = { shift: 0 };
      Object.assign(window, { seen });
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) seen.shift += (entry as unknown as { value: number }).value;
      }).observe({ type: "layout-shift" });
    });
    await ask("without end");
    await answerWith("streaming");
    const question = page.getByRole("article", { name: "You" }).last();
    const log = page.getByLabel("Conversation", { exact: true });
    await expect.poll(async () => (await question.boundingBox())?.y).toBeLessThan(120);
    const top = (await question.boundingBox())!.y;
    const length = () =>
      answer()
        .locator(".markdown")
        .evaluate((element) => element.textContent!.length);
    for (let step = 1; step <= 10; step++) {
      await expect.poll(length).toBeGreaterThan((step - 1) * 60 + 50);
      expect((await question.boundingBox())!.y).toBe(top);
      if (step < 10) looks = step;
    }

    await log.hover();
    await page.mouse.wheel(0, -200);
    await page.getByRole("button", { name: "Go to the end" }).waitFor();
    const scrollTop = () => log.evaluate((element) => element.scrollTop);
    const away = await log.evaluate(untilItRests);
    const before = await length();
    looks = 10;
    await expect.poll(length).toBeGreaterThan(before);
    const boxes = () =>
      page
        .getByRole("article")
        .evaluateAll((all) => all.slice(0, -1).map((one) => one.getBoundingClientRect().y));
    const boxesBefore = await boxes();
    for (let look = 0; look < 10; look++) {
      expect(await scrollTop()).toBe(away);
      expect(await boxes()).toEqual(boxesBefore);
      await page.waitForTimeout(50);
    }
    await page.getByRole("button", { name: "Go to the end" }).click();
    await expect.poll(() => page.getByRole("button", { name: "Go to the end" }).count()).toBe(0);
    await page.keyboard.press("Escape");
    await answerWith("aborted");
    expect(await log.evaluate((e) => e.scrollHeight - e.scrollTop - e.clientHeight)).toBeLessThanOrEqual(2);
    expect(
      await page.evaluate(() => (window as unknown as { seen: { shift: number } }).seen.shift),
    ).toBeLessThan(0.005);
    expect(complaints).toEqual([]);
  });

  test("200 chunks a second are one change per frame, little more work than that takes, and nothing rendered in vain", async () => {
    const { page, ask, answer, answerWith, complaints } = await open();
    for (const question of ["One", "Two"]) {
      await ask(question);
      await answerWith("done");
    }
    // Processor time, which does not grow when other programs are running.
    const session = await page.context().newCDPSession(page);
    await session.send("Performance.enable", { timeDomain: "threadTicks" });
    const workSeconds = async () => {
      const { metrics } = await session.send("Performance.getMetrics");
      return metrics.find(({ name }) => name === "TaskDuration")!.value;
    };
    await page.evaluate(watchFrames);
    const before = await workSeconds();
    await ask("200 chunks a second for 2 s");
    await expect.poll(() => figure(page, "Chunks")).toBe("402");
    await answerWith("done");
    const worked = (await workSeconds()) - before;
    const seen = await page.evaluate(() => (window as unknown as { seen: Seen }).seen);
    const beforeReference = await workSeconds();
    await page.evaluate(growPlainly, seen.frames);
    // About the same: most of it is the browser's layout and painting.
    expect(worked / ((await workSeconds()) - beforeReference)).toBeLessThan(4);
    expect(seen.changes).toBeGreaterThan(1);
    expect(seen.changes).toBeLessThanOrEqual(seen.frames + 5);
    expect(seen.panelChanges).toBeLessThanOrEqual(seen.frames + 5);
    // React keeps a new set of properties with an element whenever it is rendered.
    expect(seen.rendersOfFinished).toBe(0);
    expect(await answer().locator("p").count()).toBe(7);
    expect(await page.getByLabel("Chunks").getByRole("listitem").count()).toBe(150);
    expect(await page.getByText("The last 150 chunks are kept.").count()).toBe(1);
    expect(complaints).toEqual([]);
  });
});

/** A time as the page prints it. */
const toMs = (text: string): number => Number.parseFloat(text) * (/^\d+ ms/.test(text) ? 1 : 1000);

interface Seen {
  /** Drawn while an answer streamed. */
  frames: number;
  /** Changes of the growing answer. */
  changes: number;
  /** Changes of the panel. */
  panelChanges: number;
  rendersOfFinished: number;
}

/** Runs in the page. */
function watchFrames(): void {
  const seen: Seen = { frames: 0, changes: 0, panelChanges: 0, rendersOfFinished: 0 };
  Object.assign(window, { seen });
  const finished = [...document.querySelectorAll("article")];
  const propertiesOf = (element: Element) =>
    (element as unknown as Record<string, unknown>)[
      Object.keys(element).find((key) => key.startsWith("__reactProps"))!
    ];
  // The last one loses its Regenerate button.
  const before = finished.slice(0, -1).map(propertiesOf);
  const onFrame = () => {
    const isStreaming = document.querySelector("article[data-status=streaming]") !== null;
    if (isStreaming) seen.frames++;
    before.forEach((properties, index) => {
      if (isStreaming && propertiesOf(finished[index]!) !== properties) seen.rendersOfFinished++;
    });
    requestAnimationFrame(onFrame);
  };
  requestAnimationFrame(onFrame);
  new MutationObserver((records) => {
    const growing = document.querySelector("article[data-status=streaming]");
    const panel = document.querySelector("#stream-panel");
    if (growing === null) return;
    if (records.some(({ target }) => growing.contains(target))) seen.changes++;
    if (records.some(({ target }) => panel?.contains(target))) seen.panelChanges++;
  }).observe(document.body, { subtree: true, childList: true, characterData: true });
}

/** Runs in the page: the browser's work alone for as many frames, in each of which a text and a full list grow. */
async function growPlainly(frames: number): Promise<void> {
  const text = document.querySelector("article:last-of-type p")!;
  const list = document.querySelector("[aria-label=Chunks] li")!.parentElement!;
  const row = list.lastElementChild!;
  for (let frame = 0; frame < frames; frame++) {
    await new Promise((resolve) => requestAnimationFrame(resolve));
    text.append("word ");
    list.append(row.cloneNode(true));
    list.firstElementChild!.remove();
  }
}

/** Runs in the page. @returns where an element is scrolled to, once that has been the same for ten frames. */
async function untilItRests(element: Element): Promise<number> {
  let place = element.scrollTop;
  for (let frames = 0; frames < 10; frames++) {
    await new Promise((resolve) => requestAnimationFrame(resolve));
    if (element.scrollTop !== place) frames = 0;
    place = element.scrollTop;
  }
  return place;
}
