/** The files that the pages for contributors and the tables of `docs` name. Links are not looked at. */
import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { repository } from "./readme-snippets.ts";

const pages = ["ARCHITECTURE.md", "CONTRIBUTING.md", ...globSync("docs/*.md", { cwd: repository })];

/** A file of sources or tests in code, such as `server/src/redis.ts`; tests may be named without their ending. */
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
