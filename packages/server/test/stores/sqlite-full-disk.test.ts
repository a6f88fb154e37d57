import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { hasMounts, runOnSmallDisk } from "./small-disk.ts";

describe.skipIf(!hasMounts())("a SQLite file on a full disk", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "kortyx-disk-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  test("refuses new answers and ends growing ones until there is room, while stops and reads work", async () => {
    expect(await runOnSmallDisk(folder, "full-disk-child.mjs")).toEqual([
      {
        lastEvents: [
          'data: {"type":"error","message":"The server has no room for this answer. Please try again later.","code":"store-full"}',
          "data: [DONE]",
        ],
        logged: [
          [
            `The disk is too full for ${join(folder, "runs.db-reserve")}. New runs are refused until there is space.`,
            "Error: database or disk is full",
          ],
        ],
        refusal: [503, "store-full", "5"],
        refusedAgain: 503,
        reserveEvents: [],
        stop: [200, { type: "abort", reason: "stopped" }],
        follower: true,
        kept: true,
      },
      { status: 200, text: true },
      `path: runs cannot be kept in ${JSON.stringify(join(folder, "another.db"))}: the disk is full.`,
    ]);
  });

  test("that it filled itself has room again after the retention time", async () => {
    const full = {
      runs: "some",
      room: "little",
      opened: "store-full",
      appended: "full",
      renewed: "ok",
      ended: { type: "done" },
    };
    expect(await runOnSmallDisk(folder, "full-store-child.mjs")).toEqual([full, "created", full, "created"]);
  });
});
