import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { hasChromium, launchChromium } from "./chromium.ts";
import {
  agentOf,
  type DemoPage,
  type DemoPageOptions,
  done,
  listenWith,
  openDemoPage,
  pause,
  text,
} from "./demo-page.ts";
import { startDemo } from "./demo-process.ts";
import { until } from "./live-server.ts";

describe.skipIf(!hasChromium())("the demo in Chromium", () => {
  let browser: Browser;
  let demo: DemoPage;
  const closers: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser?.close());
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });

  const open = async (url: string, options?: DemoPageOptions) => {
    demo = await openDemoPage(browser, url, options);
    closers.push(demo.close);
    return demo;
  };
  const serve = async (agent: Parameters<typeof listenWith>[0]) => {
    const server = await listenWith(agent);
    closers.push(server.close);
    return server;
  };
  const start = async (environment: Record<string, string>) => {
    const process = await startDemo(environment);
    closers.push(process.kill);
    return process;
  };

  test("an answer streams in: its text is seen at three lengths before it is complete, with its search and its sources", async () => {
    const { url } = await start({ DEMO_TOKENS_PER_SECOND: "40" });
    const { page, answer, answerWith, complaints } = await open(url);
    await page.evaluate(watchLengths);
    await page.getByRole("textbox", { name: "Message" }).fill("How does a stream end?");
    await page.getByRole("button", { name: "Send" }).click();
    await answerWith("done");
    const lengths = await page.evaluate(() => (window as unknown as { lengths: Set<number> }).lengths.size);
    expect(lengths).toBeGreaterThan(3);
    expect(await answer().getByTestId("tool-call").getAttribute("data-state")).toBe("done");
    const source = answer().getByRole("list", { name: "Sources" }).getByRole("link").first();
    const document = await fetch(new URL((await source.getAttribute("href"))!, url));
    expect(document.status).toBe(200);
    expect(await document.text()).toContain("# ");
    expect(complaints).toEqual([]);
  });

  test("every example on the empty page shows what it promises", async () => {
    const { url } = await start({ DEMO_TOKENS_PER_SECOND: "0" });
    const { page, answer, answerWith, complaints } = await open(url);
    const tryExample = async (name: string) => {
      await page.getByRole("button", { name: "New conversation" }).click();
      await page.getByRole("list", { name: "Example questions" }).getByRole("button", { name }).click();
      await answerWith("done");
      return answer();
    };

    const search = await tryExample("A search, a growing list, sources");
    expect(await search.getByTestId("tool-call").getAttribute("data-state")).toBe("done");
    expect(await search.getByTestId("structured-data").getByRole("link").count()).toBeGreaterThan(1);
    expect(await search.getByRole("list", { name: "Sources" }).getByRole("link").count()).toBeGreaterThan(0);

    const choices = await tryExample("A question back, with choices");
    const options = choices.getByTestId("question").getByRole("button");
    expect(await options.count()).toBeGreaterThan(1);
    const chosen = await options.first().locator("strong").textContent();
    await options.first().click();
    await page.getByRole("button", { name: "Regenerate" }).waitFor();
    expect(await page.getByRole("article", { name: "You" }).last().textContent()).toContain(chosen);
    expect(await answer().locator("blockquote").count()).toBeGreaterThan(0);

    const questions = await tryExample("Two questions at once");
    await questions.getByRole("textbox", { name: "Your answer" }).fill("the wire");
    await questions.getByRole("radio", { name: "Short" }).check();
    await questions.getByRole("button", { name: "Answer" }).click();
    await page.getByRole("button", { name: "Regenerate" }).waitFor();
    expect(await answer().locator("blockquote").count()).toBe(1);

    const approval = await tryExample("A tool that needs your approval");
    await approval.getByRole("button", { name: "Approve" }).click();
    await answer().getByText("Thank you!").waitFor();
    expect(await answer().getByTestId("tool-call").getAttribute("data-state")).toBe("done");
    expect(await page.getByRole("article").count()).toBe(2);

    const clock = await tryExample("A tool that runs in this page");
    await clock.getByText(/^It is \d.* where you are/).waitFor();
    expect(await clock.getByTestId("tool-call").getAttribute("data-state")).toBe("done");

    const failing = await tryExample("A tool that fails");
    const calls = failing.getByTestId("tool-call");
    expect(await calls.first().getAttribute("data-state")).toBe("error");
    expect(await calls.first().textContent()).toContain('There is no page called "nowhere.md".');
    expect(await calls.last().getAttribute("data-state")).toBe("done");
    expect(complaints).toEqual([]);
  });

  test("a text that is attached is searched, also for the next question", async () => {
    const { url } = await start({ DEMO_TOKENS_PER_SECOND: "0" });
    const { page, ask, complaints } = await open(url);
    const buffer = Buffer.from("# Garden\n\nGrass.\n\n## Roses\n\nThey grow at the wall.\n");
    await page
      .getByLabel("Attach files")
      .setInputFiles({ name: "garden.md", mimeType: "text/markdown", buffer });
    for (const [answers, question] of ["Where are the roses?", "Which roses?"].entries()) {
      await ask(question);
      await page.locator("blockquote").getByText("They grow at the wall.").nth(answers).waitFor();
    }
    expect(complaints).toEqual([]);
  });

  test("Stop stops the agent on the server, and keeps the partial answer, marked, with a Retry", async () => {
    const seen = { chunks: 0, aborted: false, ended: false };
    const { url } = await serve(
      agentOf(async function* (_question, { signal }) {
        signal.addEventListener("abort", () => {
          seen.aborted = true;
        });
        try {
          for (; !signal.aborted; seen.chunks++) {
            yield text("more ");
            await pause(20, signal);
          }
        } finally {
          seen.ended = true;
        }
      }),
    );
    const { page, ask, answer, answerWith, complaints } = await open(url);
    await ask("What is the wire?");
    await answer().getByText("more more").waitFor();
    await page.getByRole("button", { name: "Stop" }).click();
    await answerWith("aborted");
    await until(() => seen.aborted && seen.ended, "the agent stopped");
    const { chunks } = seen;
    const stopped = await answer().textContent();
    expect(stopped).toContain("Stopped");
    await page.waitForTimeout(300);
    expect(seen.chunks).toBe(chunks);
    expect(await answer().textContent()).toBe(stopped);
    expect(await page.getByTestId("stream-state").textContent()).toBe("Stopped");
    await page.getByRole("button", { name: "Retry" }).click();
    await answerWith("streaming");
    expect(await page.getByRole("article", { name: "Assistant" }).count()).toBe(1);
    // Escape stops too, wherever the focus is.
    await page.getByRole("button", { name: "New conversation" }).focus();
    await page.keyboard.press("Escape");
    await answerWith("aborted");
    expect(complaints).toEqual([]);
  });

  test("the page waits for a server that is killed mid-answer; a lost answer is marked as cut off, and Retry asks again", async () => {
    // Slow enough for the answer not to be over when the server is killed.
    const process = await start({ DEMO_TOKENS_PER_SECOND: "5" });
    const { page, ask, answer, answerWith } = await open(process.url);
    await ask("What is a chunk?");
    await answer().locator("blockquote").first().waitFor();
    await process.kill();
    await page.getByText("The connection is lost, trying again…").waitFor();
    await page.getByTestId("stream-state").getByText("Reconnecting, attempt ").waitFor();
    expect(await answer().getAttribute("data-status")).toBe("streaming");
    await start({ PORT: new URL(process.url).port, DEMO_TOKENS_PER_SECOND: "0" });
    await answerWith("truncated");
    expect(await page.getByRole("alert").textContent()).toContain("The answer was cut off");
    expect(await answer().locator("blockquote").count()).toBe(1);
    expect(await page.getByRole("button", { name: "Regenerate" }).count()).toBe(0);
    await page.getByRole("button", { name: "Retry" }).click();
    await answerWith("done");
    expect(await page.getByRole("article", { name: "Assistant" }).count()).toBe(1);
    expect(await page.getByRole("alert").count()).toBe(0);
  });

  test("a connection that breaks mid-answer costs nothing: the answer continues, and no word is lost or repeated", async () => {
    const words = Array.from({ length: 40 }, (_, index) => `word-${index} `);
    let isCut = false;
    const { url, cut } = await serve(
      agentOf(async function* (_question, { signal }) {
        for (const [index, word] of words.entries()) {
          yield text(word);
          await pause(20, signal);
          if (index === 15) await until(() => isCut, "the connection broken");
        }
        yield done;
      }),
    );
    const { page, ask, answer, answerWith } = await open(url);
    await ask("Anything");
    await answer().getByText("word-10").waitFor();
    cut();
    isCut = true;
    await answerWith("done");
    expect(await answer().locator(".markdown").textContent()).toBe(words.join("").trim());
    await expect.poll(() => page.getByTestId("stream-state").textContent()).toBe("Idle");
    expect(await page.getByRole("alert").count()).toBe(0);
  });

  test("Retry of an answer that was cut off gets the rest of it, if the server has continued, and requests no other", async () => {
    let asked = 0;
    let isCut = false;
    const { url, cut } = await serve(
      agentOf(async function* (_question, { signal }) {
        asked++;
        for (let word = 0; word < 30; word++) {
          yield text(`word-${word} `);
          await pause(20, signal);
          if (word === 10) await until(() => isCut, "the connection broken");
        }
        yield done;
      }),
    );
    const { page, ask, answer, answerWith } = await open(url);
    await ask("Anything");
    await answer().getByText("word-5").waitFor();
    await page.route("**/api/chat", (route) => route.fulfill({ status: 404, json: {} }));
    cut();
    isCut = true;
    await answerWith("truncated");
    await page.unroute("**/api/chat");
    await page.getByRole("button", { name: "Retry" }).click();
    await answerWith("done");
    expect(await answer().textContent()).toContain("word-29");
    expect(await page.getByRole("article", { name: "Assistant" }).count()).toBe(1);
    expect(asked).toBe(1);
  });

  test("another tab shows the answer growing, and Stop there stops it everywhere", async () => {
    let aborted = false;
    const { url } = await serve(
      agentOf(async function* (_question, { signal }) {
        // Also while the generator waits at a `yield`, where it is closed without a further line.
        signal.addEventListener("abort", () => {
          aborted = true;
        });
        for (let word = 0; !signal.aborted; word++) {
          yield text(`word-${word} `);
          await pause(20, signal);
        }
      }),
    );
    const { page, ask, answer, answerWith, complaints } = await open(url);
    await ask("Anything");
    await answer().getByText("word-10").waitFor();
    const other = await page.context().newPage();
    await other.goto(page.url());
    await other.locator("article[data-status=streaming]").getByText("word-20").waitFor();
    await other.getByRole("button", { name: "Stop" }).click();
    await other.locator("article[data-status=aborted]").waitFor();
    await answerWith("aborted");
    await until(() => aborted, "the agent stopped");
    const texts = await Promise.all([page, other].map((tab) => tab.locator(".markdown").textContent()));
    expect(texts[0]).toBe(texts[1]);
    expect(complaints).toEqual([]);
  });

  test("a user who is offline can stop waiting, and sees that the server was not reached", async () => {
    const { url, close } = await serve(
      agentOf(async function* (_question, { signal }) {
        yield text("Half of it.");
        await pause(60_000, signal);
      }),
    );
    const { page, ask, answer, answerWith } = await open(url);
    await ask("Anything");
    await answer().getByText("Half of it.").waitFor();
    await close();
    await page.getByText("The connection is lost, trying again…").waitFor();
    await page.getByRole("button", { name: "Stop" }).click();
    await answerWith("aborted");
    expect(await answer().textContent()).toContain("Half of it.");
    await page.getByText("The server could not be reached").first().waitFor();
  });

  test("Regenerate asks again, and puts the new answer in the place of the old one", async () => {
    let answers = 0;
    const asked: number[] = [];
    const { url } = await serve({
      async *streamChat(messages) {
        asked.push(messages.length);
        yield text(`Answer ${++answers}`);
        yield done;
      },
    });
    const { page, ask, answer, answerWith, complaints } = await open(url);
    await ask("One");
    await answerWith("done");
    await ask("Two");
    await answer().getByText("Answer 2").waitFor();
    await page.getByRole("button", { name: "Regenerate" }).click();
    await answer().getByText("Answer 3").waitFor();
    expect(await page.getByRole("article", { name: "Assistant" }).allTextContents()).toEqual([
      expect.stringContaining("Answer 1"),
      expect.stringContaining("Answer 3"),
    ]);
    expect(asked).toEqual([1, 3, 3]);
    expect(await page.getByRole("button", { name: "Regenerate" }).count()).toBe(1);
    expect(complaints).toEqual([]);
  });

  test("an agent that fails shows its error with a reference, and not the words of the error", async () => {
    const { url } = await serve(
      agentOf(async function* () {
        yield text("Half an ");
        throw new Error("password=hunter2");
      }),
    );
    const { page, ask } = await open(url);
    const log = vi.spyOn(console, "error").mockImplementation(() => {});
    onTestFinished(() => log.mockRestore());
    await ask("Anything");
    const alert = page.getByRole("alert");
    await alert.waitFor();
    const [, reference] = /Something went wrong on the server\.Reference: ([0-9a-f-]{36})/.exec(
      (await alert.textContent())!,
    )!;
    expect(await page.content()).not.toContain("hunter2");
    expect(log.mock.calls).toEqual([
      [expect.stringContaining(reference!), expect.objectContaining({ message: "password=hunter2" })],
    ]);
  });

  test("a refusal or failure of the route is explained in words, with a Retry", async () => {
    const { url } = await serve(agentOf(async function* () {}));
    const { page, ask } = await open(url);
    const cases = [
      [401, { error: "Please sign in." }, "You are not signed in"],
      [409, { error: "Active.", code: "run-active" }, "Another answer is in progress"],
      [413, { error: "Too large." }, "The question is too long"],
      [501, { error: "Not today.", code: "closed", correlationId: "c-7" }, "Not today.Reference: c-7"],
    ] as const;
    let next = 0;
    await page.route("**/api/chat", (route) => {
      const [status, json] = cases[next++] ?? [];
      return status === undefined ? route.continue() : route.fulfill({ status, json });
    });
    await ask("Anything");
    for (const [, , shown] of cases) {
      await page.getByRole("alert").getByText(shown).waitFor();
      await page.getByRole("button", { name: "Retry" }).click();
    }
    await page.getByText("The answer is empty.").waitFor();
    expect(await page.getByRole("alert").count()).toBe(0);
  });

  test("Markdown from an agent is text: no HTML, no script, no dangerous links", async () => {
    const hostile =
      '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script> [click](javascript:window.hacked=1) **bold**';
    const { url } = await serve(
      agentOf(async function* () {
        yield { type: "source", id: "1", title: "Source", url: "javascript:window.hacked=1" };
        yield { type: "file", name: "File", mediaType: "text/html", url: "data:text/html,x" };
        for (const letter of hostile) yield text(letter);
        yield done;
      }),
    );
    const { page, ask, answer, answerWith, complaints } = await open(url);
    await ask("Anything");
    await answerWith("done");
    expect(await answer().locator("strong").textContent()).toBe("bold");
    expect(await answer().getByText("Source", { exact: true }).count()).toBe(1);
    expect(await answer().getByText("File", { exact: true }).count()).toBe(1);
    expect(await answer().textContent()).not.toContain("<");
    expect(await answer().locator("img, script").count()).toBe(0);
    expect(await answer().locator("a[href^=javascript], a[href^=data]").count()).toBe(0);
    expect(await page.evaluate("window.hacked")).toBeUndefined();
    expect(complaints).toEqual([]);
  });

  test("the page fits a phone: nothing is wider than 375 px, with the stream open too", async () => {
    const { url } = await start({ DEMO_TOKENS_PER_SECOND: "0" });
    const { page, ask, answer, answerWith, complaints } = await open(url, { width: 375, height: 780 });
    // Code and tables scroll in their own boxes; nothing else may.
    const tooWide = () =>
      page.evaluate(() =>
        [...document.querySelectorAll("body *")]
          .filter((element) => {
            const { left, right } = element.getBoundingClientRect();
            return (left < 0 || right > 375) && element.closest(".scrollable > *") === null;
          })
          .map((element) => element.outerHTML.slice(0, 100)),
      );
    expect(await tooWide()).toEqual([]);
    await ask("Which errors can a stream end with?");
    await answerWith("done");
    await answer().getByTestId("tool-call").locator("summary").click();
    expect(await tooWide()).toEqual([]);
    await page.getByRole("button", { name: /^Stream/ }).click();
    await page.getByRole("complementary", { name: "Stream" }).waitFor();
    expect(await tooWide()).toEqual([]);
    expect(complaints).toEqual([]);
  });
});

/** Runs in the page: keeps the lengths that the answer has while it grows. */
function watchLengths(): void {
  const lengths = new Set<number>();
  Object.assign(window, { lengths });
  new MutationObserver(() => {
    const growing = document.querySelector("article[data-status=streaming]");
    if (growing !== null) lengths.add(growing.textContent!.length);
  }).observe(document.body, { subtree: true, childList: true, characterData: true });
}
