/** The programs of docs/runs.md that connect to Redis, run. */
import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { hasRedis, startRedis } from "@kortyx/test-redis";
import { startSilentProxy } from "@kortyx/test-redis/silent-proxy";
import { afterAll, expect, test } from "vitest";
import { createSnippetFolder, snippetsOf } from "./readme-snippets.ts";

const folder = createSnippetFolder("redis-snippets");
afterAll(() => folder.remove());

test.skipIf(!hasRedis()).each(["redis", "ioredis"])(
  "the store with a client of %s works",
  async (library) => {
    const [code] = snippetsOf("docs/runs.md").filter((snippet) => snippet.includes(`from "${library}"`));
    const use = 'console.log(await store.latest("ann", "s"));\nprocess.exit(0);\n';
    const file = folder.write(`${library}.ts`, `${code}${use}`);
    const redis = await startRedis();
    const proxy = await startSilentProxy({ path: redis.socketPath });
    const env = { ...process.env, REDIS_URL: `redis://127.0.0.1:${proxy.port}` };
    const child = spawn(process.execPath, [file], { env, stdio: ["ignore", "pipe", "inherit"] });
    expect(await text(child.stdout)).toBe("undefined\n");
    await proxy.close();
    await redis.close();
  },
);
