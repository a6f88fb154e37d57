/** Every part that an answer can have, as it grows and as it ends. */
import type { ChatResume, StreamChunk } from "@kortyx/server";
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { hasChromium, launchChromium } from "./chromium.ts";
import { agentOf, type DemoPage, done, listenWith, openDemoPage, text } from "./demo-page.ts";

describe.skipIf(!hasChromium())("the parts of an answer in Chromium", () => {
  let browser: Browser;
  let demo: DemoPage;
  let server: Awaited<ReturnType<typeof listenWith>>;
  /** Makes the agent yield a chunk; it waits in between. */
  let say: (chunk: StreamChunk) => void;
  let breakOff: (error: Error) => void;
  let resumed: ChatResume | undefined;
  let onAgent = () => {};

  beforeAll(async () => {
    browser = await launchChromium();
    server = await listenWith(
      agentOf(async function* (_question, { resume, signal }) {
        resumed = resume;
        onAgent();
        const said: StreamChunk[] = [];
        let wake = () => {};
        let failure: Error | undefined;
        say = (chunk) => {
          said.push(chunk);
          wake();
        };
        breakOff = (error) => {
          failure = error;
          wake();
        };
        signal.addEventListener("abort", () => wake());
        while (!signal.aborted) {
          const chunk = said.shift();
          if (chunk !== undefined) yield chunk;
          else if (failure !== undefined) throw failure;
          else
            await new Promise<void>((resolve) => {
              wake = resolve;
            });
          if (chunk?.type === "done") return;
        }
      }),
    );
    demo = await openDemoPage(browser, server.url);
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });
  afterEach(() => expect(demo.complaints).toEqual([]));

  /** Resolves when the agent is called the next time. */
  const nextAgent = () =>
    new Promise<void>((resolve) => {
      onAgent = resolve;
    });

  /** Asks in a new conversation, and returns when the agent was called. */
  async function begin() {
    await demo.page.getByRole("button", { name: "New conversation" }).click();
    const agent = nextAgent();
    await demo.ask("Anything");
    await agent;
    return demo;
  }
  const card = () => demo.answer().getByTestId("tool-call").last();
  const cardIn = (state: string) =>
    demo.page.locator(`[data-testid=tool-call][data-state=${state}]`).last().waitFor();

  test("a tool call shows its input while that grows, that it runs, and its result", async () => {
    await begin();
    const call = { tool: "send_mail", toolCallId: "1" };
    say({ type: "tool-call-start", ...call });
    say({ type: "tool-call-delta", toolCallId: "1", delta: '{"to":"ada@' });
    await cardIn("input-streaming");
    await card().locator("summary").click();
    await card().locator("pre").getByText('{"to":"ada@').waitFor();
    say({ type: "tool-call-delta", toolCallId: "1", delta: 'example.com"}' });
    await card().locator("pre").getByText('{"to":"ada@example.com"}').waitFor();
    say({ type: "tool-call-ready", ...call, input: { to: "ada@example.com" } });
    await cardIn("running");
    expect(await card().locator("summary").textContent()).toContain("send mail");
    say({ type: "tool-call-result", ...call, content: { accepted: true, size_in_bytes: 1234 } });
    await cardIn("done");
    // An open card stays open while it changes.
    expect(await card().locator("pre").last().textContent()).toBe(
      '{\n  "accepted": true,\n  "size_in_bytes": 1234\n}',
    );

    say({ type: "tool-call-start", ...call, toolCallId: "2", input: {} });
    say({ type: "tool-call-result", ...call, toolCallId: "2", content: "No such address.", isError: true });
    await cardIn("error");
    say({ type: "tool-call-start", ...call, toolCallId: "3", input: {} });
    say({ type: "tool-call-error", ...call, toolCallId: "3", message: "The mail server is down." });
    await card().getByText("The mail server is down.").waitFor();
    say({ type: "tool-call-start", ...call, toolCallId: "4", input: {} });
    await cardIn("running");
    say(done);
    await cardIn("interrupted");
    expect(await card().textContent()).toContain("Interrupted");
  });

  test("a reading list grows item by item, and letter by letter", async () => {
    await begin();
    const head = { type: "structured-data", streamId: "s", dataType: "reading-list" } as const;
    const list = demo.page.getByTestId("structured-data");
    say({ ...head, kind: "set", path: "title", value: "Read more" });
    await list.getByRole("heading", { name: "Read more" }).waitFor();
    expect(await list.getAttribute("data-state")).toBe("running");
    for (const [index, heading] of ["Runs", "Stop"].entries()) {
      const item = { heading, page: "Docs", url: "/docs/a.md", summary: "" };
      say({ ...head, kind: "append", path: "items", items: [item] });
      await list.getByRole("link", { name: heading }).waitFor();
      expect(await list.getByRole("listitem").count()).toBe(index + 1);
    }
    say({ ...head, kind: "text-delta", path: "items.1.summary", delta: "How to" });
    await list.getByText("How to", { exact: true }).waitFor();
    say({ ...head, kind: "text-delta", path: "items.1.summary", delta: " end it" });
    await list.getByText("How to end it").waitFor();
    // The panel shows the new piece first: a row may be too short for the rest.
    const newest = demo.page.getByLabel("Chunks").getByRole("listitem").last();
    await newest.getByText('structured-data {"delta":" end it"').waitFor();
    expect(await list.getByRole("listitem").first().textContent()).toContain("Docs");
    const items = [{ heading: "Runs", page: "Docs", url: "/docs/a.md", summary: "All" }];
    say({ ...head, kind: "final", data: { title: "Read", items } });
    say(done);
    await demo.answerWith("done");
    expect(await list.getAttribute("data-state")).toBe("done");
    expect(await list.getByRole("listitem").count()).toBe(1);
  });

  test("data of a type that the page does not know is shown as JSON while it grows", async () => {
    await begin();
    const head = { type: "structured-data", streamId: "s", dataType: "trip-plan" } as const;
    const card = demo.page.getByTestId("structured-data");
    say({ ...head, kind: "set", path: "destination", value: "Lisbon" });
    await card.getByText('"destination": "Lisbon"').waitFor();
    say({ ...head, kind: "append", path: "stops", items: [{ city: "Porto" }] });
    await card.getByText('"city": "Porto"').waitFor();
    // The stream ends before the data is final.
    say(done);
    await demo.answerWith("done");
    expect(await card.textContent()).toContain("Not complete");
    expect(await card.getByRole("heading").textContent()).toBe("trip plan");
  });

  const ask = (input: Extract<StreamChunk, { type: "interrupt" }>["input"]) => {
    say({ type: "interrupt", requestId: "r", resumeToken: "t", input });
    say({ ...done, finishReason: "interrupt" } as StreamChunk);
  };
  const options = [
    { id: "a", label: "Alpha", description: "The first" },
    { id: "b", label: "Beta" },
    { id: "c", label: "Gamma" },
  ];

  test("a choice is one press; its label is the user's message, and the question is closed", async () => {
    const { page, answer, answerWith } = await begin();
    ask({ kind: "choice", multiple: false, question: "Which one?", options });
    const question = page.getByRole("group", { name: "Which one?" });
    await question.waitFor();
    expect(await page.getByRole("button", { name: "Regenerate" }).count()).toBe(0);
    const agent = nextAgent();
    await question.getByRole("button", { name: "Beta" }).click();
    await agent;
    expect(resumed).toEqual({ requestId: "r", resumeToken: "t", answer: "b" });
    const said = page.getByRole("article", { name: "You" }).last().locator("p");
    await expect.poll(() => said.textContent()).toBe("Beta");
    await expect.poll(() => question.getByRole("button", { name: "Alpha" }).isDisabled()).toBe(true);
    // The button that was pressed is gone; a keyboard continues in the text box.
    await expect.poll(() => page.evaluate("document.activeElement.ariaLabel")).toBe("Message");
    say(text("Beta it is."));
    say(done);
    // The first answer is done already, and the second one may not be on the page yet.
    await expect.poll(() => answer().textContent()).toContain("Beta it is.");
    await answerWith("done");
  });

  test("several choices are ticked and confirmed, in the order in which they are offered", async () => {
    const { page } = await begin();
    ask({ kind: "multi-choice", multiple: true, question: "Which ones?", options });
    const question = page.getByRole("group", { name: "Which ones?" });
    const confirm = question.getByRole("button", { name: "Confirm" });
    await question.waitFor();
    // Without a choice there is nothing to confirm.
    await confirm.click();
    expect(await question.getByRole("checkbox").first().isEnabled()).toBe(true);
    for (const name of ["Gamma", "Beta", "Alpha", "Beta"]) {
      await question.getByRole("checkbox", { name }).focus();
      await page.keyboard.press("Space");
    }
    const agent = nextAgent();
    await confirm.click();
    await agent;
    expect(resumed?.answer).toEqual(["a", "c"]);
    const said = page.getByRole("article", { name: "You" }).last().locator("p");
    await expect.poll(() => said.textContent()).toBe("Alpha, Gamma");
  });

  test("a question for words takes the focus of a waiting user, and Enter answers", async () => {
    const { page } = await begin();
    ask({ kind: "text", multiple: false, question: "What is your name?" });
    const field = page.getByRole("textbox", { name: "Your answer" });
    await field.waitFor();
    await expect.poll(() => field.evaluate((element) => element === document.activeElement)).toBe(true);
    const agent = nextAgent();
    await page.keyboard.type(" Ada ");
    await page.keyboard.press("Enter");
    await agent;
    expect(resumed?.answer).toBe("Ada");
  });

  test("a refused answer can be tried again, with the same words", async () => {
    const { page, answerWith, complaints } = await begin();
    ask({ kind: "text", multiple: true });
    const field = page.getByRole("textbox", { name: "Your answers, one in each line" });
    await field.fill("One\n\n Two");
    await page.route("**/api/chat", (route) => route.fulfill({ status: 413, json: {} }));
    await page.getByRole("button", { name: "Answer" }).click();
    await page.getByRole("alert").waitFor();
    await page.unroute("**/api/chat");
    resumed = undefined;
    const agent = nextAgent();
    await page.getByRole("button", { name: "Retry" }).click();
    await agent;
    expect(resumed).toMatchObject({ answer: ["One", "Two"] });
    say(done);
    await answerWith("done");
    expect(complaints.splice(0)).toEqual([expect.stringContaining("413")]);
  });

  test("sources, files, reasoning and parallel texts are shown in their places", async () => {
    const { answer, answerWith } = await begin();
    say({ type: "reasoning-delta", delta: "The user wants both." });
    await answer().getByText("Running").waitFor();
    say({ type: "text-delta", segmentId: "one", delta: "First, " });
    say({ type: "text-delta", segmentId: "two", delta: "Second, " });
    say({ type: "text-delta", segmentId: "one", delta: "one." });
    say({ type: "text-delta", segmentId: "two", delta: "two." });
    say({ type: "file", mediaType: "application/pdf", url: "/report.pdf", name: "report.pdf" });
    say({ type: "source", id: "1", title: "A document", url: "/docs/a.md" });
    say({ type: "source", id: "2", title: "A book" });
    say(done);
    await answerWith("done");
    expect(await answer().locator(".markdown").allTextContents()).toEqual(["First, one.", "Second, two."]);
    expect(await answer().getByRole("link", { name: "report.pdf" }).getAttribute("href")).toBe("/report.pdf");
    const sources = answer().getByRole("list", { name: "Sources" });
    expect(await sources.getByRole("listitem").allTextContents()).toEqual(["A document", "A book"]);
    expect(await sources.getByRole("link").count()).toBe(1);
    expect(await answer().getByText("The user wants both.").isVisible()).toBe(false);
    await answer().getByTestId("reasoning").locator("summary").click();
    expect(await answer().getByText("The user wants both.").isVisible()).toBe(true);
  });

  test("a tool loop without keys and ids keeps its order on the page and in the copy", async () => {
    const { page, answer, answerWith } = await begin();
    const call = { tool: "weather", toolCallId: "" };
    say(text(""));
    say({ type: "reasoning-delta", delta: "Two cities." });
    say(text("Let me "));
    say(text("look."));
    for (const city of ["Rome", "Oslo"]) {
      say({ type: "tool-call-start", ...call, input: { city } });
      say({ type: "tool-call-result", ...call, content: `Sun in ${city}` });
    }
    say(text("It is sunny in both."));
    say({ type: "message", content: "It is sunny in both." });
    say(done);
    await answerWith("done");
    const shown = answer().locator(".markdown, [data-testid=tool-call], [data-testid=reasoning]");
    expect(
      await shown.evaluateAll((elements) =>
        elements.map(({ dataset, textContent }) => dataset.testid ?? textContent),
      ),
    ).toEqual(["reasoning", "Let me look.", "tool-call", "tool-call", "It is sunny in both."]);
    const cards = answer().getByTestId("tool-call");
    expect(await cards.first().textContent()).toContain("Sun in Rome");
    expect(await cards.last().textContent()).toContain("Sun in Oslo");
    await page.evaluate("navigator.clipboard.writeText = async (said) => { globalThis.copied = said; }");
    await answer().getByRole("button", { name: "Copy" }).click();
    await expect.poll(() => page.evaluate("globalThis.copied")).toBe("Let me look.\n\nIt is sunny in both.");
  });

  test("an answer that fails is marked, and the part that has arrived is kept", async () => {
    const { page, answer, answerWith } = await begin();
    say(text("Half an "));
    await answerWith("streaming");
    const log = vi.spyOn(console, "error").mockImplementation(() => {});
    breakOff(new Error("secret"));
    await answerWith("error");
    expect(log.mock.calls).toEqual([[expect.any(String), expect.objectContaining({ message: "secret" })]]);
    log.mockRestore();
    expect(await answer().textContent()).toContain("Half an");
    expect(await page.getByRole("alert").textContent()).toContain("The answer failed");
    const agent = nextAgent();
    await page.getByRole("button", { name: "Retry" }).click();
    await agent;
    say({ type: "abort", reason: "timeout" });
    await answerWith("aborted");
    expect(await answer().textContent()).toContain("Out of time");
  });
});
