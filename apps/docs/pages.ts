/**
 * The Markdown from which the site is built: the pages of `docs` and the READMEs of the packages, whose links to each other
 * become links of the site, and whose links to other files lead to the repository, if `package.json` names one.
 */
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { entries, writeReference } from "./reference.ts";

const repository = fileURLToPath(new URL("../../", import.meta.url));

/** Where the Markdown of the site is written. */
export const siteFolder: string = fileURLToPath(new URL(".tmp/pages/", import.meta.url));

/** The page of the site that a file of the repository is, if it is one. */
function pageOf(file: string): string | undefined {
  const readme = /^packages\/(protocol|server|client|conformance)(?:\/README\.md)?$/.exec(file);
  if (readme) return `packages/${readme[1]}.md`;
  const page = /^docs\/([\w-]+\.md)$/.exec(file)?.[1];
  return page === "README.md" ? "index.md" : page;
}

/** The address of the repository, with which links to its files begin. */
function repositoryUrl(): string | undefined {
  const { repository: named } = JSON.parse(readFileSync(join(repository, "package.json"), "utf8"));
  const url: string = named.url;
  return url === "" ? undefined : url.replace(/^git\+|\.git$/g, "");
}

/** A link to a file, whose text may have brackets in code. */
const fileLink = /(?<!!)\[((?:`[^`]*`|[^\]`])*)\]\((?!\w+:|#)([^)#\s]*)(#[^)\s]*)?\)/g;

/** @throws Error for a link to a file that does not exist. */
export function toSitePage(file: string, text: string, url = repositoryUrl()): string {
  const page = pageOf(file)!;
  return text.replaceAll(fileLink, (_, label, path, anchor = "") => {
    const target = posix.join(posix.dirname(file), path).replace(/\/$/, "");
    if (!existsSync(join(repository, target))) {
      throw new Error(`${file} links to ${path}, which does not exist.`);
    }
    const other = pageOf(target);
    if (other !== undefined) return `[${label}](${posix.relative(posix.dirname(page), other)}${anchor})`;
    return url === undefined ? label : `[${label}](${url}/tree/HEAD/${target}${anchor})`;
  });
}

/** Every file that is a page. */
export const pageFiles = (): string[] =>
  globSync(["docs/*.md", "packages/{protocol,server,client,conformance}/README.md"], { cwd: repository });

export function writePage(file: string): void {
  const target = join(siteFolder, pageOf(file)!);
  const text = toSitePage(file, readFileSync(join(repository, file), "utf8"));
  // A file that is unchanged is not built again.
  if (existsSync(target) && readFileSync(target, "utf8") === text) return;
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, text);
}

/** Writes the whole site's Markdown. */
export async function writePages(): Promise<void> {
  rmSync(siteFolder, { recursive: true, force: true });
  for (const file of pageFiles()) writePage(file);
  await writeReference(join(siteFolder, "api"));
}

export interface NavigationGroup {
  text: string;
  items: { text: string; link: string }[];
}

/** The index page's lists, one group for each of its headings, and the reference. */
export function readNavigation(): NavigationGroup[] {
  const index = readFileSync(join(siteFolder, "index.md"), "utf8");
  const groups = index
    .split(/^## /m)
    .slice(1)
    .map((section) => ({
      text: section.slice(0, section.indexOf("\n")),
      items: Array.from(section.matchAll(/^- \[([^\]]*)\]\(([^)]*)\.md\)/gm), ([, text, path]) => ({
        text: text!.replaceAll("`", ""),
        link: `/${path}`,
      })),
    }));
  const reference = entries.map(({ name }) => ({ text: name, link: `/api/${name}` }));
  return [...groups.filter(({ items }) => items.length > 0), { text: "API reference", items: reference }];
}
