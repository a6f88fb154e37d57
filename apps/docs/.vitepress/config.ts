/** The site of the docs. Its Markdown is written before it is built, and again when a page changes. */
import { readFileSync, watch } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig, type MarkdownRenderer } from "vitepress";
import { pageFiles, readNavigation, siteFolder, writePage, writePages } from "../pages.ts";

/** Anchors as GitHub makes them, where the same pages are read. */
const slugify = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}_\- ]/gu, "")
    .replaceAll(" ", "-");

/** Every cell gets the heading of its column, which `phone.css` shows. The first one is the heading of its row. */
function nameCells(markdown: MarkdownRenderer): void {
  markdown.core.ruler.push("name-cells", ({ tokens }) => {
    let headings: string[] = [];
    let column = 0;
    for (const [index, token] of tokens.entries()) {
      if (token.type === "table_open") headings = [];
      if (token.type === "tr_open") column = 0;
      if (token.type === "th_open") headings.push(tokens[index + 1]!.content.replaceAll("`", ""));
      if (token.type !== "td_open") continue;
      const heading = headings[column];
      if (column > 0 && heading) token.attrSet("data-heading", heading);
      column += 1;
    }
  });
}

/**
 * The guides first: the reference and the protocol name everything, and would fill the list of results. The page gets the text of
 * this function, so it uses nothing from outside.
 */
const rankOf = (page: string): number => (/^\/(api\/|protocol)/.test(page) ? 0.3 : 1);

export default async () => {
  await writePages();
  return defineConfig({
    title: "Kortyx streaming",
    description:
      "Typed chat and agent streams from an API route to a user interface, over Server-Sent Events.",
    lang: "en",
    srcDir: siteFolder,
    outDir: fileURLToPath(new URL("../dist", import.meta.url)),
    cacheDir: fileURLToPath(new URL("../.tmp/cache", import.meta.url)),
    cleanUrls: true,
    head: [
      ["link", { rel: "icon", href: "data:," }],
      ["style", {}, readFileSync(new URL("phone.css", import.meta.url), "utf8")],
    ],
    markdown: { anchor: { slugify }, config: nameCells },
    themeConfig: {
      nav: [{ text: "API reference", link: "/api/" }],
      sidebar: readNavigation(),
      outline: { level: [2, 3] },
      search: {
        provider: "local",
        options: { miniSearch: { searchOptions: { boostDocument: rankOf } } },
      },
    },
    vite: {
      plugins: [
        {
          name: "pages-of-the-repository",
          configureServer({ httpServer }) {
            const repository = fileURLToPath(new URL("../../../", import.meta.url));
            for (const file of pageFiles()) {
              const watcher = watch(`${repository}${file}`, () => writePage(file));
              httpServer?.once("close", () => watcher.close());
            }
          },
        },
      ],
    },
  });
};
