import type { Cluster, Redis } from "ioredis";
import type {
  createClient,
  createClientPool,
  createCluster,
  createSentinel,
  RedisClientType,
  RedisClusterType,
} from "redis";
import { expectTypeOf, test } from "vitest";
import type { RedisClient } from "../../src/redis.ts";

test("a store accepts the clients of both libraries, single and of a cluster", () => {
  expectTypeOf<ReturnType<typeof createClient>>().toExtend<RedisClient>();
  expectTypeOf<RedisClientType>().toExtend<RedisClient>();
  expectTypeOf<ReturnType<typeof createCluster>>().toExtend<RedisClient>();
  expectTypeOf<RedisClusterType>().toExtend<RedisClient>();
  expectTypeOf<ReturnType<typeof createSentinel>>().toExtend<RedisClient>();
  expectTypeOf<Redis>().toExtend<RedisClient>();
  expectTypeOf<Cluster>().toExtend<RedisClient>();
});

test("a store accepts nothing else", () => {
  expectTypeOf<undefined>().not.toExtend<RedisClient>();
  expectTypeOf<string>().not.toExtend<RedisClient>();
  expectTypeOf<Promise<RedisClientType>>().not.toExtend<RedisClient>();
  expectTypeOf<ReturnType<typeof createClientPool>>().not.toExtend<RedisClient>();
  expectTypeOf<typeof Redis>().not.toExtend<RedisClient>();
  expectTypeOf<ReturnType<Redis["pipeline"]>>().not.toExtend<RedisClient>();
});
