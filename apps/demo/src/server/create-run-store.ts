/** Where the demo keeps its answers: in a SQLite file that survives restarts, or in Redis for several processes. */
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import type { RunStore } from "@kortyx/server";
import { createRedisRunStore } from "@kortyx/server/redis";
import { createSqliteRunStore } from "@kortyx/server/sqlite";
import { createClient } from "redis";

/**
 * @param environment - `REDIS_URL` chooses Redis.
 * @param defaultFile - The path of the SQLite file; `DEMO_RUNS_FILE` names another one.
 * @throws The error of the store's own client when the file or the server cannot be reached.
 */
export async function createRunStore(
  environment: Record<string, string | undefined>,
  defaultFile: string,
): Promise<RunStore> {
  const { REDIS_URL, DEMO_RUNS_FILE } = environment;
  if (REDIS_URL) {
    const client = createClient({ url: REDIS_URL, disableOfflineQueue: true });
    // The client reconnects on its own; without a listener its errors would end the process.
    client.on("error", (error) => console.error(`Redis: ${error.message}`));
    await client.connect();
    return createRedisRunStore({ client });
  }
  const path = DEMO_RUNS_FILE || defaultFile;
  if (path !== ":memory:") mkdirSync(dirname(path), { recursive: true });
  return createSqliteRunStore({ path });
}
