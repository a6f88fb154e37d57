/**
 * Every example as its reader gets it: installed from the packed packages, type-checked, built, started, and used in
 * Chromium.
 */

import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import { hasRedis, type RedisServer, startRedis } from "@kortyx/test-redis";
import type { Browser, BrowserContext } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type ExamplePage, openExample } from "../../examples/example-page.ts";
import { type ExampleProcess, runScript, startExample } from "../../examples/example-process.ts";
import { type InstalledExamples, installExamples } from "../../examples/install-examples.ts";
import { hasChromium, launchChromium } from "../../test/chromium.ts";

const startedAt = Date.now();
const examples = hasChromium() ? tryToInstall() : undefined;
const built = new Set<string>();
let browser: Browser;
let server: ExampleProcess;
let context: BrowserContext;
let example: ExamplePage;

/** @returns `undefined` if there is no registry, which in CI is an error. */
function tryToInstall(): InstalledExamples | undefined {
  try {
    return installExamples();
  } catch (error) {
    if (process.env.CI === "true") throw error;
    console.warn(`\nSKIPPED: the tests of the examples. ${(error as Error).message}`);
    return undefined;
  }
}

/**
 * A suite with the example, which is built and started once, and a new page for each test.
 *
 * @param variables - Of its environment, read when it starts.
 */
function describeExample(
  name: string,
  defineTests: () => void,
  variables: Record<string, string> = {},
): void {
  const title = [name, variables.STORE].filter(Boolean).join(" with ");
  describe(title, () => {
    beforeAll(async () => {
      const folder = examples!.folderOf(name);
      if (!built.has(name)) {
        runScript(folder, "build");
        runScript(folder, "check");
      }
      built.add(name);
      server = await startExample(folder, variables);
    }, 300_000);
    afterAll(() => server?.kill());
    beforeEach(async () => {
      context = await browser.newContext({ viewport: phone });
      example = await openExample(context, server.url);
    });
    afterEach(async () => {
      await context.close();
      expect(example.complaints).toEqual([]);
    });
    defineTests();
  });
}

const phone = { width: 390, height: 844 };

/** The placeholder of a model repeats it, which takes 20 s: room for what happens in between on a slow machine. */
const longQuestion = `Will you stop ${"now ".repeat(400)}?`;

