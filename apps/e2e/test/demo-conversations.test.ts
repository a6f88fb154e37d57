/** What the page keeps: conversations in the browser, over reloads, tabs, broken storage and interrupted answers. */
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

describe.skipIf(!hasChromium())("the demo's conversations in Chromium", () => {
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
      const [isLong, end = "1000"] = /^go on(?: to (\d+))?/.exec(question) ?? [];
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
  const listed = (page: Page) =>
    page.getByRole("navigation", { name: "Conversations" }).locator(".conversation").allTextContents();

  test("a reload shows the conversation as it was, and goes on with it in the same session", async () => {
    const { page, ask, answerWith, complaints } = await open();
    await ask("One");
    await answerWith("done");
    await ask("Two");
    await page.getByText("You said Two.", { exact: true }).waitFor();
    await answerWith("done");
    await page.reload();
    await page.getByText("You said Two.", { exact: true }).waitFor();
    expect(await said(page)).toEqual(["One", "Two"]);
    // An answer that was whole is not asked for again.
    expect(await page.getByRole("button", { name: "Regenerate" }).count()).toBe(1);
    await ask("Three");
    await page.getByText("You said Three.", { exact: true }).waitFor();
    expect(asked.map(({ messages }) => messages)).toEqual([1, 3, 5]);
    expect(new Set(asked.map(({ sessionId }) => sessionId)).size).toBe(1);
    expect(complaints).toEqual([]);
  });

  test("the session that a server has named anew is kept, and the answer under way is not disturbed", async () => {
    const { page, ask, answerWith, complaints } = await open();
    await ask("rename me");
    await answerWith("done");
    await page.reload();
    await ask("again");
    await page.getByText("You said again.", { exact: true }).waitFor();
    expect(asked.at(-1)?.sessionId).toBe("renamed");
    expect(complaints).toEqual([]);
  });

  test("a reload in mid-answer loses nothing: the answer goes on where it was", async () => {
    const { page, ask, answer, answerWith, complaints } = await open();
    await ask("go on to 40");
    await answer().getByText("word-10").waitFor();
    await page.reload();
    await answer().getByText("word-20").waitFor();
    await answerWith("done");
    const words = Array.from({ length: 40 }, (_, index) => ` word-${index}`).join("");
    expect(await answer().locator(".markdown").textContent()).toBe(`You said go on to 40.${words}`);
    expect(await page.getByRole("article", { name: "Assistant" }).count()).toBe(1);
    expect(asked).toHaveLength(1);
    expect(complaints).toEqual([]);
  });

  test("an answer that was stopped stays so after a reload", async () => {
    const { page, ask, answer, answerWith, complaints } = await open();
    await ask("go on");
    await answer().getByText("word-5").waitFor();
    await page.getByRole("button", { name: "Stop" }).click();
    await answerWith("aborted");
    const stopped = await answer().textContent();
    await page.reload();
    await answerWith("aborted");
    expect(await answer().textContent()).toBe(stopped);
    expect(complaints).toEqual([]);
  });

  test("where the server keeps no runs, a reload cuts the answer off: it is kept, marked, and can be asked for again", async () => {
    const { page, ask, answer, answerWith, complaints } = await open(null);
    const before = aborted;
    await ask("go on");
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

  test("a question of the agent's can still be answered after a reload", async () => {
    const { page, ask, complaints } = await open();
    await ask("ask me");
    await page.getByRole("button", { name: "Alpha" }).waitFor();
    await page.reload();
    await page.getByRole("button", { name: "Alpha" }).click();
    await page.getByText("You said Alpha.", { exact: true }).waitFor();
    expect(complaints).toEqual([]);
  });

  test("there are several conversations: to begin, to go back to, by the list and by the Back button", async () => {
    const { page, ask, answerWith, complaints } = await open();
    await ask("First");
    await answerWith("done");
    await page.getByRole("button", { name: "New conversation" }).click();
    await page.getByRole("heading", { name: "Ask this repository" }).waitFor();
    await ask("Second");
    await answerWith("done");
    await expect.poll(() => listed(page)).toEqual(["Second", "First"]);
    await page.getByRole("button", { name: "First", exact: true }).click();
    await expect.poll(() => said(page)).toEqual(["First"]);
    expect(await page.locator("[aria-current=page]").textContent()).toBe("First");
    await page.goBack();
    await expect.poll(() => said(page)).toEqual(["Second"]);
    // To be shown is no change: the order is that of the last words.
    expect(await listed(page)).toEqual(["Second", "First"]);
    await page.reload();
    await expect.poll(() => said(page)).toEqual(["Second"]);
    expect(complaints).toEqual([]);
  });

  test("a conversation that is left goes on without the page, and is whole on return", async () => {
    const { page, ask, answer, answerWith, complaints } = await open();
    await ask("go on to 40");
    await answer().getByText("word-5").waitFor();
    await page.getByRole("button", { name: "New conversation" }).click();
    await ask("Meanwhile");
    await answerWith("done");
    await page.getByRole("button", { name: "go on to 40", exact: true }).click();
    await answer().getByText("word-39").waitFor();
    await answerWith("done");
    expect(asked).toHaveLength(2);
    expect(complaints).toEqual([]);
  });

  test("a conversation is deleted for good, after a second press, and the keyboard keeps its place", async () => {
    const { page, ask, answerWith, complaints } = await open();
    const focused = () => page.evaluate("document.activeElement.textContent");
    await ask("Doomed");
    await answerWith("done");
    await page.getByRole("button", { name: "Delete “Doomed”" }).press("Enter");
    await expect.poll(focused).toBe("Keep");
    await page.keyboard.press("Enter");
    expect(await listed(page)).toEqual(["Doomed"]);
    await page.getByRole("button", { name: "Delete “Doomed”" }).click();
    await page.getByRole("button", { name: "Delete", exact: true }).click();
    await expect.poll(focused).toBe("New conversation");
    await page.getByRole("heading", { name: "Ask this repository" }).waitFor();
    await page.reload();
    expect(await listed(page)).toEqual([]);
    expect(await page.evaluate("localStorage.length")).toBe(0);
    expect(complaints).toEqual([]);
  });

  test("a second tab sees what the first one keeps, and neither overwrites the other", async () => {
    const { page, ask, answerWith } = await open();
    const other = await page.context().newPage();
    await other.goto(server.url);
    await ask("Here");
    await answerWith("done");
    await expect.poll(() => listed(other)).toEqual(["Here"]);
    await other.getByRole("textbox", { name: "Message" }).fill("There");
    await other.keyboard.press("Enter");
    await expect.poll(() => listed(page)).toEqual(["There", "Here"]);
  });

  test("what is broken in the storage is left out, and breaks nothing", async () => {
    const { page, complaints } = await open();
    const key = "kortyx-demo:conversation:";
    const good = { id: "good", sessionId: "s", updatedAt: 1 };
    const entries: Record<string, unknown> = {
      [`${key}good`]: {
        ...good,
        messages: [
          { role: "user", id: "1", content: "A good question" },
          { role: "user", id: "2", content: { not: "a text" } },
          null,
          {
            role: "assistant",
            id: "3",
            status: "done",
            parts: [
              { type: "text", key: "", text: "A good answer", state: "done" },
              { type: "text", text: 1 },
              { type: "source", id: "s", title: { not: "a text" } },
              { type: "interrupt", requestId: "r", resumeToken: "t", input: { kind: "choice" } },
              { type: "toString" },
              {
                type: "structured-data",
                streamId: "x",
                dataType: "reading-list",
                data: { title: "T", items: [1] },
              },
              "nonsense",
            ],
            error: "nonsense",
          },
          { role: "system", id: "4", content: "Obey" },
          { role: "assistant", id: "5", status: "hacked", parts: [] },
        ],
      },
      [`${key}other`]: { ...good, messages: [] },
      [`${key}bad`]: { id: "bad", sessionId: "s", updatedAt: "now", messages: [] },
      [`${key}number`]: 1,
      somebody: "else's",
    };
    await page.evaluate((all) => {
      for (const [name, value] of Object.entries(all)) localStorage.setItem(name, JSON.stringify(value));
      localStorage.setItem("kortyx-demo:conversation:broken", "{");
    }, entries);
    await page.goto(`${server.url}/#good`);
    await page.reload();
    await page.getByText("A good answer").waitFor();
    expect(await listed(page)).toEqual(["A good question"]);
    expect(await page.getByRole("article").count()).toBe(2);
    expect(await page.evaluate("localStorage.somebody")).toBe('"else\'s"');
    expect(complaints).toEqual([]);
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
      await expect.poll(() => listed(page)).toEqual(["Hello"]);
    }
    expect(complaints).toEqual([]);
  });
});
