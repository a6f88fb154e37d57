/**
 * The contract of every run store. The tests use a store only through its interface, and two stores of the same fixture
 * where runs are shared.
 */
import { afterEach, beforeEach, describe, vi } from "vitest";
import { ContractStores } from "./contract/contract-stores.ts";
import { describeLifetime } from "./contract/lifetime.ts";
import { describeLog } from "./contract/log.ts";
import { describeNames } from "./contract/names.ts";
import { describeOpening } from "./contract/opening.ts";
import { describeWaiting } from "./contract/waiting.ts";
import type { RunStoreKind } from "./run-stores.ts";

export function describeRunStore(kind: RunStoreKind): void {
  describe(kind.name, () => {
    const stores = new ContractStores(kind);
    beforeEach(() => stores.begin());
    afterEach(async () => {
      vi.useRealTimers();
      await stores.end();
    });

    describeOpening(stores);
    describeLog(stores);
    describeLifetime(stores);
    describeWaiting(stores);
    describeNames(stores);
  });
}
