import { mkdir, rename, rm, symlink, utimes } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createDocumentationIndex } from "../src/documentation-index.ts";
import { createTemporaryFolder, writeFileIn } from "./temporary-folder.ts";

const headingsOf = async (root: string, query: string) =>
  (await createDocumentationIndex(root).search(query)).hits.map((hit) => hit.section.heading);

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

test("ranks a section by its heading first", async () => {
  const root = await createTemporaryFolder({
    "a.md":
      "# A\n\n## Other\n\nHeartbeats, heartbeats, heartbeats.\n\n## Heartbeats\n\nA comment when idle.\n",
  });
  expect((await headingsOf(root, "What are heartbeats?"))[0]).toBe("Heartbeats");
});

test("forgives a mistyped word, finds the beginning of a word, and the words inside a name", async () => {
  const root = await createTemporaryFolder({
    "a.md": "# A\n\nUse createMessageAccumulator for reconnecting.\n",
  });
  expect(await headingsOf(root, "reconecting")).toEqual(["A"]);
  expect(await headingsOf(root, "reconn")).toEqual(["A"]);
  expect(await headingsOf(root, "accumulators")).toEqual(["A"]);
  expect(await headingsOf(root, "CreateMessageAccumulator")).toEqual(["A"]);
});

test("does not answer a question about something unknown with sections that share a common word", async () => {
  const words = ["stream", "stream", "stream", "stream", "stream", "stream", "stream", "stream"];
  const root = await createTemporaryFolder({
    "a.md": words.map((word, index) => `# Part ${index}\n\nA ${word} of things.\n`).join("\n"),
  });
  expect(await headingsOf(root, "How does a flumoxitron stream?")).toEqual([]);
  expect(await headingsOf(root, "stream")).toHaveLength(5);
});

test("finds nothing for a question without a word to look for", async () => {
  const root = await createTemporaryFolder({ "a.md": "# What is this?\n\nWhat it is.\n" });
  expect(await headingsOf(root, "what is this?")).toEqual([]);
  expect(await headingsOf(root, "  ")).toEqual([]);
});

test("rejects with the reason of the signal", async () => {
  const index = createDocumentationIndex(await createTemporaryFolder({ "a.md": "# A" }));
  const reason = new Error("enough");
  await expect(index.search("a", AbortSignal.abort(reason))).rejects.toBe(reason);
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
