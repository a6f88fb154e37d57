/** The present run stores, and the versions kept by `formats/freeze.mjs`. */
import { existsSync, readdirSync } from "node:fs";
import { createClient } from "redis";
import type { RunStore, RunStoreOptions } from "../../src/stores/run-store.ts";

/** The formats of a store that are kept, the newest last. */
export const keptVersionsOf = (store: "redis" | "sqlite"): string[] =>
  readdirSync(new URL("formats", import.meta.url))
    .filter((number) => existsSync(new URL(`formats/${number}/${store}.mjs`, import.meta.url)))
    .sort((left, right) => Number(left) - Number(right));

/** The path of a file, or the socket and prefix of a Redis. */
export interface StoreAddress {
  path?: string;
  socketPath?: string;
  prefix?: string;
}

/** @param version - `present`, or one of {@link keptVersionsOf}. */
export async function createStoreOf(
  version: string,
  { path, socketPath, prefix }: StoreAddress,
  options: RunStoreOptions = {},
): Promise<RunStore> {
  const moduleOf = (name: string) =>
    import(version === "present" ? `../../src/${name}.ts` : `./formats/${version}/${name}.mjs`);
  if (path !== undefined) {
    const { createSqliteRunStore } = await moduleOf("sqlite");
    return createSqliteRunStore({ path, ...options });
  }
  const client = createClient({ socket: { path: socketPath!, tls: false }, disableOfflineQueue: true });
  client.on("error", () => {});
  await client.connect();
  const { createRedisRunStore } = await moduleOf("redis");
  const store: RunStore = createRedisRunStore({ client, prefix, ...options });
  return {
    ...store,
    async close() {
      await store.close();
      client.destroy();
    },
  };
}
