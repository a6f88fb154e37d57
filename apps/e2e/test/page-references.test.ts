/**
 * Checks that everything named or linked by a page exists, and that every export is named by its page. Does not follow
 * links to other sites.
 */
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import * as client from "@kortyx/client";
import * as protocol from "@kortyx/protocol";
import { streamChunkSchema } from "@kortyx/protocol/schemas";
import * as server from "@kortyx/server";
import { expect, test } from "vitest";
import { repository } from "./readme-snippets.ts";

const pages = ["ARCHITECTURE.md", "CONTRIBUTING.md", ...globSync("docs/*.md", { cwd: repository })];

/** A path of a source or test in code, such as `server/src/redis.ts`; a test may be named without its extension. */
const reference = /`(?:packages\/|apps\/)?([a-z0-9]+\/(?:src|test|test-long)\/[\w./-]+)`/g;

test.each(pages)("every file that %s names exists", (page) => {
  const names = [...readFileSync(join(repository, page), "utf8").matchAll(reference)].map(
    ([, name]) => name!,
  );
  const missing = names.filter(
    (name) =>
      !["packages", "apps"].some((folder) =>
        ["", ".test.ts"].some((ending) => existsSync(join(repository, folder, name + ending))),
      ),
  );
  expect(missing).toEqual([]);
});

/** The anchors of a page, as GitHub generates them. */
const anchorsOf = (page: string): string[] =>
  Array.from(readFileSync(page, "utf8").matchAll(/^#+ (.*)$/gm), ([, heading]) =>
    heading!
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );

test.each(globSync(["{,docs/,benchmarks/}*.md", "{apps,examples,packages}/{,*/}*.md"], { cwd: repository }))(
  "every link of %s leads to an existing file and heading",
  (page) => {
    const links = readFileSync(join(repository, page), "utf8").matchAll(
      /\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]*))?\)/g,
    );
    const broken = [...links].filter(([, path, anchor]) => {
      const target = path === "" ? join(repository, page) : join(repository, dirname(page), path!);
      if (!existsSync(target)) return true;
      if (anchor === undefined) return false;
      const file = [target, join(target, "README.md")].find(
        (name) => name.endsWith(".md") && existsSync(name),
      );
      return file === undefined || !anchorsOf(file).includes(anchor);
    });
    expect(broken.map(([link]) => link)).toEqual([]);
  },
);

test("no page of the docs links to an address that only its author has", () => {
  const links = globSync("docs/*.md", { cwd: repository }).filter((page) =>
    readFileSync(join(repository, page), "utf8")
      .replaceAll(/^```[\s\S]*?^```$/gm, "")
      .replaceAll(/`[^`]*`/g, "")
      .includes("http://localhost"),
  );
  expect(links).toEqual([]);
});

test("every page of the docs with code is named by a test that runs it", () => {
  const tests = globSync("apps/{e2e,interop}/{test,test-long}/**/*.test.ts", { cwd: repository })
    .filter((file) => !file.endsWith("page-references.test.ts"))
    .map((file) => readFileSync(join(repository, file), "utf8"))
    .join();
  const withCode = globSync("docs/*.md", { cwd: repository }).filter((page) =>
    /^```tsx?$/m.test(readFileSync(join(repository, page), "utf8")),
  );
  expect(withCode.length).toBeGreaterThan(15);
  expect(withCode.filter((page) => !tests.includes(`${page}"`))).toEqual([]);
});

/** The pages whose tests take their snippets by number; those of all other pages are counted where they run. */
const snippetCounts: Record<string, number> = {
  "docs/ag-ui.md": 4,
  "docs/ai-sdk-agents.md": 3,
  "docs/ai-sdk.md": 2,
  "docs/anthropic.md": 3,
  "docs/from-ai-sdk.md": 3,
  "docs/getting-started.md": 7,
  "docs/langgraph.md": 4,
  "docs/openai-chat.md": 3,
  "docs/openai-responses.md": 4,
  "docs/tools.md": 5,
};

