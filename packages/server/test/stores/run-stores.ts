/** Every run store on its own storage, for suites that run on all of them. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hasRedis, type RedisServer, startRedis } from "@kortyx/test-redis";
import { afterAll, beforeAll, describe } from "vitest";
import { createRedisRunStore, type RedisClient } from "../../src/redis.ts";
import { createSqliteRunStore } from "../../src/sqlite.ts";
import type * as kit from "../../src/store-testing.ts";
import { createMemoryRunStore } from "../../src/stores/memory-run-store.ts";

export interface RunStoreFixture extends kit.RunStoreFixture {
  /** The options with which another process opens a store of the same runs: see `run-store-child.ts`. */
  address: object;
  dispose(): void;
}

/** A kind of run store, for suites that run on several. */
export interface RunStoreKind extends kit.RunStoreKind {
  setUp(): RunStoreFixture;
}

const memory: RunStoreKind = {
  name: "the memory of a process",
  isShared: false,
  setUp: () => ({ create: createMemoryRunStore, isAnnounced: true, address: {}, dispose: () => {} }),
};

const sqlite: RunStoreKind = {
  name: "a SQLite file",
  isShared: true,
  setUp() {
    const folder = mkdtempSync(join(tmpdir(), "kortyx-sqlite-"));
    const path = join(folder, "runs.db");
    return {
      create: (options) => createSqliteRunStore({ path, ...options }),
      isAnnounced: false,
      address: { path },
      dispose: () => rmSync(folder, { recursive: true }),
    };
  },
};

/** Runs the same suite for every store. */
export function describeStores(body: (kind: RunStoreKind) => void) {
  body(memory);
  body(sqlite);

  describe.skipIf(!hasRedis())("redis-server", () => {
    let redis: RedisServer;
    let clients: RedisClient[];
    beforeAll(async () => {
      redis = await startRedis();
      clients = [await redis.connect(), await redis.connect()];
    });
    afterAll(() => redis.close());

    body({
      name: "Redis",
      isShared: true,
      setUp() {
        const prefix = `${crypto.randomUUID()}:`;
        let stores = 0;
        return {
          create: (options) =>
            createRedisRunStore({ client: clients[stores++ % clients.length]!, prefix, ...options }),
          isAnnounced: true,
          address: { socketPath: redis.socketPath, prefix },
          dispose: () => {},
        };
      },
    });
  });
}
