/** Deployments without owners, on two processes or in the memory of one, and 20 visitors at once. About 5 s. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type RedisServer, startRedis } from "@kortyx/test-redis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { StreamProgram } from "../test/stream-program.ts";
import { follow, type RunStoreAddress, startRun, startRunServer } from "./run-server.ts";

let redis: RedisServer;
let folder: string;
const programs: StreamProgram[] = [];
beforeAll(async () => {
  redis = await startRedis();
  folder = mkdtempSync(join(tmpdir(), "kortyx-runs-"));
});
afterAll(async () => {
  for (const program of programs) await program.kill();
  await redis.close();
  rmSync(folder, { recursive: true });
});

const stores: [string, number, () => RunStoreAddress][] = [
  ["the memory of a process", 1, () => ({})],
  ["a SQLite file", 2, () => ({ path: join(folder, "runs.db") })],
  ["Redis", 2, () => ({ socketPath: redis.socketPath })],
];

describe.each(stores)("on %s, %d of them", (_, processes, addressOf) => {
  test("20 visitors at once have 20 answers, even in a session of the same name", async () => {
    const address = { ...addressOf(), isAnonymous: true };
    const started = await Promise.all(Array.from({ length: processes }, () => startRunServer(address)));
    programs.push(...started);
    const visitors = Array.from({ length: 20 }, async (_, index) => {
      const sessionId = index < 10 ? "same" : `s${index}`;
      const answer = follow(await startRun(started[index % processes]!.url, sessionId, "talk 10 100"));
      await answer.over;
      return answer.text;
    });
    for (const text of await Promise.all(visitors)) {
      expect(text.match(/"delta":/g)).toHaveLength(10);
      expect(text).toMatch(/"type":"done"}\n\ndata: \[DONE\]\n\n$/);
    }
  });
});
