/** What waits for the user: questions, calls to approve, tools of the page; and what the user attaches. */
import type { StreamChunk } from "@kortyx/server";
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { hasChromium, launchChromium } from "./chromium.ts";
import { type DemoPage, done, listenWith, openDemoPage, text } from "./demo-page.ts";
import { createScript } from "./demo-script.ts";

describe.skipIf(!hasChromium())("the questions of an answer in Chromium", () => {
  let browser: Browser;
  let demo: DemoPage;
  let server: Awaited<ReturnType<typeof listenWith>>;
  const { agent, say, nextCall, ...script } = createScript();

  beforeAll(async () => {
    browser = await launchChromium();
    server = await listenWith(agent);
    demo = await openDemoPage(browser, server.url);
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });
  afterEach(async () => {
    // A test that fails leaves nothing to the next one.
    await demo.page.unrouteAll();
    expect(demo.complaints.splice(0)).toEqual([]);
  });

  const begin = async () => {
    await script.begin(demo);
    return demo;
  };
  const card = () => demo.answer().getByTestId("tool-call").last();
  const cardIn = (state: string) =>
    demo.page.locator(`[data-testid=tool-call][data-state=${state}]`).last().waitFor();

  const ask = (input: Extract<StreamChunk, { type: "interrupt" }>["input"]) => {
    say({ type: "interrupt", requestId: "r", resumeToken: "t", input });
    say({ type: "done", finishReason: "interrupt" });
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
    const call = nextCall();
    await question.getByRole("button", { name: "Beta" }).click();
    expect((await call).resume).toEqual({ requestId: "r", resumeToken: "t", answer: "b" });
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
    const call = nextCall();
    await confirm.click();
    expect((await call).resume?.answer).toEqual(["a", "c"]);
    const said = page.getByRole("article", { name: "You" }).last().locator("p");
    await expect.poll(() => said.textContent()).toBe("Alpha, Gamma");
  });

  test("a question for words takes the focus of a waiting user, and Enter answers", async () => {
    const { page } = await begin();
    ask({ kind: "text", multiple: false, question: "What is your name?" });
    const field = page.getByRole("textbox", { name: "Your answer" });
    await field.waitFor();
    await expect.poll(() => field.evaluate((element) => element === document.activeElement)).toBe(true);
    const call = nextCall();
    await page.keyboard.type(" Ada ");
    await page.keyboard.press("Enter");
    expect((await call).resume?.answer).toBe("Ada");
  });

  test("two questions are one form: both answers are one request, and the same message continues", async () => {
    const { page, answer, answerWith } = await begin();
    const head = { type: "interrupt", resumeToken: "t" } as const;
    const who = { kind: "text", multiple: false, question: "Who are you?" } as const;
    const which = { kind: "choice", multiple: false, question: "Which one?", options } as const;
    say({ ...head, requestId: "who", input: who });
    say({ ...head, requestId: "which", input: which });
    say({ type: "done", finishReason: "interrupt" });
    const field = page
      .getByRole("group", { name: "Who are you?" })
      .getByRole("textbox", { name: "Your answer" });
    await expect.poll(() => field.evaluate((element) => element === document.activeElement)).toBe(true);
    await page.keyboard.type("Ada");
    await page.keyboard.press("Enter");
    // The browser asks for the other answer, and moves there.
    await expect.poll(() => page.evaluate("document.activeElement.type")).toBe("radio");
    await page.keyboard.press("ArrowDown");
    const call = nextCall();
    await page.keyboard.press("Enter");
    expect((await call).resumes).toEqual([
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

  const decisions = ["approve", "edit", "deny"].map((id) => ({ id, label: id }));

  /** Begins a call that waits for approval. */
  async function propose() {
    await begin();
    say({ type: "tool-call-start", ...mail, input: { to: "ada@example.com", text: "Hi", copies: 2 } });
    const input = { kind: "choice", multiple: false, question: "Send it?", options: decisions } as const;
    say({ type: "interrupt", requestId: "r", resumeToken: "t", toolCallId: "1", input });
    say({ type: "done", finishReason: "interrupt" });
    await cardIn("awaiting-approval");
    return demo;
  }
  /** Presses a button, and returns the decision that the agent receives. */
  async function decide(press: () => Promise<void>) {
    const call = nextCall();
    await press();
    const { trigger, resumes } = await call;
    expect(trigger).toBe("continue");
    return resumes;
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

  test("decisions about several calls are one request, sent with the last of them", async () => {
    const { page } = await begin();
    for (const id of ["1", "2"]) {
      const question = `Send mail ${id}?`;
      const input = { kind: "choice", multiple: false, question, options: decisions } as const;
      say({ type: "tool-call-start", ...mail, toolCallId: id, input: { to: "ada@example.com" } });
      say({ type: "interrupt", requestId: id, resumeToken: "t", toolCallId: id, input });
    }
    // A question about no call is a card of its own.
    const input = { kind: "choice", multiple: false, question: "Which one?", options } as const;
    say({ type: "interrupt", requestId: "3", resumeToken: "t", input });
    say({ type: "done", finishReason: "interrupt" });
    const group = (id: string) => page.getByRole("group", { name: `Send mail ${id}?` });
    await expect
      .poll(() => page.getByRole("status").textContent())
      .toBe("The assistant asks: Send mail 1? Send mail 2? Which one?");
    await page.getByRole("group", { name: "Which one?" }).waitFor();
    await group("1").getByRole("button", { name: "Deny" }).press("Enter");
    await page.getByText("Decided.").waitFor();
    expect(await group("1").count()).toBe(0);
    expect(await page.getByRole("status").textContent()).toBe("The assistant asks: Send mail 2? Which one?");
    await expect.poll(() => page.evaluate("document.activeElement.ariaLabel")).toBe("Message");
    const resumes = await decide(() => group("2").getByRole("button", { name: "Approve" }).press("Enter"));
    expect(resumes).toMatchObject([
      { toolCallId: "1", answer: "deny" },
      { toolCallId: "2", answer: "approve" },
    ]);
    say(done);
    await demo.answerWith("done");
  });

  test("on a phone, the focus stays in the conversation, and opens no keyboard", async () => {
    const { page } = await propose();
    await page.evaluate("window.matchMedia = (media) => ({ media, matches: false })");
    await decide(() => approval().getByRole("button", { name: "Approve" }).click());
    await expect.poll(() => page.evaluate("document.activeElement.ariaLabel")).toBe("Conversation");
    say(done);
    await page.reload();
  });

  test("an approval that waits can still be given after a reload", async () => {
    const { page } = await propose();
    await page.reload();
    const resumes = await decide(() => approval().getByRole("button", { name: "Approve" }).click());
    expect(resumes).toMatchObject([{ answer: "approve" }]);
    say(done);
    await cardIn("interrupted");
  });

  const clock = { tool: "read_clock", toolCallId: "1" };
  const reading = {
    ...clock,
    content: { time: expect.stringMatching(/\d:\d\d/), timeZone: expect.any(String) },
  };
  /** Calls the tool of the page. */
  function callClock() {
    const head = { ...clock, executor: "client" };
    say({ type: "tool-call-start", ...head }, { type: "tool-call-ready", ...head, input: {} });
    say({ type: "done", finishReason: "tool-calls" });
  }

  test("a tool of the page runs there, and the answer continues with its result", async () => {
    const { tools } = await script.begin(demo);
    expect(tools).toMatchObject([{ name: "read_clock" }]);
    const call = nextCall();
    callClock();
    expect((await call).toolResults).toMatchObject([reading]);
    say({ type: "tool-call-result", ...clock, content: "12:00" }, text("It is noon."), done);
    await cardIn("done");
    await demo.answer().getByText("It is noon.").waitFor();
    expect(await demo.page.getByRole("article").count()).toBe(2);
  });

  test("a tool of the page whose result was lost runs again when the user wants it, after a reload too", async () => {
    const { page, complaints } = await begin();
    await page.route("**/api/chat", (route) => route.fulfill({ status: 500, json: {} }));
    callClock();
    await page.getByRole("alert").waitFor();
    await page.unroute("**/api/chat");
    await page.reload();
    const call = nextCall();
    await page.getByRole("button", { name: "Run it here" }).click();
    expect((await call).toolResults).toMatchObject([reading]);
    say({ type: "tool-call-result", ...clock, content: "12:00" }, done);
    await cardIn("done");
    expect(new Set(complaints.splice(0))).toEqual(new Set([expect.stringContaining("500")]));
  });

  test("files are attached, removed again, sent with the message, and shown in it", async () => {
    const { page } = demo;
    await demo.startOver();
    const file = (name: string) => ({ name, mimeType: "text/markdown", buffer: Buffer.from(`# ${name}`) });
    const picker = page.getByLabel("Attach files");
    await picker.setInputFiles([file("a.md"), file("b.md")]);
    const attached = page.getByRole("list", { name: "Attachments" }).getByRole("listitem");
    expect(await attached.allTextContents()).toEqual(["a.md", "b.md"]);
    await page.getByRole("button", { name: "Remove a.md" }).press("Enter");
    expect(await attached.allTextContents()).toEqual(["b.md"]);
    await expect.poll(() => page.evaluate("document.activeElement.ariaLabel")).toBe("Attach files");
    await picker.setInputFiles(file("c.md"));
    const call = nextCall();
    await demo.ask("What is in them?");
    const { message } = await call;
    expect(message?.content).toBe("What is in them?");
    expect(message?.parts?.filter(({ type }) => type === "file")).toEqual([
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
    const call = nextCall();
    await page.getByRole("button", { name: "Retry" }).click();
    expect((await call).resume).toMatchObject({ answer: ["One", "Two"] });
    say(done);
    await answerWith("done");
    expect(complaints.splice(0)).toEqual([expect.stringContaining("413")]);
  });
});
