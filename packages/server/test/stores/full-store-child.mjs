/** Two stores of one SQLite file that fill a disk on their own, until their runs expire. */
import { statfsSync } from "node:fs";
import { createSqliteRunStore } from "../../src/sqlite.ts";

const [, , folder] = process.argv;
console.error = () => {};
const options = { path: `${folder}/runs.db`, retentionMs: 3_000 };
const [store, other] = [createSqliteRunStore(options), createSqliteRunStore(options)];
const opening = () => ({
  runId: crypto.randomUUID(),
  owner: "ann",
  bodyHash: "",
  maxOpenRuns: 1e9,
  allowActiveRun: true,
});
const entries = Array.from({ length: 64 }, (_, seq) => `${seq} `.padEnd(2_000, "x"));

/** @returns the number of runs that fit. */
async function fill() {
  for (let count = 0; ; count++) {
    const request = opening();
    const opened = await (count % 2 ? store : other).open(request);
    if (opened.status === "store-full") return count;
    const appended = await store.append(request.runId, 0, entries);
    // A run can end even without room for anything else.
    const terminal = await other.end(request.runId, { type: "done" });
    if (terminal?.type !== "done") throw new Error("A run has not ended.");
    if (appended === "full") return count;
  }
}

for (let round = 0; round < 2; round++) {
  const { runId } = (await store.open(opening())).run;
  const count = await fill();
  const room = statfsSync(folder);
  process.send({
    runs: count > 0 ? "some" : count,
    room: room.bavail < room.blocks / 3 ? "little" : room.bavail,
    opened: (await other.open(opening())).status,
    appended: await other.append(runId, 0, entries),
    renewed: await store.renew(runId),
    ended: await store.end(runId, { type: "done" }),
  });
  let opened;
  do {
    await new Promise((resolve) => setTimeout(resolve, 50));
    opened = await store.open(opening());
  } while (opened.status === "store-full");
  process.send(opened.status);
}
await store.close();
await other.close();
process.disconnect();
