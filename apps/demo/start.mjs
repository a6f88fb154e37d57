/**
 * `pnpm demo` and `pnpm demo:cluster`: builds what has changed, silently unless that fails, and then becomes the demo or its
 * cluster. The build tool does not write to the terminal itself: its last line has no end, and the address would follow on
 * the same line.
 */
import { spawnSync } from "node:child_process";

const build = "turbo run build --filter=@kortyx/demo --output-logs=errors-only";
// Windows finds `turbo` only with a shell.
const { status, error, stdout, stderr } = spawnSync(build, { shell: true, encoding: "utf8" });
if (status !== 0) {
  console.error(error?.message ?? `${stdout}${stderr}`);
  process.exit(status ?? 1);
}
await import(process.argv[2] === "cluster" ? "./cluster.ts" : "./src/server/main.ts");
