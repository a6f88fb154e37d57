/** For tests of run stores: their contract, for any test runner. Needs Node. No other entry imports it. */
export {
  describeRunStore,
  type RunStoreFixture,
  type RunStoreKind,
  type TestRunner,
} from "./testing/contract/describe-run-store.ts";
