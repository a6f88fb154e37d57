/** The page of docs/ai-sdk.md, unchanged, on a real route, operated with a real mouse. */
import { fileURLToPath } from "node:url";
import { type ChatAgent, createChatRoute, createMemoryRunStore } from "@kortyx/server";
import { describe, expect, test } from "vitest";
import { hasChromium, launchChromium } from "../../e2e/test/chromium.ts";
import { listen, until } from "../../e2e/test/live-server.ts";
import { bundleScript } from "../../e2e/test/script-page.ts";
import { isInstalled } from "../install.ts";
import { snippetsOf } from "./kit/guide.ts";

const bundlePage = (): Promise<string> =>
  bundleScript(
    `import { createRoot } from "react-dom/client";
      ${snippetsOf("docs/ai-sdk.md", "tsx")[0]}
      createRoot(document.querySelector("#root")!).render(<Conversation sessionId="s1" />);`,
    { resolveDir: fileURLToPath(new URL(".", import.meta.url)) },
  );

describe.skipIf(!isInstalled() || !hasChromium())("the page of docs/ai-sdk.md, in Chromium", () => {
  test.each(["submitted", "streaming"])("a click on Stop, while %s, asks nothing", async (status) => {
    const script = await bundlePage();
    const questions: string[] = [];
    const agent: ChatAgent = {
      async *streamChat(messages, { signal }) {
        questions.push(String(messages.at(-1)?.content));
        if (status === "streaming") yield { type: "text-delta", delta: "Half" };
        await new Promise((resolve) => signal?.addEventListener("abort", resolve));
      },
    };
    const route = createChatRoute({ agent, authorize: () => "ann", runs: { store: createMemoryRunStore() } });
    const methods: string[] = [];
    const server = await listen((request) => {
      const { pathname } = new URL(request.url);
      if (pathname === "/page.js") {
        return new Response(script, { headers: { "content-type": "text/javascript" } });
      }
      if (pathname === "/api/chat") {
        methods.push(request.method);
        return route.fetch(request);
      }
      return new Response(
        '<!doctype html><link rel="icon" href="data:,"><div id="root"></div><script type="module" src="/page.js"></script>',
        { headers: { "content-type": "text/html; charset=utf-8" } },
      );
    });
    const browser = await launchChromium();
    try {
      const page = await browser.newPage();
      page.setDefaultTimeout(10_000);
      const click = async (name: string) => {
        const { x, y, width, height } = (await page.getByRole("button", { name }).boundingBox())!;
        await page.mouse.move(x + width / 2, y + height / 2);
        await page.mouse.down();
        await page.mouse.up();
      };
      await page.goto(server.url);
      await page.getByRole("textbox").fill("Hello");
      await click("Send");
      await until(() => questions.length === 1, "the question was asked");
      if (status === "streaming") await page.getByText("Half").waitFor();
      await click("Stop");
      await until(() => methods.includes("DELETE"), "the run was stopped");
      await page.getByRole("button", { name: "Send", disabled: false }).waitFor();
      // A form that the click has sent asks at once: it is given the time.
      await page.waitForTimeout(500);
      expect(methods).toEqual(["GET", "POST", "DELETE"]);
      expect(questions).toEqual(["Hello"]);
    } finally {
      await browser.close();
      await server.close();
    }
  });
});
