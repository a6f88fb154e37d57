/** The site of the docs. Its Markdown is written before it is built, and again when a page changes. */
import { watch } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitepress";
import { pageFiles, readNavigation, siteFolder, writePage, writePages } from "../pages.ts";

/** Anchors as GitHub makes them, where the same pages are read. */
const slugify = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}_\- ]/gu, "")
    .replaceAll(" ", "-");

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
    markdown: { anchor: { slugify } },
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
