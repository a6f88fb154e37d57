/** Processes with runs that end while answers are being read, and while others are being opened: about 30 s in all. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type RedisServer, startRedis } from "@kortyx/test-redis";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { until } from "../test/live-server.ts";
import type { StreamProgram } from "../test/stream-program.ts";
import { follow, type RunStoreAddress, startRun, startRunServer } from "./run-server.ts";

let redis: RedisServer;
let folder: string;
let programs: StreamProgram[];
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.close());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kortyx-runs-"));
  programs = [];
});
afterEach(async () => {
  for (const program of programs) await program.kill();
  rmSync(folder, { recursive: true });
});

async function start(address: RunStoreAddress): Promise<StreamProgram> {
  const program = await startRunServer(address);
  programs.push(program);
  return program;
}

const stores: [string, () => RunStoreAddress][] = [
  ["the memory of the process", () => ({})],
  ["a SQLite file", () => ({ path: join(folder, "runs.db") })],
  ["a SQLite file of several processes", () => ({ path: join(folder, "runs.db"), canHandOff: true })],
  ["Redis", () => ({ socketPath: redis.socketPath })],
];

const wordsOf = (text: string) => [...text.matchAll(/"delta":"(\d+) "/g)].map(([, word]) => Number(word));
const upTo = (count: number) => Array.from({ length: count }, (_, index) => index);
const wholeEnding = /data: {"type":"done"}\n\ndata: \[DONE\]\n\n$/;
const countOpening = ({ lines }: StreamProgram) => lines.filter((line) => line.startsWith("Opening:")).length;

describe.each(stores)("runs in %s", (name, addressOf) => {
  test.each([0, 1])(
    "that are being opened at SIGTERM finish, along with %d other answers",
    async (others) => {
      const isSlow = name === "Redis";
      const program = await start({ ...addressOf(), openMs: isSlow ? 0 : 500 });
      const started = upTo(others).map((index) => startRun(program.url, `other-${index}`, "talk 20 50"));
      const besides = (await Promise.all(started)).map(follow);
      if (isSlow) await redis.command("CLIENT", "PAUSE", "500", "ALL");
      const asked = upTo(6).map((index) => startRun(program.url, `asked-${index}`, "talk 10 20"));
      await until(() => countOpening(program) === others + 6, "six runs are being opened");
      program.signal("SIGTERM");
      const answers = (await Promise.all(asked)).map(follow);
      await Promise.all([...besides, ...answers].map(({ over }) => over));
      for (const answer of answers) {
        expect(wordsOf(answer.text)).toEqual(upTo(10));
        expect(answer.text).toMatch(wholeEnding);
      }
      expect(await program.exited).toEqual({ code: 0, signal: null });
      expect(program.lines.at(-1)).toBe(`Drained: {"finished":${6 + others},"aborted":0}`);
    },
  );

  test("whose process drains move their followers only if another process serves them", async () => {
    const address = addressOf();
    const movesOn = address.canHandOff === true || address.socketPath !== undefined;
    const here = await start(address);
    const sessionId = crypto.randomUUID();
    const first = follow(await startRun(here.url, sessionId, "talk 40 50"));
    await until(() => wordsOf(first.text).length > 3, "some words have arrived");
    here.signal("SIGTERM");
    await here.readLine("Draining.");
    await first.over;
    if (movesOn) {
      expect(first.text).toMatch(/\n\nretry: \d+\n\n$/);
      expect(wordsOf(first.text).length).toBeLessThan(40);
      const there = await start(address);
      const lastEventId = first.text.match(/(?<=^id: ).*/gm)!.at(-1)!;
      const rest = follow(await fetch(there.url, { headers: { "last-event-id": lastEventId } }));
      await rest.over;
      expect(rest.text).toMatch(wholeEnding);
      expect([...wordsOf(first.text), ...wordsOf(rest.text)]).toEqual(upTo(40));
    } else {
      expect(wordsOf(first.text)).toEqual(upTo(40));
      expect(first.text).toMatch(wholeEnding);
    }
    expect(await here.exited).toEqual({ code: 0, signal: null });
    expect(here.lines.at(-1)).toBe('Drained: {"finished":1,"aborted":0}');
  });
});
