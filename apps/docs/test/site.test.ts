/** The site as it is built: its links and anchors, its navigation, its reference, and the page in a browser. */
import { spawnSync } from "node:child_process";
import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasChromium, launchChromium } from "../../e2e/test/chromium.ts";
import { type LiveServer, listen } from "../../e2e/test/live-server.ts";
import { readPublicEntries } from "../../e2e/test/public-declarations.ts";
import { isInstalled } from "../install.ts";

type Browser = Awaited<ReturnType<typeof launchChromium>>;
type Page = Awaited<ReturnType<Browser["newPage"]>>;

const folder = fileURLToPath(new URL("../", import.meta.url));
const site = join(folder, "dist");

/** The file of an address, as servers of static files look it up. */
const fileOf = (pathname: string): string | undefined => {
  const path = decodeURIComponent(pathname).slice(1);
  return [path, `${path}.html`, join(path, "index.html")].find(
    (name) => /\.\w+$/.test(name) && existsSync(join(site, name)),
  );
};

const read = (name: string) => readFileSync(join(site, name), "utf8");

describe.skipIf(!isInstalled())("the site", () => {
  beforeAll(() => {
    const { status, stdout, stderr } = spawnSync("pnpm", ["build"], {
      cwd: folder,
      encoding: "utf8",
    });
    if (status !== 0) throw new Error(stdout + stderr);
    // The reference is read from all sources, and every page is rendered and highlighted.
  }, 300_000);

  test("passes the type checker", () => {
    const compiler = fileURLToPath(new URL("../../../node_modules/.bin/tsc", import.meta.url));
    const { stdout } = spawnSync(compiler, ["-p", folder], { encoding: "utf8" });
    expect(stdout).toBe("");
  });

  test("has an existing page and an existing anchor for each of its links", () => {
    const pages = globSync("**/*.html", { cwd: site });
    expect(pages.length).toBeGreaterThan(30);
    const anchors = new Map(
      pages.map((page) => [page, new Set(Array.from(read(page).matchAll(/ id="([^"]+)"/g), ([, id]) => id))]),
    );
    const broken = pages.flatMap((page) =>
      Array.from(read(page).matchAll(/<a [^>]*href="([^"]*)"/g), ([, href]) => href!)
        .filter((href) => {
          const { host, pathname, hash } = new URL(href, `http://site/${page}`);
          if (host !== "site") return false;
          const target = fileOf(pathname);
          if (target === undefined) return true;
          return hash !== "" && !anchors.get(target)!.has(decodeURIComponent(hash.slice(1)));
        })
        .map((href) => `${page}: ${href}`),
    );
    expect(broken).toEqual([]);
  });

  test("has every page in its navigation", () => {
    const shown = new Set(Array.from(read("runs.html").matchAll(/href="\/([^"#]*)"/g), ([, path]) => path));
    const pages = globSync("**/*.html", { cwd: site, exclude: ["404.html"] });
    const missing = pages.map((page) => page.replace(/(^|\/)index\.html$|\.html$/, "$1"));
    expect(missing.filter((page) => !shown.has(page))).toEqual([]);
  });

  test("has every export in its reference", () => {
    const { entries } = readPublicEntries();
    const undescribed = entries
      .filter(({ name }) => !name.includes("/internal"))
      .flatMap(({ name, exports }) => {
        const page = read(`api/${name}.html`).toLowerCase();
        return exports.map((symbol) => symbol.name).filter((symbol) => !page.includes(symbol.toLowerCase()));
      });
    expect(undescribed).toEqual([]);
  });

  describe.skipIf(!hasChromium())("in Chromium", () => {
    let browser: Browser;
    let server: LiveServer;
    beforeAll(async () => {
      browser = await launchChromium();
      server = await listen((request) => {
        const name = fileOf(new URL(request.url).pathname);
        if (name === undefined) return new Response(read("404.html"), { status: 404 });
        const types: Record<string, string> = { html: "text/html", js: "text/javascript", css: "text/css" };
        const type = types[/\w+$/.exec(name)![0]] ?? "application/octet-stream";
        return new Response(readFileSync(join(site, name)), { headers: { "content-type": type } });
      });
    });
    afterAll(async () => {
      await browser?.close();
      await server?.close();
    });

    /** Opens a page, and closes it. */
    async function withPage(path: string, look: (page: Page) => Promise<void>): Promise<void> {
      const page = await browser.newPage({ colorScheme: "light" });
      const errors: string[] = [];
      page.on("pageerror", (error) => errors.push(error.message));
      page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
      page.on("requestfailed", (request) => errors.push(`${request.url()} failed`));
      await page.goto(server.url + path);
      await look(page);
      await page.close();
      expect(errors).toEqual([]);
    }

    test("the search finds a page by its words, and opens it at the section", async () => {
      await withPage("/", async (page) => {
        await page.getByRole("button", { name: "Search" }).click();
        await page.getByRole("searchbox").fill("idempotency key conflict");
        const found = page.getByRole("option").first();
        await found.waitFor();
        await page.keyboard.press("Enter");
        await page.waitForURL(/#/);
        expect(new URL(page.url()).pathname).toMatch(/^\/(errors|runs|protocol)/);
      });
    });

    test("the search has the guides before the reference and the protocol, which use every word", async () => {
      await withPage("/", async (page) => {
        await page.getByRole("button", { name: "Search" }).click();
        await page.getByRole("searchbox").fill("image");
        await page.getByRole("option").first().waitFor();
        const found = await page
          .getByRole("option")
          .getByRole("link")
          .evaluateAll((links) =>
            links.slice(0, 5).map((link) => new URL((link as HTMLAnchorElement).href).pathname),
          );
        expect(found).toContain("/attachments");
        expect(found.filter((path) => path.startsWith("/api/"))).toEqual([]);
      });
    });

    test("a phone shows whole tables, each cell with the heading of its column", async () => {
      await withPage("/errors", async (page) => {
        await page.setViewportSize({ width: 390, height: 844 });
        const cell = page.getByRole("cell", { name: "the body is not JSON, or not UTF-8" });
        expect((await cell.boundingBox())!.x).toBeLessThan(50);
        const heading = cell.evaluate((element) => getComputedStyle(element, "::before").content);
        expect(await heading).toContain("why");
        const hidden = await page.evaluate(() =>
          Array.from(document.querySelectorAll("table"), (table) => table.scrollWidth - table.clientWidth),
        );
        expect(Math.max(...hidden)).toBe(0);
      });
    });

    test("the dark mode is a switch, and stays on the next page", async () => {
      await withPage("/runs", async (page) => {
        const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
        expect(await background()).toBe("rgb(255, 255, 255)");
        await page.screenshot({ path: join(folder, ".tmp/light.png") });
        await page.getByRole("switch").first().click();
        await expect.poll(background).toBe("rgb(27, 27, 31)");
        await page.getByRole("link", { name: "Tools", exact: true }).first().click();
        await page.getByRole("heading", { name: "Tools", level: 1 }).waitFor();
        expect(await background()).toBe("rgb(27, 27, 31)");
        await page.screenshot({ path: join(folder, ".tmp/dark.png") });
      });
    });
  });
});
