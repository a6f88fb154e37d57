import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createSqliteRunStore } from "../../src/sqlite.ts";
import { hasMounts, runOnSmallDisk } from "./small-disk.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kortyx-sqlite-"));
  path = join(folder, "runs.db");
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Changes the file directly, without a store. */
function change(statements: string): void {
  const database = new DatabaseSync(path);
  database.exec(statements);
  database.close();
}

const refused = (at: string, reason: string) =>
  `path: runs cannot be kept in ${JSON.stringify(at)}: ${reason}`;

describe("the format of a file", () => {
  test("has number 1", async () => {
    await createSqliteRunStore({ path }).close();
    const database = new DatabaseSync(path);
    expect({ ...database.prepare("PRAGMA user_version").get() }).toEqual({ user_version: 1 });
    database.close();
    await createSqliteRunStore({ path }).close();
  });

  test("is refused if it is newer, and the file stays unchanged", async () => {
    await createSqliteRunStore({ path }).close();
    change("PRAGMA user_version = 2");
    const before = readFileSync(path);
    expect(() => createSqliteRunStore({ path })).toThrow(
      refused(
        path,
        "a newer version of @kortyx/server has written it (format 2; this version knows 1). Update the package, or name another file.",
      ),
    );
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  test("is refused if it is another program's, and the file stays unchanged", () => {
    const reason = "it holds the tables of another program. Name a file that is used only for runs.";
    for (const number of [0, 1, 7]) {
      change(`CREATE TABLE IF NOT EXISTS users (id); PRAGMA user_version = ${number}`);
      const before = readFileSync(path);
      expect(() => createSqliteRunStore({ path })).toThrow(refused(path, reason));
      expect(readFileSync(path).equals(before)).toBe(true);
    }
  });

  test("is created in an existing empty file", async () => {
    writeFileSync(path, "");
    await createSqliteRunStore({ path }).close();
    await createSqliteRunStore({ path }).close();
  });
});

describe("creating a store throws an error with the reason:", () => {
  test("no path", () => {
    for (const [given, got] of [
      [undefined, "undefined"],
      ["", '""'],
      [new URL("file:///tmp/runs.db"), "an object"],
      ["file:///tmp/runs.db", '"file:///tmp/runs.db"'],
    ] as [string, string][]) {
      expect(() => createSqliteRunStore({ path: given })).toThrow(
        new TypeError(`path must be the path of a file, or ":memory:"; got ${got}.`),
      );
    }
  });

  test("no folder", () => {
    const at = join(folder, "nowhere", "runs.db");
    expect(() => createSqliteRunStore({ path: at })).toThrow(
      refused(at, `the folder ${JSON.stringify(join(folder, "nowhere"))} does not exist. Create it first.`),
    );
  });

  test("a folder instead of a file", () => {
    mkdirSync(path);
    expect(() => createSqliteRunStore({ path })).toThrow(refused(path, "it is a folder. Name a file in it."));
  });

  test("a file that is not a database", () => {
    writeFileSync(path, "x".repeat(10_000));
    expect(() => createSqliteRunStore({ path })).toThrow(
      refused(path, "it is not a SQLite database. Name another file."),
    );
  });

  test.skipIf(!hasMounts())("a file that cannot be written", async () => {
    const sent = await runOnSmallDisk(folder, "read-only-child.mjs");
    const reason = "this process needs write access to the file and its folder.";
    expect(sent).toEqual([refused(path, reason)]);
  });
});
