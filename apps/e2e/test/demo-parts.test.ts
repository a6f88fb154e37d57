/** Every part that an answer can have, as it grows and as it ends. */
import type { ChatAgentOptions, ChatMessage, ChatResume, StreamChunk } from "@kortyx/server";
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
  /** What the agent was last called with. */
  let called: ChatAgentOptions = {};
  let asked: ChatMessage | undefined;
  let onAgent = () => {};

  beforeAll(async () => {
    browser = await launchChromium();
    server = await listenWith(
      agentOf(async function* (_question, { signal, ...options }, message) {
        called = options;
        asked = message;
        resumed = options.resume;
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

  async function openNew() {
    await demo.page.getByRole("button", { name: "New conversation" }).click();
    return demo;
  }
  /** Asks in a new conversation, and returns when the agent was called. */
  async function begin() {
    await openNew();
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
    const confirm = page.getByRole("button", { name: "Answer" });
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

  test("two questions are one form: both answers are one request, and the same message continues", async () => {
    const { page, answer, answerWith } = await begin();
    const head = { type: "interrupt", resumeToken: "t" } as const;
    const who = { kind: "text", multiple: false, question: "Who are you?" } as const;
    const which = { kind: "choice", multiple: false, question: "Which one?", options } as const;
    say({ ...head, requestId: "who", input: who });
    say({ ...head, requestId: "which", input: which });
    say({ ...done, finishReason: "interrupt" } as StreamChunk);
    const field = page
      .getByRole("group", { name: "Who are you?" })
      .getByRole("textbox", { name: "Your answer" });
    await expect.poll(() => field.evaluate((element) => element === document.activeElement)).toBe(true);
    await page.keyboard.type("Ada");
    await page.keyboard.press("Enter");
    // The browser asks for the other answer, and moves there.
    await expect.poll(() => page.evaluate("document.activeElement.type")).toBe("radio");
    await page.keyboard.press("ArrowDown");
    const agent = nextAgent();
    await page.keyboard.press("Enter");
    await agent;
    expect(called.resumes).toEqual([
      { requestId: "who", resumeToken: "t", answer: "Ada" },
      { requestId: "which", resumeToken: "t", answer: "b" },
    ]);
    await expect.poll(() => page.evaluate("document.activeElement.ariaLabel")).toBe("Message");
    say({ type: "interrupt-resolved", requestId: "who", outcome: "answered", answer: "Ada" });
    say({ type: "interrupt-resolved", requestId: "which", outcome: "answered", answer: "b" });
    say(text("Hello Ada."));
    say(done);
    await answer().getByText("Hello Ada.").waitFor();
    await answerWith("done");
    expect(await page.getByRole("article").count()).toBe(2);
    // What was answered stays visible, after a reload too.
    await page.reload();
    expect(await field.inputValue()).toBe("Ada");
    expect(await page.getByRole("radio", { name: "Beta" }).isChecked()).toBe(true);
    expect(await page.getByRole("radio", { name: "Beta" }).isDisabled()).toBe(true);
  });

  const mail = { tool: "send_mail", toolCallId: "1" };
  const approval = () => demo.page.getByRole("group", { name: "Send it?" });

  /** Begins a call that waits for approval. */
  async function propose() {
    await begin();
    say({ type: "tool-call-start", ...mail, input: { to: "ada@example.com", text: "Hi", copies: 2 } });
    const decisions = ["approve", "edit", "deny"].map((id) => ({ id, label: id }));
    const input = { kind: "choice", multiple: false, question: "Send it?", options: decisions } as const;
    say({ type: "interrupt", requestId: "r", resumeToken: "t", toolCallId: "1", input });
    say({ ...done, finishReason: "interrupt" } as StreamChunk);
    await cardIn("awaiting-approval");
    return demo;
  }
  /** Presses a button, and returns the decision that the agent receives. */
  async function decide(press: () => Promise<void>) {
    const agent = nextAgent();
    await press();
    await agent;
    expect(called.trigger).toBe("continue");
    return called.resumes;
  }
  const resolved: StreamChunk = { type: "interrupt-resolved", requestId: "r", outcome: "answered" };

  test("a call that waits for approval shows what it would do, and runs in the same message once approved", async () => {
    const { page, answerWith } = await propose();
    await approval().getByText("ada@example.com").waitFor();
    expect(await page.getByRole("status").textContent()).toBe("The assistant asks: Send it?");
    const resumes = await decide(() => approval().getByRole("button", { name: "Approve" }).click());
    expect(resumes).toEqual([{ requestId: "r", resumeToken: "t", toolCallId: "1", answer: "approve" }]);
    await expect.poll(() => page.evaluate("document.activeElement.ariaLabel")).toBe("Message");
    say(resolved);
    await cardIn("running");
    say({ type: "tool-call-result", ...mail, content: "Sent." });
    say(text("It is sent."));
    say(done);
    await cardIn("done");
    await answerWith("done");
    expect(await page.getByRole("article").count()).toBe(2);
    expect(await approval().count()).toBe(0);
  });

  test("the input of a call is changed before it is approved, with a keyboard alone", async () => {
    const { page } = await propose();
    await approval().getByRole("button", { name: "Edit" }).focus();
    await page.keyboard.press("Enter");
    const field = approval().getByRole("textbox", { name: "to" });
    await expect.poll(() => field.evaluate((element) => element === document.activeElement)).toBe(true);
    await page.keyboard.press("ControlOrMeta+A");
    await page.keyboard.type("eve@example.com");
    for (const _ of ["text", "Approve"]) await page.keyboard.press("Tab");
    const resumes = await decide(() => page.keyboard.press("Enter"));
    const input = { to: "eve@example.com", text: "Hi", copies: 2 };
    expect(resumes).toMatchObject([{ answer: "edit", input }]);
    say(resolved);
    say({ type: "tool-call-ready", ...mail, input });
    say({ type: "tool-call-error", ...mail, message: "There is no such address." });
    say(done);
    await cardIn("error");
    expect(await card().textContent()).toContain("eve@example.com");
  });

  test("a call that is denied is shown as denied, and a changed mind leaves its input as it was", async () => {
    const { answerWith } = await propose();
    await approval().getByRole("button", { name: "Edit" }).click();
    await approval().getByRole("textbox", { name: "to" }).fill("eve@example.com");
    await approval().getByRole("button", { name: "Cancel" }).click();
    await approval().getByText("ada@example.com").waitFor();
    const resumes = await decide(() => approval().getByRole("button", { name: "Deny" }).click());
    expect(resumes).toMatchObject([{ answer: "deny" }]);
    say(resolved);
    say({ type: "tool-call-denied", ...mail, reason: "The user said no." });
    say(done);
    await cardIn("denied");
    await answerWith("done");
    expect(await card().textContent()).toContain("The user said no.");
  });

  test("an approval that waits can still be given after a reload", async () => {
    const { page } = await propose();
    await page.reload();
    const resumes = await decide(() => approval().getByRole("button", { name: "Approve" }).click());
    expect(resumes).toMatchObject([{ answer: "approve" }]);
    say(done);
    await cardIn("interrupted");
  });

  test("a tool of the page runs there, and the answer continues with its result", async () => {
    const { page, answer } = await begin();
    expect(called.tools).toMatchObject([{ name: "read_clock" }]);
    const clock = { tool: "read_clock", toolCallId: "1", executor: "client" };
    const agent = nextAgent();
    say({ type: "tool-call-start", ...clock });
    say({ type: "tool-call-ready", ...clock, input: {} });
    say({ ...done, finishReason: "tool-calls" } as StreamChunk);
    await agent;
    const content = { time: expect.stringMatching(/\d:\d\d/), timeZone: expect.any(String) };
    expect(called.toolResults).toMatchObject([{ tool: "read_clock", toolCallId: "1", content }]);
    say({ type: "tool-call-result", tool: "read_clock", toolCallId: "1", content: "12:00" });
    say(text("It is noon."));
    say(done);
    await cardIn("done");
    await answer().getByText("It is noon.").waitFor();
    expect(await page.getByRole("article").count()).toBe(2);
  });

  test("steps are headings, in front of what belongs to them", async () => {
    const { answer, answerWith } = await begin();
    say({ type: "step-start", stepId: "1", name: "Search" });
    say({ type: "tool-call-start", tool: "search", toolCallId: "1", input: {} });
    await answer().getByRole("heading", { name: "Search", exact: true }).waitFor();
    say({ type: "step-start", stepId: "2" });
    say(text("Found."));
    say(done);
    await answerWith("done");
    const shown = answer().locator(".step, .markdown, [data-testid=tool-call]");
    expect(await shown.evaluateAll((all) => all.map((one) => one.dataset.testid ?? one.textContent))).toEqual(
      ["Search", "tool-call", "2", "Found."],
    );
  });

  test("files are attached, removed again, sent with the message, and shown in it", async () => {
    const { page } = await openNew();
    const file = (name: string) => ({ name, mimeType: "text/markdown", buffer: Buffer.from(`# ${name}`) });
    const picker = page.getByLabel("Attach files");
    await picker.setInputFiles([file("a.md"), file("b.md")]);
    const attached = page.getByRole("list", { name: "Attachments" }).getByRole("listitem");
    expect(await attached.allTextContents()).toEqual(["a.md", "b.md"]);
    await page.getByRole("button", { name: "Remove a.md" }).press("Enter");
    expect(await attached.allTextContents()).toEqual(["b.md"]);
    await expect.poll(() => page.evaluate("document.activeElement.ariaLabel")).toBe("Attach files");
    await picker.setInputFiles(file("c.md"));
    const agent = nextAgent();
    await demo.ask("What is in them?");
    await agent;
    expect(asked?.content).toBe("What is in them?");
    expect(asked?.parts?.filter(({ type }) => type === "file")).toEqual([
      { type: "file", mediaType: "text/markdown", name: "b.md", url: "data:text/markdown;base64,IyBiLm1k" },
      { type: "file", mediaType: "text/markdown", name: "c.md", url: "data:text/markdown;base64,IyBjLm1k" },
    ]);
    const shown = page.getByRole("article", { name: "You" }).last();
    expect(await shown.textContent()).toContain("b.md");
    expect(await shown.getByRole("link").count()).toBe(0);
    expect(await attached.count()).toBe(0);
    say(done);
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
