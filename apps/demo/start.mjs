/**
 * `pnpm demo`: builds what has changed, without a word unless that fails, and then is the demo. What the build tool has
 * to say is kept from the terminal, where its last line would have no end, and the address would be glued to it.
 */
import { spawnSync } from "node:child_process";

const build = ["run", "build", "--filter=@kortyx/demo", "--output-logs=errors-only"];
const { status, error, stdout, stderr } = spawnSync("turbo", build, { encoding: "utf8" });
if (status !== 0) {
  console.error(error?.message ?? `${stdout}${stderr}`);
  process.exit(status ?? 1);
}
await import("./dist/main.js");
