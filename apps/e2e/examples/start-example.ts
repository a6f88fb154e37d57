/** `pnpm example <name>`: builds the packages, installs a copy of one example with them, builds it and starts it. */
import { spawn, spawnSync } from "node:child_process";
import { exampleNames, installExamples } from "./install-examples.ts";

const name = process.argv[2] ?? "";
if (!exampleNames.includes(name)) {
  console.error(`Name an example: pnpm example ${exampleNames.join(" | ")}`);
  process.exit(1);
}

const build = ["run", "build", "--filter=./packages/*", "--output-logs=errors-only"];
const { status, error, stdout, stderr } = spawnSync("turbo", build, { encoding: "utf8" });
if (status !== 0) {
  console.error(error?.message ?? `${stdout}${stderr}`);
  process.exit(status ?? 1);
}

const examples = installExamples([name]);
if (!examples) process.exit(1);
process.once("exit", () => examples.remove());
// Ctrl+C reaches the example itself, and this process ends after it.
process.on("SIGINT", () => {});
const cwd = examples.folderOf(name);
console.info(`A copy of the example, until you end it: ${cwd}`);
const run = (script: string) =>
  new Promise((resolve) =>
    spawn("pnpm", ["run", "--if-present", script], { cwd, stdio: "inherit" }).once("exit", resolve),
  );
if ((await run("build")) === 0) await run("start");
else process.exitCode = 1;