test("no page has a snippet that its test does not run", () => {
  const counting = ["guides", "readme", "conformance"].map((name) =>
    readFileSync(join(repository, `apps/e2e/test/${name}.test.ts`), "utf8"),
  );
  const fences = (page: string, languages: RegExp) =>
    Array.from(readFileSync(join(repository, page), "utf8").matchAll(/^ *```(\w+)/gm), ([, name]) => name!)
      .filter((name) => languages.test(name))
      .toSorted();
  const pages = globSync(["README.md", "docs/*.md", "packages/*/README.md"], { cwd: repository });
  const uncounted = pages
    .filter((page) => !counting.some((test) => test.includes(`"${page}"`)))
    .map((page) => [page, fences(page, /^tsx?$/).length] as const)
    .filter(([, count]) => count > 0);
  expect(Object.fromEntries(uncounted)).toEqual(snippetCounts);
  // Each is run by the test that takes it by its language.
  const others = pages.map((page) => [page, fences(page, /^(?!tsx?$|sh$|json$|text$|http$|toml$)/)]);
  expect(Object.fromEntries(others.filter(([, names]) => names!.length > 0))).toEqual({
    "docs/infrastructure.md": ["nginx"],
    "docs/runs.md": ["js", "python"],
    "docs/ssr.md": ["svelte"],
    "packages/client/README.md": ["html", "svelte"],
  });
});

test("README.md has fewer than 150 lines", () => {
  expect(readFileSync(join(repository, "README.md"), "utf8").trimEnd().split("\n").length).toBeLessThan(150);
});

test("docs/README.md, which is also the navigation of the site, lists every page", () => {
  const index = readFileSync(join(repository, "docs/README.md"), "utf8");
  const names = globSync("*.md", { cwd: join(repository, "docs"), exclude: ["README.md"] });
  expect(names.filter((name) => !index.includes(`](${name})`))).toEqual([]);
});

/** These two pages also name files by their room, or by their name alone. */
test.each(["ARCHITECTURE.md", "CONTRIBUTING.md"])("every module that %s names exists", (page) => {
  const text = readFileSync(join(repository, page), "utf8");
  const names = [...text.matchAll(/`(?:\.\.\/)?([\w./-]+\.(?:ts|mjs))`/g)].map(([, name]) => name!);
  const modules = globSync(
    ["packages/*/{src,test}/**/*.{ts,mjs}", "apps/*/*/**/*.ts", "packages/*/*.ts", ".ci/*"],
    {
      cwd: repository,
      exclude: ["**/node_modules/**", "**/dist/**"],
    },
  );
  expect(names.filter((name) => !modules.some((file) => `/${file}`.endsWith(`/${name}`)))).toEqual([]);
});

test.each(Object.entries({ client, protocol, server }))(
  "the README of %s names every value that the package exports",
  (name, exported) => {
    const readme = readFileSync(join(repository, "packages", name, "README.md"), "utf8");
    const isNamed = (value: string) => new RegExp(`\\b${value}\\b`).test(readme);
    expect(Object.keys(exported).filter((value) => !isNamed(value))).toEqual([]);
  },
);

test("the README of protocol lists every type of chunk, with the fields that not all of them share", () => {
  const readme = readFileSync(join(repository, "packages/protocol/README.md"), "utf8");
  const [, table] = /^\| `type` \|.*\n.*\n((?:\|.*\n)+)/m.exec(readme)!;
  const quotesIn = (cell: string) => [
    ...new Set(Array.from(cell.matchAll(/`([^`]+)`/g), ([, quoted]) => quoted!)),
  ];
  const listed = [...table!.matchAll(/^\| (.*?) \| (.*?) \| /gm)].flatMap(([, types, fields]) =>
    quotesIn(types!).map((type) => [type, quotesIn(fields!).sort()]),
  );
  const shared = ["type", "node", "opId", "schemaId", "schemaVersion", "providerMetadata"];
  /** The `id` of chunks with an `opId` is like it: it names their origin. */
  const isShared = (name: string, shape: object) =>
    shared.includes(name) || (name === "id" && "opId" in shape);
  const defined = streamChunkSchema.options.map((schema) => {
    const kinds = "options" in schema ? schema.options : [schema];
    const fields = kinds.flatMap(({ shape }) =>
      Object.entries(shape)
        .filter(([name, type]) => !isShared(name, shape) || !type.isOptional())
        .filter(([name]) => name !== "type")
        .map(([name, type]) => (type.isOptional() ? `${name}?` : name)),
    );
    return [kinds[0]!.shape.type.value, [...new Set(fields)].sort()];
  });
  expect(Object.fromEntries(listed)).toEqual(Object.fromEntries(defined));
});
