/**
 * `pnpm demo` and `pnpm demo:cluster`: builds what has changed, without a word unless that fails, and then is the demo, or
 * its cluster. The output of the build tool is kept from the terminal: its last line has no end, and the address would be
 * glued to it.
 */
import { spawnSync } from "node:child_process";

const build = ["run", "build", "--filter=@kortyx/demo", "--output-logs=errors-only"];
const { status, error, stdout, stderr } = spawnSync("turbo", build, { encoding: "utf8" });
if (status !== 0) {
  console.error(error?.message ?? `${stdout}${stderr}`);
  process.exit(status ?? 1);
}
await import(process.argv[2] === "cluster" ? "./dist/cluster.js" : "./dist/main.js");
