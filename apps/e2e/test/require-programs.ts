/**
 * Runs before the end-to-end tests, and before all others when all run: checks the programs that the tests need in
 * addition to npm packages. In CI, missing ones are installed, and a failed installation fails the run; elsewhere their
 * suites are skipped, with a notice of the command that installs them.
 */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { hasRedis } from "@kortyx/test-redis";
import { hasChromium } from "./chromium.ts";
import { hasNginx } from "./nginx.ts";
import { hasPython } from "./python.ts";

const programs = [
  { name: "chromium", isThere: hasChromium, suite: "the browser tests" },
  { name: "nginx", isThere: hasNginx, suite: "the tests behind nginx" },
  { name: "redis-server", isThere: hasRedis, suite: "the tests of runs in Redis" },
  { name: "python3", isThere: hasPython, suite: "the tests of the reader in Python" },
];

export function setup(): void {
  let missing = programs.filter(({ isThere }) => !isThere());
  if (missing.length === 0) return;
  if (process.env.CI === "true") {
    execFileSync("sh", [fileURLToPath(new URL("../../../.ci/setup-system", import.meta.url))], {
      stdio: "inherit",
    });
    missing = missing.filter(({ isThere }) => !isThere());
    const [first] = missing;
    if (first !== undefined) throw new Error(`${first.name} is still missing after .ci/setup-system.`);
    return;
  }
  const lines = missing.map(
    ({ name, suite }) =>
      `SKIPPED: ${suite}, because ${name} is missing. Run \`pnpm setup:system\` to install it.`,
  );
  console.warn(`\n${lines.join("\n")}\n`);
}
