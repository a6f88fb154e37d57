/** The React component of the client's README, unchanged, on real routes, operated with a real mouse. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type ChatRoute, createChatRoute, createMemoryRunStore } from "@kortyx/server";
import { type AgentScript, createScriptedAgent, type ScriptedAgent } from "@kortyx/server/testing";
import type { Plugin } from "esbuild";
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { hasChromium, launchChromium } from "./chromium.ts";
import { type LiveServer, listen, until } from "./live-server.ts";
import { bundleScript } from "./script-page.ts";

const folder = fileURLToPath(new URL(".", import.meta.url));
const readme = readFileSync(new URL("../../../packages/client/README.md", import.meta.url), "utf8");
const component = /^```tsx\n([\s\S]*?)^```$/m.exec(readme)![1]!;

const pages: Record<string, string> = {
  readme: `import { Chat } from "./readme-component.tsx";`,
  "first-visit": `import { useChat } from "@kortyx/client/react";
    function Chat() {
      const { status, chat } = useChat({ endpoint: "/api/chat", sessionId: "new", resumeOnMount: true });
      return <button type="button" onClick={() => chat.resume().then(() => { document.title = "resumed"; })}>{status}</button>;
    }`,
};

const readmeComponent: Plugin = {
  name: "readme",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /readme-component/ }, () => ({
      path: "readme-component.tsx",
      namespace: "readme",
    }));
    onLoad({ filter: /.*/, namespace: "readme" }, () => ({
      contents: component,
      loader: "tsx",
      resolveDir: folder,
    }));
  },
};

const bundlePage = (name: string): Promise<string> =>
  bundleScript(
    `import { createRoot } from "react-dom/client";
      ${pages[name]}
      createRoot(document.querySelector("#root")!).render(<Chat />);`,
    { resolveDir: folder, plugins: [readmeComponent] },
  );

describe.skipIf(!hasChromium()).each([false, true])("on a route, with runs: %s, in Chromium", (hasRuns) => {
  let browser: Browser;
  let server: LiveServer;
  let page: Page;
  let agent: ScriptedAgent;
  let route: ChatRoute;
  let pageErrors: string[];
  let answers: string[];
  const scripts = new Map<string, string>();

  beforeAll(async () => {
    for (const name of Object.keys(pages)) scripts.set(`/${name}.js`, await bundlePage(name));
    browser = await launchChromium();
  });
  afterAll(() => browser?.close());
  beforeEach(async () => {
    answers = [];
    server = await listen(async (request) => {
      const { pathname, search } = new URL(request.url);
      const script = scripts.get(pathname);
      if (script !== undefined) {
        return new Response(script, { headers: { "content-type": "text/javascript" } });
      }
      if (pathname === "/api/chat") {
        const response = await route.fetch(request);
        answers.push(`${request.method} ${search} ${response.status}`);
        return response;
      }
      return new Response(
        `<!doctype html><link rel="icon" href="data:,"><div id="root"></div><script type="module" src="${pathname}.js"></script>`,
        { headers: { "content-type": "text/html; charset=utf-8" } },
      );
    });
    pageErrors = [];
    page = await browser.newPage();
    page.setDefaultTimeout(10_000);
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) pageErrors.push(message.text());
    });
    page.on("pageerror", (error) => pageErrors.push(error.message));
  });
  afterEach(async () => {
    await page.close();
    await server.close();
    expect(pageErrors).toEqual([]);
  });

  const sendButton = () => page.getByRole("button", { name: "Send" });
  const stopButton = () => page.getByRole("button", { name: "Stop" });
  /** Opens a page on a route whose agent follows these scripts. */
  async function open(name: keyof typeof pages, ...scripts: AgentScript[]): Promise<void> {
    agent = createScriptedAgent(...scripts);
    route = hasRuns
      ? createChatRoute({ agent, authorize: () => "ann", runs: { store: createMemoryRunStore() } })
      : createChatRoute({ agent });
    await page.goto(`${server.url}/${name}`);
  }
  /** Waits until everything that the page has started is done. */
  const settle = () =>
    page.evaluate(() => new Promise((resolve) => requestIdleCallback(resolve, { timeout: 500 })));

  /** Moves to it, presses and releases, like a hand. */
  async function clickWithMouse(locator: Locator): Promise<void> {
    await locator.waitFor();
    const { x, y, width, height } = (await locator.boundingBox())!;
    await page.mouse.move(x + width / 2, y + height / 2);
    await page.mouse.down();
    await page.mouse.up();
  }

  test("the README's component shows the agent's progress and its answer", async () => {
    const [isShown, isRead] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    await open("readme", [
      { type: "status", message: "Searching" },
      isShown.promise,
      { type: "text-delta", delta: "Here" },
      isRead.promise,
    ]);
    await page.getByRole("textbox").fill("Hello");
    await clickWithMouse(sendButton());
    await page.getByRole("status").filter({ hasText: "Searching" }).waitFor();
    isShown.resolve();
    await page.getByRole("status").filter({ hasText: "streaming" }).waitFor();
    isRead.resolve();
    await sendButton().waitFor();
    expect(await page.locator("form > p").allTextContents()).toEqual(["Hello", "Here"]);
  });

  test("Stop in the README's component stops the agent and makes no further request", async () => {
    await open("readme", [{ type: "text-delta", delta: "Half" }, new Promise(() => {})], []);
    await page.getByRole("textbox").fill("Hello");
    await clickWithMouse(sendButton());
    await page.getByText("Half").waitFor();
    // Text typed meanwhile is not sent by a click on Stop.
    await page.getByRole("textbox").fill("Next");
    await clickWithMouse(stopButton());
    await sendButton().waitFor();
    await until(() => !agent.calls[0]!.isOpen, "the agent was stopped");
    await settle();
    expect(await page.getByRole("textbox").inputValue()).toBe("Next");
    expect(await page.locator("form > p").allTextContents()).toEqual(["Hello", "Half"]);
    expect(agent.calls).toHaveLength(1);
    await clickWithMouse(sendButton());
    await until(() => agent.calls.length === 2, "the next question was asked");
    expect(agent.calls[1]!.messages.at(-1)!.content).toBe("Next");
    await sendButton().waitFor();
  });

  test("Send in the README's component makes no request for an empty text", async () => {
    await open("readme", []);
    for (const text of ["", "   "]) {
      await page.getByRole("textbox").fill(text);
      await clickWithMouse(sendButton());
      await page.getByRole("textbox").press("Enter");
      await settle();
    }
    expect(agent.calls).toEqual([]);
    expect(await page.getByRole("alert").count()).toBe(0);
  });

  if (!hasRuns) return;

  test("a first visit that resumes finds no run and logs no error in the console", async () => {
    await open("first-visit", []);
    await until(() => answers.length === 1, "the session was requested");
    await clickWithMouse(page.getByRole("button", { name: "ready" }));
    await page.waitForFunction(() => document.title === "resumed");
    expect(new Set(answers)).toEqual(new Set(["GET ?session=new 204"]));
    expect(await page.getByRole("button").textContent()).toBe("ready");
  });
});
