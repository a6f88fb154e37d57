/**
 * The page with a keyboard, a screen reader, a phone or in the dark: checked with axe in every state, and photographed in
 * each for people to look at.
 */
import type { StreamChunk } from "@kortyx/server";
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
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
import { type DemoProcess, startDemo } from "./demo-process.ts";

const markdown = `# A heading

Some **bold** text, \`code\` and a [link](https://example.com).

> A quote

\`\`\`ts
export const { POST, GET, DELETE } = createChatRoute({ agent, runs: { store: createMemoryRunStore() }, authorize });
\`\`\`

| Reader | Cost | Bytes |
| --- | --- | --- |
| \`readStream\` | 100 ns a chunk | 1,900 |

1. One
2. Two
`;

const options = [
  { id: "a", label: "Alpha", description: "The first" },
  { id: "b", label: "Beta" },
];

/** Every part that an answer can have. */
async function* answerWithEverything(): AsyncGenerator<StreamChunk> {
  const call = { tool: "search", toolCallId: "1" };
  yield { type: "reasoning-delta", delta: "The user wants to see everything." };
  yield { type: "reasoning-end" };
  yield { type: "tool-call-start", ...call, input: { query: "all", limit: 3 } };
  yield { type: "tool-call-result", ...call, content: [{ page: "a.md", heading: "A", score: 3 }] };
  yield { type: "tool-call-start", ...call, toolCallId: "2", input: { query: "none" } };
  yield { type: "tool-call-error", ...call, toolCallId: "2", message: "There is no such index." };
  yield text(markdown);
  const data = { title: "Lisbon", stops: [{ city: "Porto", nights: 2 }] };
  yield { type: "structured-data", streamId: "1", dataType: "trip-plan", kind: "final", data };
  const items = [{ heading: "Runs", page: "Docs", url: "/docs/a.md", summary: "All about runs." }];
  const list = { title: "Read more", items };
  yield { type: "structured-data", streamId: "2", dataType: "reading-list", kind: "final", data: list };
  yield { type: "file", mediaType: "application/pdf", url: "/report.pdf", name: "report.pdf" };
  yield { type: "source", id: "1", title: "A document", url: "/docs/a.md" };
  yield done;
}

/** A call that waits for approval. */
function* proposeMail(): Generator<StreamChunk> {
  yield { type: "step-start", stepId: "1", name: "Prepare the mail" };
  const input = { to: "ada@example.com", text: "The report is ready.", copies: 2 };
  yield { type: "tool-call-start", tool: "send_mail", toolCallId: "1", input };
  const question = { kind: "choice", multiple: false, question: "Send it?" } as const;
  const decisions = ["approve", "edit", "deny"].map((id) => ({ id, label: id }));
  const asked = { ...question, options: decisions };
  yield { type: "interrupt", requestId: "r", resumeToken: "t", toolCallId: "1", input: asked };
  yield { type: "done", finishReason: "interrupt" };
}

