/** docs/ssr.md: its page has the stored messages in the first HTML, hydrates without a complaint, and continues. */
import { createChatRoute, createMemoryRunStore } from "@kortyx/server";
import type { Browser } from "playwright-core";
import type { ReactNode } from "react";
import { renderToString } from "react-dom/server";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasChromium, launchChromium } from "./chromium.ts";
import { createSnippetFolder, snippetsOf } from "./readme-snippets.ts";
import { openScriptPage } from "./script-page.ts";

const folder = createSnippetFolder("guide-ssr");
afterAll(() => folder.remove());
const [pageCode, conversation] = snippetsOf("docs/ssr.md", "tsx") as [string, string];
const stored = [
  { id: "1", role: "user", content: "One" },
  {
    id: "2",
    role: "assistant",
    status: "done",
    parts: [{ type: "text", key: "", text: "First.", state: "done" }],
  },
];

describe.skipIf(!hasChromium())("in Chromium", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser?.close());

  test("the page is rendered, hydrated and continued", async () => {
    folder.write("user.ts", 'export const readUser = async () => "ann";');
    folder.write(
      "saving.ts",
      `export const loadMessages = (owner, session) => (owner === "ann" && session === "s" ? ${JSON.stringify(stored)} : []);`,
    );
    const file = folder.write("conversation.tsx", conversation);
    type Page = (options: { params: Promise<{ session: string }> }) => Promise<ReactNode>;
    const { default: Page } = await folder.run<{ default: Page }>("page.tsx", pageCode);
    const html = renderToString(await Page({ params: Promise.resolve({ session: "s" }) }));
    expect(html).toContain("<p>One</p><p>First.</p>");
    const { POST, GET } = createChatRoute({
      agent: {
        async *streamChat() {
          yield { type: "text-delta", delta: "Second." };
          yield { type: "done" };
        },
      },
      authorize: () => "ann",
      runs: { store: createMemoryRunStore() },
    });
    const script = `import { createElement } from "react";
      import { hydrateRoot } from "react-dom/client";
      import { Conversation } from ${JSON.stringify(file)};
      const root = document.querySelector("#answer")!;
      root.innerHTML = ${JSON.stringify(html)};
      const props = { sessionId: "s", initialMessages: ${JSON.stringify(stored)} };
      hydrateRoot(root, createElement(Conversation, props), {
        onRecoverableError: (error) => { document.title = String(error); },
      });`;
    const opened = await openScriptPage(browser, script, (request) =>
      request.method === "GET" ? GET(request) : POST(request),
    );
    const { page } = opened;
    const shown = () => page.locator("form > p").allTextContents();
    await page.getByRole("textbox").fill("Two");
    await page.keyboard.press("Enter");
    await expect.poll(shown).toEqual(["One", "First.", "Two", "Second."]);
    expect(await page.title()).toBe("");
    // The run of the second answer, which this page has not stored, is followed.
    await page.goto(opened.server.url);
    await expect.poll(shown).toEqual(["One", "First.", "Two", "Second."]);
    expect(opened.complaints).toEqual([]);
    await opened.close();
  });
});
