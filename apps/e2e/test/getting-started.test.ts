/** docs/getting-started.md shows the files of the examples, which tests install, build and open in a browser. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { repository } from "./readme-snippets.ts";

const page = readFileSync(join(repository, "docs/getting-started.md"), "utf8");

test.each([
  ["Next.js", "next", ["app/api/chat/agent.ts", "app/api/chat/route.ts", "app/page.tsx"]],
  ["Hono and Vite", "hono-vite", ["server.ts", "agent.ts", "vite.config.ts", "src/App.tsx"]],
] as const)("the section %s has the files of its example, unchanged", (title, example, files) => {
  const section = page.split(/^## /m).find((part) => part.startsWith(`${title}\n`))!;
  const shown = Array.from(
    section.matchAll(/^`([^`]+)`:\n\n```tsx?\n([\s\S]*?)^```$/gm),
    ([, name, code]) => [name, code],
  );
  const existing = files.map((name) => [
    name,
    readFileSync(join(repository, "examples", example, name), "utf8"),
  ]);
  expect(shown).toEqual(existing);
  expect(section.match(/^```tsx?$/gm)).toHaveLength(files.length);
});
