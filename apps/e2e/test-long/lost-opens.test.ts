/**
 * A Redis that stops for 5 s while runs are being opened, at the default lease of 15 s and timeout of 2 s: its commands
 * are executed when it continues, and their replies are lost. All tests wait in parallel: about 15 s in all.
 */

import { type RedisServer, startRedis } from "@kortyx/test-redis";
import { afterAll, describe, expect, test } from "vitest";
import type { StreamProgram } from "../test/stream-program.ts";
import { follow, startRun, startRunServer } from "./run-server.ts";

const postCount = 20;
const stillMs = 5_000;

const servers: RedisServer[] = [];
const programs: StreamProgram[] = [];
afterAll(async () => {
  for (const program of programs) await program.kill();
  for (const redis of servers) await redis.close();
});

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Keeps Redis from replying for `stillMs`. */
const stops: [string, (redis: RedisServer) => Promise<unknown>][] = [
  ["that is paused", (redis) => redis.command("CLIENT", "PAUSE", String(stillMs), "ALL")],
  [
    "that is busy",
    async (redis) => {
      const script = `local from = redis.call('TIME')[1] while redis.call('TIME')[1] - from < ${stillMs / 1000} do end`;
      void redis.command("EVAL", script, "0");
    },
  ],
  [
    "whose process is stopped",
    async (redis) => {
      const info = String(await redis.command("INFO", "server"));
      const pid = Number(/process_id:(\d+)/.exec(info)![1]);
      process.kill(pid, "SIGSTOP");
      setTimeout(() => process.kill(pid, "SIGCONT"), stillMs);
    },
  ],
];

describe.concurrent.each(stops)("Redis %s", (what, stop) => {
  test.concurrent(`for 5 s while ${postCount} runs are opened: each gets one answer, even for a repeated POST`, async () => {
    const redis = await startRedis();
    servers.push(redis);
    const program = await startRunServer({ socketPath: redis.socketPath });
    programs.push(program);
    // By now, the scripts are loaded.
    await follow(await startRun(program.url, "warm-up", "talk 1 0")).over;
    await stop(redis);
    await pause(100);
    const startedAt = performance.now();
    const ids = Array.from({ length: postCount }, (_, index) => `s${index}`);
    const ask = async (id: string) => {
      // Half of the clients send a key, and repeat their POST before it has a response.
      const hasKey = Number(id.slice(1)) % 2 === 0;
      const first = startRun(program.url, id, "talk 5 10", hasKey ? id : undefined);
      if (!hasKey) return [first];
      await pause(3_000);
      return [first, startRun(program.url, id, "talk 5 10", id)];
    };
    const answers = await Promise.all(
      ids.map(async (id) => {
        const followers = (await Promise.all(await ask(id))).map(follow);
        await Promise.all(followers.map(({ over }) => over));
        return followers.map(({ text }) => text);
      }),
    );
    console.log(
      `Redis ${what} for 5 s: all answered after ${((performance.now() - startedAt) / 1000).toFixed(2)} s`,
    );
    for (const [first, repeated] of answers) {
      expect(first).toMatch(/run-start.*"0 ".*"1 ".*"2 ".*"3 ".*"4 ".*"done".*\[DONE\]\n\n$/s);
      // The same run, with the same ids; a client without a key has only one answer.
      if (repeated !== undefined) expect(repeated).toBe(first);
    }
    const asked = program.lines.filter((line) => line.startsWith("Asked: s")).sort();
    expect(asked).toEqual(ids.map((id) => `Asked: ${id}`).sort());
  });
});
