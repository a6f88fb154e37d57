/** The conversation is kept in the browser: over reloads, in other tabs, and with a broken storage. */
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { hasChromium, launchChromium } from "./chromium.ts";
import {
  type DemoPage,
  type DemoPageOptions,
  done,
  listenWith,
  openDemoPage,
  pause,
  text,
} from "./demo-page.ts";
import { until } from "./live-server.ts";

describe.skipIf(!hasChromium())("the demo's conversation in Chromium", () => {
  let browser: Browser;
  let demo: DemoPage;
  let server: Awaited<ReturnType<typeof listenWith>>;
  const asked: { sessionId: string | undefined; messages: number }[] = [];
  let aborted = 0;

  const agent: Parameters<typeof listenWith>[0] = {
    async *streamChat(messages, { sessionId, signal }) {
      asked.push({ sessionId, messages: messages.length });
      signal.addEventListener("abort", () => aborted++);
      const question = messages.at(-1)?.content ?? "";
      yield text(`You said ${question}.`);
      if (question === "rename me") yield { type: "session", sessionId: "renamed" };
      const [isLong, end = "1000"] = /^count(?: to (\d+))?/.exec(question) ?? [];
      for (let word = 0; isLong && word < Number(end) && !signal.aborted; word++) {
        yield text(` word-${word}`);
        await pause(20, signal);
      }
      if (question === "ask me") {
        const options = [{ id: "a", label: "Alpha" }];
        const input = { kind: "choice", multiple: false, question: "Which?", options } as const;
        yield { type: "interrupt", requestId: "r", resumeToken: "t", input };
      }
      yield done;
    },
  };

  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(async () => {
    await browser?.close();
  });
  afterEach(async () => {
    await demo.close();
    await server.close();
  });

  const open = async (store?: null, options?: DemoPageOptions) => {
    server = await listenWith(agent, store);
    demo = await openDemoPage(browser, server.url, options);
    asked.length = 0;
    return demo;
  };
  const said = (page: Page) => page.getByRole("article", { name: "You" }).locator("p").allTextContents();

  test("a reload shows the conversation as it was, and continues it in the same session", async () => {
    const { page, ask, answerWith, complaints } = await open();
    await ask("One");
    await answerWith("done");
    await ask("Two");
    await page.getByText("You said Two.", { exact: true }).waitFor();
    await answerWith("done");
    await page.reload();
    await page.getByText("You said Two.", { exact: true }).waitFor();
    expect(await said(page)).toEqual(["One", "Two"]);
    // A complete answer is not requested again.
    expect(await page.getByRole("button", { name: "Regenerate" }).count()).toBe(1);
    await ask("Three");
    await page.getByText("You said Three.", { exact: true }).waitFor();
    expect(asked.map(({ messages }) => messages)).toEqual([1, 3, 5]);
    expect(new Set(asked.map(({ sessionId }) => sessionId)).size).toBe(1);
    expect(complaints).toEqual([]);
  });

  test("a session that the server has renamed is kept", async () => {
    const { page, ask, answerWith, complaints } = await open();
    await ask("rename me");
    await answerWith("done");
    await page.reload();
    await ask("again");
    await page.getByText("You said again.", { exact: true }).waitFor();
    expect(asked.at(-1)?.sessionId).toBe("renamed");
    expect(complaints).toEqual([]);
  });

  test("a reload mid-answer loses nothing: the answer continues", async () => {
    const { page, ask, answer, answerWith, complaints } = await open();
    await ask("count to 40");
    await answer().getByText("word-10").waitFor();
    await page.reload();
    await answer().getByText("word-20").waitFor();
    await answerWith("done");
    const words = Array.from({ length: 40 }, (_, index) => ` word-${index}`).join("");
    expect(await answer().locator(".markdown").textContent()).toBe(`You said count to 40.${words}`);
    expect(await page.getByRole("article", { name: "Assistant" }).count()).toBe(1);
    expect(asked).toHaveLength(1);
    expect(complaints).toEqual([]);
  });

  test("an answer that was stopped stays so after a reload", async () => {
    const { page, ask, answer, answerWith, complaints } = await open();
    await ask("count");
    await answer().getByText("word-5").waitFor();
    await page.getByRole("button", { name: "Stop" }).click();
    await answerWith("aborted");
    const stopped = await answer().textContent();
    await page.reload();
    await answerWith("aborted");
    expect(await answer().textContent()).toBe(stopped);
    expect(await page.locator(".composer").textContent()).toContain("Stopped");
    expect(complaints).toEqual([]);
  });

  test("without runs, a reload cuts the answer off: it is kept, marked, and can be requested again", async () => {
    const { page, ask, answer, answerWith, complaints } = await open(null);
    const before = aborted;
    await ask("count");
    await answer().getByText("word-10").waitFor();
    await page.reload();
    await answerWith("truncated");
    expect(await answer().textContent()).toContain("word-10");
    expect(await page.getByRole("alert").textContent()).toContain("The answer was cut off");
    await until(() => aborted > before, "the agent of the page that is gone has stopped");
    await page.getByRole("button", { name: "Retry" }).click();
    await answerWith("streaming");
    await page.getByRole("button", { name: "Stop" }).click();
    await answerWith("aborted");
    expect(await page.getByRole("article", { name: "Assistant" }).count()).toBe(1);
    // The browser itself notes that a route without runs refuses GET and DELETE.
    expect(new Set(complaints)).toEqual(new Set([expect.stringContaining("405")]));
  });

  test("a question from the agent can still be answered after a reload", async () => {
    const { page, ask, complaints } = await open();
    await ask("ask me");
    await page.getByRole("button", { name: "Alpha" }).waitFor();
    await page.reload();
    await page.locator(".composer").getByText("Waiting for your answer").waitFor();
    await page.getByRole("button", { name: "Alpha" }).click();
    await page.getByText("You said Alpha.", { exact: true }).waitFor();
    expect(complaints).toEqual([]);
  });

  test("New begins another conversation; the Back button returns to the first one", async () => {
    const { page, ask, startOver, answerWith, complaints } = await open();
    await ask("First");
    await answerWith("done");
    await startOver();
    await ask("Second");
    await answerWith("done");
    await page.reload();
    await expect.poll(() => said(page)).toEqual(["Second"]);
    await page.goBack();
    await expect.poll(() => said(page)).toEqual(["First"]);
    await ask("Third");
    await page.getByText("You said Third.", { exact: true }).waitFor();
    expect(asked.map(({ messages }) => messages)).toEqual([1, 1, 3]);
    expect(asked[2]?.sessionId).toBe(asked[0]?.sessionId);
    expect(complaints).toEqual([]);
  });

  test("an answer that is left continues on the server, and is complete on return", async () => {
    const { page, ask, startOver, answer, answerWith, complaints } = await open();
    await ask("count to 40");
    await answer().getByText("word-5").waitFor();
    await startOver();
    await ask("Meanwhile");
    await answerWith("done");
    await page.goBack();
    await answer().getByText("word-39").waitFor();
    await answerWith("done");
    expect(asked).toHaveLength(2);
    expect(complaints).toEqual([]);
  });

  test("a second tab at the same address has the same conversation, and one without it begins another", async () => {
    const { page, ask, answerWith } = await open();
    await ask("Here");
    await answerWith("done");
    const same = await page.context().newPage();
    await same.goto(page.url());
    await expect.poll(() => said(same)).toEqual(["Here"]);
    const other = await page.context().newPage();
    await other.goto(server.url);
    await other.getByRole("textbox", { name: "Message" }).fill("There");
    await other.keyboard.press("Enter");
    await other.getByText("You said There.", { exact: true }).waitFor();
    await page.reload();
    await expect.poll(() => said(page)).toEqual(["Here"]);
  });

  test("a page whose storage is full or switched off works, and forgets", async () => {
    const { page, ask, answerWith, complaints } = await open(undefined, { isPrivate: true });
    await page.addInitScript(() => {
      if (location.search === "?full") {
        Storage.prototype.setItem = () => {
          throw new DOMException("full", "QuotaExceededError");
        };
      } else {
        Object.defineProperty(window, "localStorage", {
          get() {
            throw new DOMException("denied", "SecurityError");
          },
        });
      }
    });
    for (const search of ["?full", "?off"]) {
      await page.goto(`${server.url}/${search}`);
      await ask("Hello");
      await answerWith("done");
      expect(await said(page)).toEqual(["Hello"]);
    }
    expect(complaints).toEqual([]);
  });
});
