/**
 * Every example as its reader gets it: installed from the packed packages, type-checked, built, started, and used in
 * Chromium.
 */
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type ExamplePage, openExample } from "../../examples/example-page.ts";
import { buildExample, type ExampleProcess, startExample } from "../../examples/example-process.ts";
import { installExamples } from "../../examples/install-examples.ts";
import { hasChromium, launchChromium } from "../../test/chromium.ts";

const startedAt = Date.now();
const examples = hasChromium() ? installExamples() : undefined;
let browser: Browser;
let server: ExampleProcess;
let example: ExamplePage;

/** A suite with the built example, started once, and a new page for each test. */
function describeExample(name: string, defineTests: () => void): void {
  describe(name, () => {
    beforeAll(async () => {
      const folder = examples!.folderOf(name);
      buildExample(folder);
      server = await startExample(folder);
    }, 300_000);
    afterAll(() => server?.kill());
    beforeEach(async () => {
      example = await openExample(browser, server.url);
    });
    afterEach(async () => {
      await example.close();
      expect(example.complaints).toEqual([]);
    });
    defineTests();
  });
}

describe.skipIf(!examples)("the examples", () => {
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(async () => {
    await browser?.close();
    examples?.remove();
    console.info(`The examples took ${Math.round((Date.now() - startedAt) / 1000)} s.`);
  });

  for (const name of ["next", "hono-vite", "express", "fastify", "sveltekit", "no-bundler"]) {
    describeExample(name, () => {
      test("an answer grows on the page until it is complete", async () => {
        await example.ask("What grows?");
        await example.button("Stop").and(example.page.locator(":enabled")).waitFor();
        expect(await example.end()).toMatch(
          /^You: What grows\?\s*Agent: You asked: What grows\? A model .* stop it\.\s*$/,
        );
        expect((await example.texts()).length).toBeGreaterThan(10);
        expect(await example.violations()).toEqual([]);
      });

      test("Stop keeps the part that has arrived, and the next question gets its answer", async () => {
        await example.ask("Will you stop?");
        await expect.poll(() => example.log.textContent()).toContain("A model");
        await example.button("Stop").click();
        const stopped = await example.end();
        expect(stopped).not.toContain("until");
        await example.ask("And now?");
        expect(await example.end()).toMatch(/You: And now\?\s*Agent: You asked: And now\? .* stop it\.\s*$/);
      });

      test("an error is shown until the next question", async () => {
        const body = '{"error":"The server is busy.","code":"internal"}';
        await example.page.route("**/api/chat", (route) =>
          route.fulfill({ status: 500, contentType: "application/json", body }),
        );
        await example.ask("Does it fail?");
        await expect.poll(() => example.alert.allInnerTexts()).toEqual(["The server is busy."]);
        expect(example.complaints.splice(0)).toEqual([expect.stringContaining("500")]);
        await example.page.unrouteAll();
        await example.ask("And now?");
        await expect.poll(() => example.log.textContent()).toContain("You asked: And now?");
        expect((await example.alert.allInnerTexts()).join("")).toBe("");
      });
    });
  }
});
