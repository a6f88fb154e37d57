/**
 * Runs before the end-to-end tests: what they need beside npm packages must be there. In CI it is installed, and a
 * failure to install it fails the run; elsewhere its suites are skipped, and this says which command installs it.
 */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { hasChromium } from "./chromium.ts";

export function setup(): void {
  if (hasChromium()) return;
  if (process.env.CI === "true") {
    execFileSync("sh", [fileURLToPath(new URL("../../../.ci/setup-system", import.meta.url))], {
      stdio: "inherit",
    });
    if (!hasChromium()) throw new Error("chromium is still missing after .ci/setup-system.");
    return;
  }
  console.warn(
    "\nSKIPPED: the browser tests, because chromium is missing. `pnpm setup:system` installs it.\n",
  );
}
