/** Creates a store on a disk that has become read-only, and sends the error message. */
import { execFileSync } from "node:child_process";
import { createSqliteRunStore } from "../../src/sqlite.ts";

const [, , folder] = process.argv;
const path = `${folder}/runs.db`;
await createSqliteRunStore({ path }).close();
execFileSync("mount", ["-o", "remount,ro", folder]);
try {
  createSqliteRunStore({ path });
  process.send("created");
} catch (error) {
  process.send(error.message);
}
process.disconnect();
