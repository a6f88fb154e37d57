/** The browser of the tests: the system's Chromium, because no test tool downloads its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, type BrowserContext, chromium } from "playwright-core";

const candidates = [
  process.env.CHROMIUM_PATH,
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
];

const executablePath = (): string | undefined =>
  candidates.find((path) => path !== undefined && existsSync(path));

export const hasChromium = (): boolean => executablePath() !== undefined;

const flags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

function requireChromium(): string {
  const path = executablePath();
  if (path === undefined) throw new Error("chromium is missing: `pnpm setup:system` installs it.");
  return path;
}

/** All pages of this browser count as visible, like windows side by side. */
export const launchChromium = (): Promise<Browser> =>
  chromium.launch({ executablePath: requireChromium(), args: flags });

/** A browser with one window, in which only the front tab is visible: `page.bringToFront()` hides all others. */
export async function launchTabs(): Promise<{ context: BrowserContext; close(): Promise<void> }> {
  const profile = mkdtempSync(join(tmpdir(), "tabs-"));
  // Attaching to the browser's first page while it loads may never complete.
  const child = spawn(
    requireChromium(),
    [...flags, "--headless=new", "--remote-debugging-port=0", `--user-data-dir=${profile}`, "about:blank"],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  const exit = once(child, "exit");
  const close = async () => {
    child.kill();
    await exit;
    rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  };
  try {
    // By default, Playwright makes every page count as the front one.
    const browser = await chromium.connectOverCDP(await readDebuggerUrl(child), { noDefaults: true });
    return { context: browser.contexts()[0]!, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Waits for the line in which Chromium prints the URL of its debugger. */
function readDebuggerUrl(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = "";
    child.stderr?.on("data", (data) => {
      output += data;
      const url = /DevTools listening on (ws:\S+)/.exec(output)?.[1];
      if (url !== undefined) resolve(url);
    });
    child.once("exit", (code) =>
      reject(new Error(`Chromium exited (${code}) before it printed the URL of its debugger:\n${output}`)),
    );
  });
}
