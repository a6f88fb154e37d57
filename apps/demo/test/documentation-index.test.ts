import { mkdir, rename, rm, symlink, utimes } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createDocumentationIndex } from "../src/documentation-index.ts";
import { createTemporaryFolder, writeFileIn } from "./temporary-folder.ts";

test("is rebuilt when a file is changed, added, renamed or removed, and only then", async () => {
  const root = await createTemporaryFolder({ "a.md": "# A\n\none\n" });
  const index = createDocumentationIndex(root);
  let sections = await index.readSections();
  const expectRebuilt = async (isRebuilt: boolean) => {
    const next = await index.readSections();
    expect(next === sections).toBe(!isRebuilt);
    sections = next;
  };

  await expectRebuilt(false);
  await utimes(join(root, "a.md"), 1_000_000, 1_000_000);
  await expectRebuilt(true);
  await writeFileIn(root, "a.md", "# A\n\none and two\n");
  await utimes(join(root, "a.md"), 1_000_000, 1_000_000);
  await expectRebuilt(true);
  await writeFileIn(root, "b.md", "# B\n");
  await expectRebuilt(true);
  await rename(join(root, "b.md"), join(root, "c.md"));
  await expectRebuilt(true);
  await rm(join(root, "c.md"));
  await expectRebuilt(true);
  await expectRebuilt(false);
  expect(sections.map(({ path, heading, text }) => ({ path, heading, text }))).toEqual([
    { path: "a.md", heading: "A", text: "one and two\n" },
  ]);
});

test("leaves out dependencies, builds, dot-folders, changelogs, links and what is not Markdown", async () => {
  const root = await createTemporaryFolder({
    "README.md": "# Root",
    "packages/x/README.MD": "# Package",
    "packages/x/CHANGELOG.md": "# Changes",
    "packages/x/node_modules/y/README.md": "# Dependency",
    "packages/x/dist/README.md": "# Build",
    ".hidden/README.md": "# Hidden",
    "notes.txt": "# Text",
  });
  const elsewhere = await createTemporaryFolder({ "secret.md": "# Secret" });
  await symlink(join(elsewhere, "secret.md"), join(root, "linked.md"));
  await symlink(elsewhere, join(root, "linked"));
  const sections = await createDocumentationIndex(root).readSections();
  expect(sections.map((section) => section.heading)).toEqual(["Root", "Package"]);
});

test("searches the files as they are, all of them or those at a path", async () => {
  const root = await createTemporaryFolder({ "a.md": "# A\n\nwombat\n", "docs/b.md": "# B\n\nwombat\n" });
  const index = createDocumentationIndex(root);
  const pathsOf = async (path?: string) =>
    (await index.search("wombat", { path })).hits.map((hit) => hit.section.path).sort();
  expect(await pathsOf()).toEqual(["a.md", "docs/b.md"]);
  expect(await pathsOf("docs")).toEqual(["docs/b.md"]);
  await writeFileIn(root, "docs/c.md", "# C\n\nwombat\n");
  expect(await pathsOf("docs")).toEqual(["docs/b.md", "docs/c.md"]);
});

test.each(["missing", "doc", "docs/b", "../docs", "/docs", ""])(
  "refuses to search where no file is: %j",
  async (path) => {
    const index = createDocumentationIndex(await createTemporaryFolder({ "docs/b.md": "# B\n" }));
    const error = await index.search("b", { path }).catch((reason) => reason);
    expect(error.name).toBe("UnknownPathError");
    expect(error.message).toBe(`There is no Markdown at "${path}".`);
  },
);

test("rejects with the reason of the signal", async () => {
  const index = createDocumentationIndex(await createTemporaryFolder({ "a.md": "# A" }));
  const reason = new Error("enough");
  await expect(index.search("a", { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
});

test("reads indexed files only", async () => {
  const folder = await createTemporaryFolder({
    "outside.md": "# Outside",
    "root/a.md": "# A",
    "root/b.txt": "b",
  });
  const root = join(folder, "root");
  await mkdir(join(root, "docs"));
  const index = createDocumentationIndex(root);
  expect(await index.readDocument("a.md")).toBe("# A");
  for (const path of ["../outside.md", "docs/../a.md", "./a.md", "/a.md", "b.txt", "docs", "", "a.md\0"]) {
    expect(await index.readDocument(path)).toBeUndefined();
  }
});
