/** docs/testing.md: its tests pass in Vitest as they are, and its answer for Playwright reaches a page. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasChromium, launchChromium } from "./chromium.ts";
import { createSnippetFolder, repository, snippetsOf } from "./readme-snippets.ts";
import { openScriptPage } from "./script-page.ts";

const folder = createSnippetFolder("guide-testing");
afterAll(() => folder.remove());
const snippets = snippetsOf("docs/testing.md");
const ofVitest = snippets.filter((code) => code.includes('"vitest"'));
const [ofPage] = snippetsOf("docs/testing.md", "tsx");
const agent = snippetsOf("docs/getting-started.md").find((code) => code.includes("export const agent"))!;

/** Rendering may take long on a busy machine. */
const patience = `import { configure } from "@testing-library/react";
configure({ asyncUtilTimeout: 30_000 });`;
const config = `import ofPage from "./page.config.ts";
export default {
  test: { ...ofPage.test, setupFiles: ["./patience.ts"], testTimeout: 60_000 },
  oxc: { jsx: { runtime: "automatic" } },
};`;

/** A test of the whole chat, which gets its routes from its application. */
const ofWholeChat = (name: string, body: string) => `${ofPage!.split("\n", 1)}
import { createScriptedFetch } from "@kortyx/client/testing";
import { fireEvent, render, screen } from "@testing-library/react";
import { existsSync } from "node:fs";
import { expect, test, vi } from "vitest";
import { app } from "./app.ts";
import { Conversation } from "./conversation.tsx";

test("${name}", async () => {
  vi.stubGlobal("fetch", createScriptedFetch((request) => app.fetch(request)).fetch);
  document.cookie = "session=ann";
  render(<Conversation sessionId="s" />);
  ${body}
});`;
const ofSignedOut = ofWholeChat("happy-dom loses the cookie", `await screen.findByLabelText("Password");`);
/** The module that the page mocks. */
const [mock] = /vi\.mock\("\.\/session\.ts".*\)(?=`)/.exec(
  readFileSync(join(repository, "docs/testing.md"), "utf8"),
)!;
const ofSignedIn = ofWholeChat(
  "the whole chat answers a user who is signed in, without a file",
  `fireEvent.change(await screen.findByLabelText("Question"), { target: { value: "Rome?" } });
  fireEvent.submit(screen.getByLabelText("Question").closest("form"));
  await screen.findByText(/^You asked: Rome/);
  const load = async () => (await fetch("/api/messages?session=s")).json();
  await expect.poll(async () => (await load()).length, { timeout: 30_000 }).toBe(2);
  expect(existsSync("messages.db") || existsSync("runs.db")).toBe(false);`,
);

/** Runs a file in node:test. @returns its report. */
function runInNode(name: string, code: string): string {
  // This process is a test of Vitest, not of Node.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const options = ["--test", "--test-reporter=tap", folder.write(name, code)];
  return spawnSync(process.execPath, options, { encoding: "utf8", env }).stdout;
}

test("every test of the page passes, with the agent of Getting started", () => {
  const [, saving, messages, app] = snippetsOf("docs/saving.md");
  folder.write("agent.ts", agent);
  folder.write("saving.ts", saving!);
  folder.write("messages.ts", messages!);
  folder.write("app.ts", app!);
  folder.write("conversation.tsx", snippetsOf("docs/saving.md", "tsx")[0]!);
  folder.write("signed-out.test.tsx", ofSignedOut);
  folder.write("signed-in.test.tsx", `${ofSignedIn}\n${mock};`);
  folder.write("page.config.ts", snippets.find((code) => code.includes("defineConfig"))!);
  for (const [index, code] of ofVitest.entries()) folder.write(`snippet-${index}.test.ts`, code);
  folder.write("page.test.tsx", ofPage!);
  folder.write("vitest.config.ts", config);
  folder.write("patience.ts", patience);
  const vitest = fileURLToPath(new URL("../node_modules/vitest/vitest.mjs", import.meta.url));
  const variables = Object.entries(process.env).filter(([name]) => !/^(VITEST|NODE_ENV$|CI$)/.test(name));
  const report = join(folder.path, "report.json");
  const options = ["--root", folder.path, "--reporter", "json", "--outputFile", report];
  spawnSync(process.execPath, [vitest, "run", ...options], { env: Object.fromEntries(variables) });
  const { numTotalTests, numPassedTests, testResults } = JSON.parse(readFileSync(report, "utf8"));
  expect(testResults.map(({ message }: { message: string }) => message).join("")).toBe("");
  expect(numPassedTests).toBe(numTotalTests);
  const results: { ancestorTitles: string[] }[] = testResults.flatMap(
    ({ assertionResults }: { assertionResults: [] }) => assertionResults,
  );
  const ofStore = results.filter(({ ancestorTitles }) => ancestorTitles[0] === "my store");
  expect([ofStore.length > 50, results.length - ofStore.length]).toEqual([true, 15]);
});

test("the tests of the store pass in node:test, too", () => {
  const [code] = snippets.filter((snippet) => snippet.includes("describeRunStore("));
  const report = runInNode(
    "store.test.ts",
    code!
      .replace(", vi }", " }")
      .replace('"vitest"', '"node:test"')
      .replace(/^vi\..*$/m, ""),
  );
  expect(report).toMatch(/^# fail 0$/m);
  expect(Number(/^# pass (\d+)$/m.exec(report)?.[1])).toBeGreaterThan(50);
});

test("the test for node:test passes on its clock", () => {
  const [code] = snippets.filter((snippet) => snippet.includes('from "node:test"'));
  expect(runInNode("clock.test.ts", code!)).toMatch(/^# pass 1\n# fail 0$/m);
});

describe.skipIf(!hasChromium())("in Chromium", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser?.close());

  test("the answer of the page reaches a chat", async () => {
    type Module = { answerWith(page: Page, chunks: object[]): Promise<void> };
    const { answerWith } = await folder.run<Module>("answer.ts", snippets.at(-1)!);
    const script = `import { createChat, toMessageText } from "@kortyx/client";
      const chat = createChat({ endpoint: "/api/chat" });
      chat.subscribe(({ messages, status }) => {
        document.querySelector("#answer")!.textContent = messages.map(toMessageText).join() + " " + status;
      });
      Object.assign(globalThis, { ask: () => void chat.send("Hello") });`;
    const opened = await openScriptPage(browser, script, () => new Response(null, { status: 500 }));
    await answerWith(opened.page, [{ type: "text-delta", delta: "Hi" }]);
    await opened.page.evaluate("ask()");
    await opened.page.getByText("Hello,Hi ready").waitFor();
    await opened.close();
  });
});
