/** Every part that an answer can have, as it grows and as it ends. */
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { hasChromium, launchChromium } from "./chromium.ts";
import { type DemoPage, done, listenWith, openDemoPage, text } from "./demo-page.ts";
import { createScript } from "./demo-script.ts";

describe.skipIf(!hasChromium())("the parts of an answer in Chromium", () => {
  let browser: Browser;
  let demo: DemoPage;
  let server: Awaited<ReturnType<typeof listenWith>>;
  const { agent, say, breakOff, nextCall, ...script } = createScript();

  beforeAll(async () => {
    browser = await launchChromium();
    server = await listenWith(agent);
    demo = await openDemoPage(browser, server.url);
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });
  afterEach(() => expect(demo.complaints).toEqual([]));

  const begin = async () => {
    await script.begin(demo);
    return demo;
  };
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

  test("steps with a name are headings, in front of what belongs to them", async () => {
    const { answer, answerWith } = await begin();
    say({ type: "step-start", stepId: "1", name: "Search" });
    say({ type: "tool-call-start", tool: "search", toolCallId: "1", input: {} });
    await answer().getByRole("heading", { name: "Search", exact: true }).waitFor();
    say({ type: "step-start", stepId: "2", name: "Answer" });
    say(text("Found."));
    say({ type: "step-start", stepId: "3" });
    say({ type: "tool-call-start", tool: "search", toolCallId: "2", input: {} });
    say(done);
    await answerWith("done");
    const shown = answer().locator(".step, .markdown, [data-testid=tool-call]");
    expect(await shown.evaluateAll((all) => all.map((one) => one.dataset.testid ?? one.textContent))).toEqual(
      ["Search", "tool-call", "Answer", "Found.", "tool-call"],
    );
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
    const call = nextCall();
    await page.getByRole("button", { name: "Retry" }).click();
    await call;
    say({ type: "abort", reason: "timeout" });
    await answerWith("aborted");
    expect(await answer().textContent()).toContain("Out of time");
  });
});