/** A whole exchange with the placeholder of a model, as the page shows it. The question ends with its only `?`. */
const exchange = (question: string) => {
  const asked = question.replace("?", "\\?");
  return new RegExp(`^You: ${asked}\\s*Agent: You asked: ${asked} A model .* stop it\\.\\s*$`);
};

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
        expect(await example.end()).toMatch(exchange("What grows?"));
        expect((await example.texts()).length).toBeGreaterThan(5);
        expect(await example.violations()).toEqual([]);
      });

      test("Stop keeps the part that has arrived, and the next question gets its answer", async () => {
        await example.ask(longQuestion);
        await example.log.getByText("You asked: ").waitFor();
        // The question alone is longer than a phone.
        await expect.poll(example.distanceToEnd).toBeLessThan(2);
        await example.button("Stop").click();
        const stopped = await example.end();
        expect(stopped).not.toContain("A model");
        await example.ask("And now?");
        const both = await example.end();
        expect(both.slice(0, stopped.length)).toBe(stopped);
        expect(both.slice(stopped.length).trim()).toMatch(exchange("And now?"));
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

  const redis: Record<string, string> = { STORE: "redis" };
  let redisServer: RedisServer;
  let redisPort: Server;
  beforeAll(async () => {
    if (!hasRedis()) return;
    redisServer = await startRedis();
    // The tests' Redis listens on a socket of its folder only.
    redisPort = createServer((socket) => {
      const ours = connect(redisServer.socketPath);
      socket.on("error", () => ours.destroy());
      ours.on("error", () => socket.destroy());
      socket.pipe(ours).pipe(socket);
    }).listen(0, "127.0.0.1");
    await once(redisPort, "listening");
    redis.REDIS_URL = `redis://127.0.0.1:${(redisPort.address() as AddressInfo).port}`;
  });
  afterAll(async () => {
    redisPort?.close();
    await redisServer?.close();
  });

  for (const variables of [{ STORE: "memory" }, { STORE: "sqlite" }, ...(hasRedis() ? [redis] : [])]) {
    const defineTests = () => {
      test("a reload in the middle of an answer shows it growing, and another tab stops it for both", async () => {
        await example.ask(longQuestion);
        await expect.poll(async () => (await example.texts()).length).toBeGreaterThan(5);
        await example.page.reload();
        await expect.poll(async () => (await example.texts()).length).toBeGreaterThan(5);
        expect(await example.violations()).toEqual([]);
        const other = await openExample(context, example.page.url());
        await other.button("Stop").click();
        const stopped = await example.end();
        expect(`You: ${longQuestion}Agent: You asked: ${longQuestion}`).toContain(stopped.trim());
        expect(await other.end()).toBe(stopped);
        expect(other.complaints).toEqual([]);
      });

      if (variables.STORE === "memory") return;
      test("an answer survives a restart of the server", async () => {
        await example.ask("Who restarts?");
        await example.end();
        const { hash } = new URL(example.page.url());
        await server.kill();
        server = await startExample(examples!.folderOf("runs"), variables);
        await example.page.goto(server.url + hash);
        await expect.poll(() => example.log.textContent()).toMatch(exchange("Who restarts?"));
      });
    };
    describeExample("runs", defineTests, variables);
  }

  describeExample("buffered", () => {
    const ask = async (question: string) => {
      await example.page.getByRole("textbox", { name: "Question" }).fill(question);
      await example.button("Send").click();
      await example.button("Stop").and(example.page.locator(":enabled")).waitFor();
    };

    test("an answer appears at once", async () => {
      await ask("All at once?");
      const answer = await example.end();
      expect(answer).toMatch(/^You asked: All at once\? A model .* stop it\.\s*$/);
      expect(await example.texts()).toEqual(["", answer]);
      expect(await example.violations()).toEqual([]);
    });

    test("Stop ends the request", async () => {
      await ask(longQuestion);
      await example.button("Stop").click();
      expect(await example.end()).toBe("");
      expect(await example.alert.textContent()).toBe("Stopped.");
    });
  });

  describeExample("human-in-the-loop", () => {
    test("a mail is sent once it is approved, and not if it is denied", async () => {
      // A keyboard leaves as little room.
      await example.page.setViewportSize({ width: phone.width, height: 300 });
      await example.ask("The report is ready.");
      const question = example.page.getByRole("group", {
        name: "Send “The report is ready.” to ada@example.com?",
      });
      await question.waitFor();
      await expect.poll(example.distanceToEnd).toBeLessThan(2);
      const form = await example.page.locator("form").boundingBox();
      const buttons = await question.getByRole("button").first().boundingBox();
      expect(buttons!.y + buttons!.height).toBeLessThanOrEqual(form!.y);
      expect(await example.violations()).toEqual([]);
      expect(await example.end()).toMatch(/Agent: I have written a mail\.\s*$/);
      await question.getByRole("button").first().click();
      await expect.poll(() => example.log.textContent()).toContain("is on its way.");
      expect(await question.count()).toBe(0);
      await example.ask("The report is late.");
      await example.page.getByRole("group").getByRole("button").last().click();
      await expect
        .poll(() => example.log.textContent())
        .toMatch(/late\.Agent: I have written a mail\.\s*I have not sent it\.$/);
    });
  });

  describeExample("own-types", () => {
    test("a typed object grows, made of the context that the page sends", async () => {
      await example.page.getByRole("spinbutton", { name: "Servings" }).fill("7");
      await example.button("Send").click();
      await example.page.getByRole("heading", { name: "Pancakes for 7" }).waitFor();
      expect(await example.end()).toMatch(/^\s*Pancakes for 7\s*Mix 7 eggs, .*Fry\.\s*$/);
      expect((await example.texts()).length).toBeGreaterThanOrEqual(4);
      expect(await example.violations()).toEqual([]);
    });

    test("a context that the schema rejects is refused, and its field is named", async () => {
      const response = await fetch(`${server.url}/api/chat`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ messages: [{ role: "user", content: "Hi" }], context: { servings: 13 } }),
      });
      expect(response.status).toBe(400);
      expect(JSON.stringify(await response.json())).toContain('"context.servings"');
    });

    test("a misspelt field is a type error, in the agent and in the page", () => {
      const folder = examples!.folderOf("own-types");
      const misspell = (file: string, field: string) => {
        const path = join(folder, file);
        const text = readFileSync(path, "utf8");
        expect(text).toContain(field);
        writeFileSync(path, text.replace(field, field.replace("title", "titel")));
      };
      misspell("server.ts", 'set("title"');
      misspell("src/App.svelte", "data?.title");
      expect(() => runScript(folder, "check")).toThrow(/found 2 errors/);
    });
  });
});
