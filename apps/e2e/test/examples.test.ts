/** What can be checked of the examples without installing them; `test-long/examples` uses them. */
import { globSync, readFileSync } from "node:fs";
import { basename, join, sep } from "node:path";
import type { ChatAgent } from "@kortyx/server";
import { expect, test } from "vitest";
import { exampleNames } from "../examples/install-examples.ts";
import { repository } from "./readme-snippets.ts";

const folder = join(repository, "examples");
const read = (file: string) => readFileSync(join(folder, file), "utf8");

/** What a starter of the framework writes: configuration, and files that only load the counted ones. CSS is not counted. */
const isOfStarter = (file: string) =>
  /\.config\.[jt]s$|\.d\.ts$|^(?:layout\.tsx|app\.html)$/.test(basename(file)) ||
  (basename(file) === "index.html" && read(file).includes('<div id="root"></div>')) ||
  (/^main\.tsx?$/.test(basename(file)) && read(file).includes("import App from "));

/** What takes the place of a model, so that no example needs a key. */
const isPlaceholder = (file: string) => read(file).includes("/** A placeholder for your model: ");

const codeOf = (name: string): string[] =>
  globSync(`${name}/**/*.{ts,tsx,js,vue,svelte,html}`, {
    cwd: folder,
    exclude: ["**/node_modules/**", "**/{dist,build,.next,.svelte-kit}/**"],
  }).filter((file) => !isOfStarter(file) && !isPlaceholder(file));

test.each(exampleNames)("%s has at most 60 lines of its own, not counting blank ones", (name) => {
  const lines = codeOf(name).flatMap((file) => read(file).split("\n"));
  const count = lines.filter((line) => line.trim() !== "").length;
  expect(count).toBeGreaterThan(0);
  expect(count).toBeLessThanOrEqual(60);
});

test("the examples with a model to replace share one placeholder, which ends when its signal aborts", async () => {
  const agents = globSync("*/**/agent.ts", { cwd: folder, exclude: ["**/node_modules/**"] });
  expect(new Set(agents.filter(isPlaceholder).map(read)).size).toBe(1);
  const { agent }: { agent: ChatAgent } = await import(join(folder, "hono-vite/agent.ts"));
  const stop = new AbortController();
  const options = { signal: stop.signal } as Parameters<ChatAgent["streamChat"]>[1];
  const answer = agent.streamChat([{ role: "user", content: "Hello" }], options) as AsyncGenerator;
  expect(await answer.next()).toMatchObject({ done: false });
  stop.abort();
  await expect(answer.next()).rejects.toThrow("aborted");
});

test.each(exampleNames)("the README of %s begins with its start in one screen", (name) => {
  const page = read(`${name}/README.md`);
  expect(page).toContain("npm install\n");
  expect(page.trimEnd().split("\n").length).toBeLessThanOrEqual(25);
});

test("the index lists every example", () => {
  const listed = [...read("README.md").matchAll(/^\| \[`(.+?)`\]\(\1\) \|/gm)].map(([, name]) => name);
  expect(listed.toSorted()).toEqual([...exampleNames, "agent"].toSorted());
});

test("the examples share one style, which is short, and nothing else has one", () => {
  const sheets = globSync("*/**/*.css", { cwd: folder, exclude: ["**/node_modules/**"] });
  expect(sheets.map((file) => file.split(sep)[0]).toSorted()).toEqual(exampleNames.toSorted());
  expect(new Set(sheets.map(read)).size).toBe(1);
  expect(read(sheets[0]!).split("\n").length).toBeLessThan(40);
});
