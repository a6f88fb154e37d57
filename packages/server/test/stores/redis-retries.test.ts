import { describe, expect, test, vi } from "vitest";
import type { RedisLink } from "../../src/stores/redis-client.ts";
import { RedisCommands } from "../../src/stores/redis-commands.ts";

/** Commands on a link whose calls fail with these errors, one after the other, and then succeed. */
function failingWith(errors: Error[], isCluster = true) {
  const evalSha = vi.fn(async () => {
    const error = errors.shift();
    if (error !== undefined) throw error;
    return "ok";
  });
  const link = { isCluster, evalSha } as Partial<RedisLink> as RedisLink;
  const commands = new RedisCommands({ link, times: [1, 1], commandTimeoutMs: 60_000 });
  return { run: () => commands.run("renew", ["k"], []), evalSha };
}

describe("a call to a node", () => {
  test("that the client of a cluster has left, or whose slot moves, is made again", async () => {
    const left = new Error("Disconnects client");
    const moving = new Error("TRYAGAIN Multiple keys request during rehashing of slot");
    const { run, evalSha } = failingWith([left, moving]);
    expect(await run()).toBe("ok");
    expect(evalSha).toHaveBeenCalledTimes(3);
  });

  test("of a client that the application has destroyed fails at once, and so does any other error", async () => {
    for (const [error, isCluster] of [
      [new Error("Disconnects client"), false],
      [new Error("The client is closed"), true],
    ] as const) {
      const { run, evalSha } = failingWith([error], isCluster);
      await expect(run()).rejects.toBe(error);
      expect(evalSha).toHaveBeenCalledOnce();
    }
  });
});
