/** `pnpm example <name>`: builds the packages, installs a copy of one example with them, builds it and starts it. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { pnpmCommand } from "../test/packed-packages.ts";
import { exampleNames, type InstalledExamples, installExamples } from "./install-examples.ts";

const name = process.argv[2] ?? "";
if (!exampleNames.includes(name)) {
  console.error(`Name an example: pnpm example ${exampleNames.join(" | ")}`);
  if (name === "agent") console.error("examples/agent/README.md describes how the agent starts.");
  process.exit(1);
}

// Ctrl+C reaches all processes at once, other signals only this one: it passes them on. It ends after the others, and
// removes the copy.
let child: ChildProcess | undefined;
process.on("SIGINT", () => {});
for (const signal of ["SIGTERM", "SIGHUP"] as const) process.on(signal, () => child?.kill(signal));

const [pnpm, ...first] = pnpmCommand();
const build = ["turbo", "run", "build", "--filter=./packages/*", "--output-logs=errors-only"];
const { status, error, stdout, stderr } = spawnSync(pnpm, [...first, "exec", ...build], { encoding: "utf8" });
if (status !== 0) fail(error?.message ?? `${stdout}${stderr}`);

let examples: InstalledExamples;
try {
  examples = installExamples([name]);
} catch (error) {
  fail((error as Error).message);
}
process.once("exit", () => examples.remove());
const cwd = examples.folderOf(name);
console.info(`A copy of the example, until you end it: ${cwd}`);
if ((await run("build")) === 0) await run("start");
else process.exitCode = 1;

function run(script: string): Promise<unknown> {
  // Only this machine reaches it, also where the default of the framework is every machine.
  const env = { HOST: "localhost", ...process.env };
  child = spawn(pnpm, [...first, "run", "--if-present", script], { cwd, env, stdio: "inherit" });
  return new Promise((resolve) => child!.once("exit", resolve));
}

function fail(message: string): never {
  console.error(message);
  process.exit(1);
}
