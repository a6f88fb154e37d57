/** docs/sse.md: the frames that it shows, and its pages with its routes, in Chromium. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { toSSE } from "@kortyx/server";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasChromium, launchChromium } from "./chromium.ts";
import { createSnippetFolder, repository, snippetsOf } from "./readme-snippets.ts";
import { openScriptPage } from "./script-page.ts";

type Route = { POST(request: Request): Promise<Response> };

const folder = createSnippetFolder("guide-sse");
afterAll(() => folder.remove());
const [chatRoute, callbackPage, fetchPage, importRoute, importPage] = snippetsOf("docs/sse.md") as [
  string,
  string,
  string,
  string,
  string,
];
const page = readFileSync(join(repository, "docs/sse.md"), "utf8");

test("the frames and the headers are those of a response", async () => {
  const shown = /```text\n([\s\S]*?)```/.exec(page)![1]!;
  const chunks = Array.from(shown.matchAll(/^data: (\{.*)$/gm), ([, json]) => JSON.parse(json!));
  const response = toSSE(chunks);
  expect(chunks).toHaveLength(3);
  expect((await response.text()).replaceAll(/^:.*\n\n/gm, "")).toBe(shown);
  for (const [name, value] of response.headers) expect(page).toContain(`\`${name}: ${value}\``);
  expect([...response.headers]).toHaveLength(4);
});

test("a client that wants one value gets it, and a failed answer has the status of a failure", async () => {
  const failingAgent = `
    export const agent = {
      async *streamChat() {
        yield { type: "error", message: "The model is busy." };
      },
    };`;
  folder.write("failing-agent.ts", failingAgent);
  const [answering, failing] = await Promise.all([
    folder.run<Route>("sse-route.ts", chatRoute),
    folder.run<Route>("failing-route.ts", chatRoute.replace("./agent.ts", "./failing-agent.ts")),
  ]);
  const ask = (route: Route) =>
    route.POST(
      new Request("http://host/", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ messages: [{ role: "user", content: "Hello" }], stream: false }),
      }),
    );
  const answer = await ask(answering);
  expect([answer.status, await answer.json()]).toMatchObject([200, { text: "Hello" }]);
  const failure = await ask(failing);
  expect([failure.status, await failure.json()]).toMatchObject([
    500,
    { error: { message: "The model is busy." } },
  ]);
});

describe.skipIf(!hasChromium())("in Chromium", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser?.close());

  test.each([
    ["with callbacks", callbackPage, "done"],
    ["with a request of its own", fetchPage, null],
  ])("the page %s shows the answer of the route", async (name, code, outcome) => {
    const { POST } = await folder.run<Route>("sse-route.ts", chatRoute);
    const file = folder.write(`${name.replaceAll(" ", "-")}.ts`, code);
    const script = `import { ask } from ${JSON.stringify(file)}; void ask("Hello");`;
    const opened = await openScriptPage(browser, script, POST);
    await expect.poll(() => opened.page.locator("#answer").textContent()).toBe("Hello");
    await expect.poll(() => opened.page.locator("#answer").getAttribute("data-outcome")).toBe(outcome);
    expect(opened.complaints).toEqual([]);
    await opened.close();
  });

  test("the page with callbacks shows that an answer was cut off", async () => {
    const file = folder.write("cut.ts", callbackPage);
    const script = `import { ask } from ${JSON.stringify(file)}; void ask("Hello");`;
    const frame = 'data: {"type":"text-delta","delta":"Hel"}\n\n';
    const headers = { "content-type": "text/event-stream" };
    const opened = await openScriptPage(browser, script, async () => new Response(frame, { headers }));
    await expect.poll(() => opened.page.locator("#answer").getAttribute("data-outcome")).toBe("cut");
    expect(await opened.page.locator("#answer").textContent()).toMatch(/^Hel./);
    expect(opened.complaints).toEqual([]);
    await opened.close();
  });

  test("the page of another route shows its progress", async () => {
    const { POST } = await folder.run<Route>("import-route.ts", importRoute);
    const file = folder.write("import-page.ts", importPage);
    const script = `import { importRows } from ${JSON.stringify(file)};
      document.body.append(document.createElement("progress"));
      await importRows(["a", "b", "c"]);
      document.querySelector("#answer")!.textContent = String(document.querySelector("progress")!.value);`;
    const opened = await openScriptPage(browser, script, POST);
    await expect.poll(() => opened.page.locator("#answer").textContent()).toBe("1");
    await opened.close();
  });
});
