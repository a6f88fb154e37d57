/** Writes `pnpm-lock.yaml` after a change of what an example depends on. The packages must be built. */
import { execSync } from "node:child_process";
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { copyExamples, exampleNames } from "./install-examples.ts";

const root = copyExamples(exampleNames);
execSync("pnpm install --lockfile-only", { cwd: root, stdio: "inherit" });
cpSync(join(root, "pnpm-lock.yaml"), fileURLToPath(new URL("pnpm-lock.yaml", import.meta.url)));
rmSync(root, { recursive: true });
