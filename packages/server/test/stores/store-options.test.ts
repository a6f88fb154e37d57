import { describe, expect, test } from "vitest";
import { createRedisRunStore } from "../../src/redis.ts";
import { createSqliteRunStore } from "../../src/sqlite.ts";
import { createMemoryRunStore } from "../../src/stores/memory-run-store.ts";

const path = ":memory:";

describe("a store is not created with", () => {
  test.each([
    [
      createMemoryRunStore,
      { retentionMS: 1 },
      'createMemoryRunStore has no option "retentionMS". Did you mean "retentionMs"?',
    ],
    [createSqliteRunStore, { path, leaseMS: 1 }, 'createSqliteRunStore has no option "leaseMS".'],
    [
      createRedisRunStore,
      { client: {}, keyPrefix: "app:" },
      'createRedisRunStore has no option "keyPrefix".',
    ],
  ])("an option that %o does not have", (create, options, message) => {
    expect(() => create(options as never)).toThrow(message);
  });

  test("followers that move to a process that cannot have their runs", () => {
    expect(() => createSqliteRunStore({ path, canHandOff: true })).toThrow(
      new TypeError('canHandOff: no other process has the runs of ":memory:"; name a file.'),
    );
    expect(() => createSqliteRunStore({ path, canHandOff: "false" as never })).toThrow(
      new TypeError('canHandOff must be a boolean; got "false".'),
    );
  });
});
