import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build, type Plugin } from "esbuild";
import type { Browser, Page } from "playwright-core";
import { compile } from "svelte/compiler";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type {} from "../use-chat/recipe-solid.ts";
import type {} from "../use-chat/recipe-svelte.ts";
import type {} from "../use-chat/recipe-vue.ts";
import { hasChromium, launchChromium } from "./chromium.ts";
import { type LiveServer, listen } from "./live-server.ts";

const folder = fileURLToPath(new URL("../use-chat/", import.meta.url));
const policy = "default-src 'none'; script-src 'self'; img-src data:";

const compileSvelte: Plugin = {
  name: "svelte",
  setup({ onLoad }) {
    onLoad({ filter: /\.svelte$/ }, async ({ path }) => {
      const source = await readFile(path, "utf8");
      const { js, warnings } = compile(source, { filename: path, generate: "client", css: "injected" });
      expect(warnings).toEqual([]);
      return { contents: js.code, loader: "js" };
    });
  },
};

async function bundle(recipe: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [`${folder}recipe-${recipe}.ts`],
    bundle: true,
    format: "esm",
    platform: "browser",
    plugins: [compileSvelte],
    define: {
      "process.env.NODE_ENV": '"production"',
      __VUE_OPTIONS_API__: "false",
      __VUE_PROD_DEVTOOLS__: "false",
      __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: "false",
    },
    write: false,
    logLevel: "error",
  });
  return outputFiles[0]!.text;
}

describe.skipIf(!hasChromium())("a chat in other libraries, in Chromium", () => {
  let browser: Browser;
  let server: LiveServer;
  let page: Page;
  let pageErrors: string[];
  const scripts = new Map<string, string>();

  beforeAll(async () => {
    browser = await launchChromium();
    server = await listen((request) => {
      const { pathname } = new URL(request.url);
      const script = scripts.get(pathname);
      if (script !== undefined)
        return new Response(script, { headers: { "content-type": "text/javascript" } });
      return new Response(
        `<!doctype html><link rel="icon" href="data:,"><div id="root"></div><script type="module" src="${pathname}.js"></script>`,
        { headers: { "content-type": "text/html; charset=utf-8", "content-security-policy": policy } },
      );
    });
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });
  beforeEach(async () => {
    pageErrors = [];
    page = await browser.newPage();
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) pageErrors.push(message.text());
    });
    page.on("pageerror", (error) => pageErrors.push(error.message));
  });
  afterEach(async () => {
    await page.close();
    expect(pageErrors).toEqual([]);
  });

  for (const recipe of ["svelte", "vue", "solid"]) {
    test(`${recipe}: the view follows the stream, and closes the chat when it disappears`, async () => {
      scripts.set(`/${recipe}.js`, await bundle(recipe));
      await page.goto(`${server.url}/${recipe}`);
      const status = (name: string) => page.locator("output", { hasText: name }).waitFor();
      const give = (text: string) => page.evaluate((given) => window.recipe.give(given), text);
      const texts = () => page.locator("p").allTextContents();
      const send = () => page.getByRole("button", { name: "Send" }).click();

      await status("ready");
      expect(await texts()).toEqual([]);
      await send();
      await status("submitted");
      expect(await texts()).toEqual(["Hello"]);
      await page.locator("p").evaluate((element) => element.setAttribute("data-mark", "kept"));
      await give("Half an");
      await status("streaming");
      await page.locator("p", { hasText: "Half an" }).waitFor();
      await give(" answer");
      await page.locator("p", { hasText: "Half an answer" }).waitFor();
      await give("");
      await status("ready");
      expect(await texts()).toEqual(["Hello", "Half an answer"]);
      // Unchanged messages are not rendered again.
      expect(await page.locator("p").first().getAttribute("data-mark")).toBe("kept");

      await send();
      await status("submitted");
      const state = () =>
        page.evaluate(() => ({ listeners: window.recipe.listeners, isFollowed: window.recipe.isFollowed }));
      expect(await state()).toEqual({ listeners: 1, isFollowed: true });
      await page.evaluate(() => window.recipe.unmount());
      await page.locator("p").first().waitFor({ state: "detached" });
      expect(await state()).toEqual({ listeners: 0, isFollowed: false });
      if (recipe === "svelte") expect(await page.locator("#root").getAttribute("data-count")).toBe("3");
    });
  }
});