describe.skipIf(!hasChromium())("the demo for all visitors, in Chromium", () => {
  let browser: Browser;
  let demo: DemoPage;
  let server: Awaited<ReturnType<typeof listenWith>>;
  let real: DemoProcess;

  beforeAll(async () => {
    browser = await launchChromium();
    real = await startDemo({ DEMO_TOKENS_PER_SECOND: "0" });
    server = await listenWith(
      agentOf(async function* (question, { signal }) {
        const ask = (input: Extract<StreamChunk, { type: "interrupt" }>["input"]) => [
          { type: "interrupt", requestId: "r", resumeToken: "t", input } as const,
          { type: "done", finishReason: "interrupt" } as const,
        ];
        if (question === "everything") return yield* answerWithEverything();
        if (question === "choice") {
          return yield* ask({ kind: "choice", multiple: false, question: "Which one?", options });
        }
        if (question === "choices") {
          return yield* ask({ kind: "multi-choice", multiple: true, question: "Which ones?", options });
        }
        if (question === "both") {
          const input = { kind: "text", multiple: false, question: "Your name?" } as const;
          yield { type: "interrupt", requestId: "other", resumeToken: "t", input };
          return yield* ask({ kind: "choice", multiple: false, question: "Which one?", options });
        }
        if (question === "approval") return yield* proposeMail();
        if (question === "words")
          return yield* ask({ kind: "text", multiple: false, question: "Your name?" });
        if (question === "error") {
          yield text("Half an ");
          yield { type: "error", message: "The model is overloaded.", correlationId: "c-1" };
          return;
        }
        yield { type: "tool-call-start", tool: "search", toolCallId: "1", input: { query: "all" } };
        for (let word = 0; !signal.aborted; word++) {
          yield text(`word-${word} `);
          await pause(5, signal);
        }
        yield done;
      }),
    );
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
    await real?.kill();
  });
  afterEach(async () => {
    const { complaints } = demo;
    await demo.close();
    expect(complaints).toEqual([]);
  });

  const open = async (url: string, pageOptions?: DemoPageOptions) => {
    demo = await openDemoPage(browser, url, pageOptions);
    return demo;
  };

  test("axe finds nothing wrong in any state, in light and in dark", async () => {
    const { page, ask, startOver, answer, answerWith, violations, picture } = await open(server.url);
    const check = async (name: string) => {
      expect({ name, violations: await violations() }).toEqual({ name, violations: [] });
      await picture(name);
    };
    await check("empty");
    await ask("everything");
    await answerWith("done");
    for (const summary of await answer().locator("summary").all()) await summary.click();
    await check("everything");
    await page.getByLabel("Attach files").setInputFiles([
      { name: "notes.md", mimeType: "text/markdown", buffer: Buffer.from("# Notes") },
      { name: "photo.png", mimeType: "image/png", buffer: Buffer.from("…") },
    ]);
    await check("attached");
    await ask("everything");
    await answerWith("done");
    await check("sent");
    for (const question of ["choice", "choices", "words", "both", "approval"]) {
      await startOver();
      await ask(question);
      await answerWith("done");
      // The steps that were opened had moved the end out of view.
      expect(await page.getByRole("button", { name: "Go to the end" }).count()).toBe(0);
      await check(question);
    }
    await page.getByRole("button", { name: "Edit" }).click();
    await check("edit");
    await startOver();
    await ask("error");
    await answerWith("error");
    await check("error");
    await startOver();
    await ask("stream");
    await answer().getByText("word-20").waitFor();
    await check("streaming");
    await page.keyboard.press("Escape");
    await answerWith("aborted");
    await page.getByRole("button", { name: /^Stream / }).click();
    await check("stopped");
  });

  test("axe finds nothing wrong on a phone, in light and in dark", async () => {
    const phone = { width: 375, height: 780 };
    const { page, ask, answerWith, violations, picture } = await open(server.url, phone);
    await picture("empty");
    await ask("everything");
    await answerWith("done");
    await page.getByRole("button", { name: /^Stream / }).click();
    expect(await violations()).toEqual([]);
    await picture("everything");
  });

  test("a real answer and a real question are photographed", async () => {
    const { page, ask, answer, answerWith, picture } = await open(real.url);
    for (const [question, name] of [
      ["How do I stop a stream?", "answer"],
      ["Tell me about errors", "question"],
    ] as const) {
      await ask(question);
      await page.getByRole("article", { name: "You" }).getByText(question, { exact: true }).waitFor();
      await answerWith("done");
      await answer().locator("fieldset:enabled, .sources").first().waitFor();
      await picture(name);
      await page.setViewportSize({ width: 375, height: 780 });
      // On a small screen, the panel is closed at first.
      await page.getByRole("button", { name: /^Stream / }).click();
      await picture(name);
      await page.getByRole("button", { name: /^Stream / }).click();
      await page.setViewportSize({ width: 1280, height: 860 });
    }
  });

  test("everything works with a keyboard, and the focus is never lost", async () => {
    const { page, answer, answerWith } = await open(server.url, { isPrivate: true });
    const focused = () =>
      page.evaluate(() => {
        const element = document.activeElement as HTMLElement;
        return element.ariaLabel ?? element.textContent ?? element.tagName;
      });
    const stops: string[] = [];
    for (let press = 0; press < 14; press++) {
      await page.keyboard.press("Tab");
      stops.push(await focused());
    }
    expect(stops.slice(0, 3)).toEqual([
      "New conversation",
      expect.stringContaining("Stream"),
      "Conversation",
    ]);
    expect(stops).toContain("Message");
    expect(stops).toContain("Chunks");

    await page.getByRole("textbox", { name: "Message" }).focus();
    await page.keyboard.type("choice");
    await page.keyboard.press("Shift+Enter");
    await page.keyboard.press("Backspace");
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Alpha" }).waitFor();
    expect(await focused()).toBe("Message");
    // From the box back to the question above it.
    await page.keyboard.press("Shift+Tab");
    expect(await focused()).toBe("Attach files");
    await page.keyboard.press("Shift+Tab");
    expect(await focused()).toContain("Beta");
    await page.keyboard.press("Enter");
    await answerWith("streaming");
    expect(await focused()).toBe("Message");
    await page.keyboard.press("Escape");
    await answerWith("aborted");
    expect(await focused()).toBe("Message");
    await page.getByRole("button", { name: "Retry" }).press("Enter");
    await answerWith("streaming");
    expect(await focused()).toBe("Message");
    await page.keyboard.press("Tab");
    expect(await focused()).toBe("Stop");
    await page.keyboard.press("Enter");
    await answerWith("aborted");
    expect(await focused()).toBe("Message");
    expect(await answer().textContent()).toContain("Stopped");
  });

  test("a screen reader announces that an answer comes and its text, not every word on the way", async () => {
    const { page, ask, answer, answerWith } = await open(server.url);
    await page.evaluate(() => {
      const heard: string[] = [];
      Object.assign(window, { heard });
      const live = [...document.querySelectorAll("[role=status], [role=log], [aria-live]")];
      if (live.length !== 1) heard.push(`There are ${live.length} live regions.`);
      new MutationObserver(() => {
        heard.push(document.querySelector("[role=status]")!.textContent ?? "");
      }).observe(live[0]!, { subtree: true, childList: true, characterData: true });
    });
    const heard = () => page.evaluate(() => (window as unknown as { heard: string[] }).heard);
    await ask("stream");
    await answer().getByText("word-100").waitFor();
    expect(await heard()).toEqual(["Answering"]);
    await page.keyboard.press("Escape");
    await answerWith("aborted");
    await expect.poll(heard).toEqual(["Answering", "Stopped"]);
    await ask("everything");
    await answerWith("done");
    await expect
      .poll(async () => (await heard()).at(-1))
      .toMatch(/^A heading Some bold text, code and a link\. A quote .*Answer complete\.$/);
    await ask("words");
    await expect.poll(async () => (await heard()).at(-1)).toBe("The assistant asks: Your name?");
    expect((await heard()).length).toBeLessThanOrEqual(6);
    expect(await page.getByRole("article").first().getByRole("heading", { name: "You" }).count()).toBe(1);
    expect(await page.getByRole("article", { name: "Assistant" }).first().getAttribute("aria-busy")).toBe(
      "false",
    );
  });
});
