/** docs/ssr.md: its pages have the stored messages in the first HTML, hydrate without a complaint, and continue. */
import { createChatRoute, createMemoryRunStore } from "@kortyx/server";
import { build, type Plugin } from "esbuild";
import type { Browser } from "playwright-core";
import type { ReactNode } from "react";
import { renderToString } from "react-dom/server";
import { compile } from "svelte/compiler";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasChromium, launchChromium } from "./chromium.ts";
import { listen } from "./live-server.ts";
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

/** The form of Svelte, for one side. @returns a module of one file. */
async function bundleForm(generate: "client" | "server", contents: string): Promise<string> {
  const [source] = snippetsOf("docs/ssr.md", "svelte") as [string];
  const form: Plugin = {
    name: "form",
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /form\.svelte$/ }, () => ({ path: `${folder.path}/form.svelte` }));
      onLoad({ filter: /form\.svelte$/ }, () => {
        const { js, warnings } = compile(source, { filename: "form.svelte", generate });
        expect(warnings).toEqual([]);
        return { contents: js.code, loader: "js" };
      });
    },
  };
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: folder.path, loader: "ts" },
    bundle: true,
    format: "esm",
    platform: generate === "client" ? "browser" : "node",
    plugins: [form],
    write: false,
    logLevel: "error",
  });
  return outputFiles![0]!.text;
}

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

  test("the form of Svelte sends nothing before its script has loaded, keeps the text, and works afterwards", async () => {
    const data = { session: "s", messages: stored };
    const renderForm = `import { render } from "svelte/server";
      import Form from "./form.svelte";
      export const { body } = render(Form, { props: { data: ${JSON.stringify(data)} } });`;
    const { body } = await folder.run<{ body: string }>("form.js", await bundleForm("server", renderForm));
    const script = `import { hydrate } from "svelte";
      import Form from "./form.svelte";
      hydrate(Form, { target: document.querySelector("main")!, props: { data: ${JSON.stringify(data)} } });`;
    const code = await bundleForm("client", script);
    const { POST } = createChatRoute({
      agent: {
        async *streamChat() {
          yield { type: "text-delta", delta: "Second." };
          yield { type: "done" };
        },
      },
    });
    const loading = Promise.withResolvers<void>();
    const requested: string[] = [];
    const server = await listen(async (request) => {
      const { pathname, search } = new URL(request.url);
      requested.push(pathname + search);
      if (pathname === "/api/chat") return POST(request);
      const isPage = pathname === "/";
      if (!isPage) await loading.promise;
      const html = `<!doctype html><link rel="icon" href="data:,"><main>${body}</main><script async type="module" src="/form.js"></script>`;
      return new Response(isPage ? html : code, {
        headers: { "content-type": isPage ? "text/html" : "text/javascript" },
      });
    });
    const page = await browser.newPage();
    const complaints: string[] = [];
    page.on("console", (message) => complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(error.message));
    await page.goto(server.url, { waitUntil: "commit" });
    await page.getByRole("textbox").fill("Two");
    await page.keyboard.press("Enter");
    loading.resolve();
    await page.getByRole("button", { disabled: false }).click();
    const shown = () => page.locator("main > p").allTextContents();
    await expect.poll(shown).toEqual(["One", "First.", "Two", "Second."]);
    expect(requested).toEqual(["/", "/form.js", "/api/chat"]);
    expect(complaints).toEqual([]);
    await page.close();
    await server.close();
  });
});
