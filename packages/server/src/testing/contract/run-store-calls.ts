/** Store calls shared by the suites of all stores. */
import { equal } from "node:assert/strict";
import { createRunId } from "../../stores/run-id.ts";
import type { OpenRun, RunStore } from "../../stores/run-store.ts";

/** A request that opens a new run, unless `given` has a known key or run id. */
export const opening = (given: Partial<OpenRun> = {}): OpenRun => ({
  runId: createRunId(given.owner ?? "ann", given.key),
  owner: "ann",
  sessionId: undefined,
  key: undefined,
  bodyHash: "hash",
  maxOpenRuns: 1000,
  allowActiveRun: false,
  ...given,
});

/** Opens a run. @returns its id. */
export async function openRun(store: RunStore, given: Partial<OpenRun> = {}): Promise<string> {
  const opened = await store.open(opening(given));
  if (opened.status !== "created") throw new Error(`expected a new run, got ${opened.status}`);
  return opened.run.runId;
}

/** A call of each method that may fail. */
export const callsOf = (store: RunStore, runId: string): (() => Promise<unknown>)[] => [
  () => store.open(opening()),
  () => store.append(runId, 0, ["0"]),
  () => store.renew(runId),
  () => store.end(runId, { type: "done" }),
  () => store.endIfLeaseExpired(runId),
  () => store.read(runId, -1, 1),
  () => store.latest("ann", "s"),
  () => store.stopKey("ann", "k"),
];

/** A page of a run, from its beginning unless `after` is given, without the time that its lease has left. */
export async function pageOf(store: RunStore, runId: string, after = -1, limit = 1000) {
  const page = await store.read(runId, after, limit);
  if (page === undefined) return undefined;
  const { leaseLeftMs, ...rest } = page;
  equal(typeof leaseLeftMs, "number");
  return rest;
}

/** The whole log of a run. */
export const logOf = async (store: RunStore, runId: string): Promise<readonly string[]> =>
  (await store.read(runId, -1, 1_000_000))?.entries ?? [];
