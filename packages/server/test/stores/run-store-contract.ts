/** The contract of every run store, in Vitest. */
import { afterEach, beforeEach, describe, test } from "vitest";
import { describeRunStore as describeIn, type RunStoreKind } from "../../src/store-testing.ts";

export const describeRunStore = (kind: RunStoreKind): void =>
  describeIn(kind, { describe, test, beforeEach, afterEach });
