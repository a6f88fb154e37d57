/** Every store of runs, on storage of its own, for suites that run on all of them. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hasRedis, type RedisServer, startRedis } from "@kortyx/test-redis";
import { afterAll, beforeAll, describe } from "vitest";
import { createRedisRunStore, type RedisClient } from "../../src/redis.ts";
import { createSqliteRunStore } from "../../src/sqlite.ts";
import { createMemoryRunStore } from "../../src/stores/memory-run-store.ts";
import type { RunStore, RunStoreOptions } from "../../src/stores/run-store.ts";

export interface RunStoreFixture {
  /** Another store of the same runs; where they are not shared, of its own. */
  create(options?: RunStoreOptions): RunStore;
  /** Appends are announced to those who wait; else they look for themselves every now and then. */
  isAnnounced: boolean;
  /** What a process needs to make a store of the same runs: see `run-store-child.ts`. */
  address: object;
  /** Removes what the stores, which are closed, have left. */
  dispose(): void;
}

/** A store of runs, for suites that run on several. */
export interface RunStoreKind {
  name: string;
  /** Stores see the runs of others with the same storage. */
  isShared: boolean;
  /** Makes fresh storage, for a test to use and to dispose of. */
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

/** Describes the same for every store. */
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
