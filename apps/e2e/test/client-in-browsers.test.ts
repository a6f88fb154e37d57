import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SuiteReport } from "../client-suite/run-suite.ts";
import { suite } from "../client-suite/suite.ts";
import { type SuiteServer, startSuiteServer } from "../client-suite/suite-server.ts";
import { hasChromium, launchChromium } from "./chromium.ts";

/** The page runs everything itself: another browser needs only a launcher. */
const browsers = [{ name: "Chromium", isThere: hasChromium, launch: launchChromium }];

/** A limit for the suite, which takes 15 s, on a busy machine. */
const pageTimeoutMs = 240_000;

describe.each(browsers)("the client in $name", ({ isThere, launch }) => {
  describe.skipIf(!isThere())("from its built package, under a strict Content-Security-Policy", () => {
    let server: SuiteServer;
    let browser: Browser;
    let report: SuiteReport;
    /** The browser's console messages about the policy before the violation at the end. */
    const pageErrors: string[] = [];

    beforeAll(async () => {
      server = await startSuiteServer();
      browser = await launch();
      const page = await browser.newPage();
      page.on("console", (message) => {
        if (/Security Policy|Trusted/.test(message.text())) pageErrors.push(message.text());
      });
      page.on("pageerror", (error) => pageErrors.push(error.message));
      await page.goto(server.pageUrl);
      report = JSON.parse((await page.locator("#report").textContent({ timeout: pageTimeoutMs }))!);
    }, pageTimeoutMs + 30_000);
    afterAll(async () => {
      await browser?.close();
      await server?.close();
    });

    for (const { name: group, cases } of suite) {
      test.each(cases)(`${group}: $name`, ({ name }) => {
        const result = report.results.find((found) => found.group === group && found.name === name);
        expect(result).toEqual({ group, name, durationMs: expect.any(Number) });
      });
    }

    test("the policy was violated only once, by the page on purpose", () => {
      expect(report.violations).toEqual([]);
      expect(report.control).toBe("script-src-elem");
      expect(server.policyReports).toEqual([
        { "csp-report": expect.objectContaining({ "effective-directive": "script-src-elem" }) },
      ]);
      expect(pageErrors).toEqual([expect.stringContaining("inline script")]);
    });

    test("no error or rejection was unhandled", () => {
      expect(report.unhandled).toEqual([]);
    });
  });
});
