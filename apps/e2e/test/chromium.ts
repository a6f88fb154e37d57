/** The browser of the tests: the system's Chromium, because no test tool downloads one of its own. */
import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

const candidates = [
  process.env.CHROMIUM_PATH,
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
];

const executablePath = (): string | undefined =>
  candidates.find((path) => path !== undefined && existsSync(path));

export const hasChromium = (): boolean => executablePath() !== undefined;

export function launchChromium(): Promise<Browser> {
  const path = executablePath();
  if (path === undefined) throw new Error("chromium is missing: `pnpm setup:system` installs it.");
  return chromium.launch({
    executablePath: path,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}
