/** The page of an example in Chromium: found by what a user sees and a screen reader reads. */
import axe from "axe-core";
import type { BrowserContext, Locator, Page } from "playwright-core";

export interface ExamplePage {
  page: Page;
  log: Locator;
  alert: Locator;
  button(name: string): Locator;
  /** Errors and warnings of the console, and exceptions. */
  complaints: string[];
  ask(question: string): Promise<void>;
  /** Waits until no answer is in progress. @returns the text of the conversation. */
  end(): Promise<string>;
  /** @returns every text that the conversation had since the page was opened, as often as it changed. */
  texts(): Promise<string[]>;
  /** @returns how many pixels the end of the page is below what is visible. */
  distanceToEnd(): Promise<number>;
  /** The violations that axe finds on the page. */
  violations(): Promise<string[]>;
}

export async function openExample(context: BrowserContext, url: string): Promise<ExamplePage> {
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  // Before any script of the page, so that no text is missed.
  await page.addInitScript(recordTexts);
  await page.goto(url);
  const log = page.getByRole("log");
  const button = (name: string) => page.getByRole("button", { name, exact: true });
  return {
    page,
    log,
    alert: page.locator("main").getByRole("alert"),
    button,
    complaints,
    async ask(question) {
      await page.getByRole("textbox", { name: "Question" }).fill(question);
      await button("Send").click();
      await log.getByText(question.slice(0, 20)).first().waitFor();
    },
    async end() {
      await page.locator("[role=log][aria-busy=false]").waitFor({ state: "attached" });
      return (await log.textContent()) ?? "";
    },
    texts: () => page.evaluate(() => (globalThis as unknown as { texts: string[] }).texts),
    distanceToEnd: () =>
      page.evaluate(() => document.documentElement.getBoundingClientRect().bottom - innerHeight),
    async violations() {
      await page.evaluate(axe.source);
      return page.evaluate(runAxe);
    },
  };
}

/** Runs in the page. */
function recordTexts(): void {
  const texts: string[] = [];
  Object.assign(globalThis, { texts });
  new MutationObserver(() => {
    const text = document.querySelector("[role=log]")?.textContent;
    if (typeof text === "string" && text !== texts.at(-1)) texts.push(text);
  }).observe(document, { subtree: true, childList: true, characterData: true });
}

/** Runs in the page, where axe is. */
async function runAxe(): Promise<string[]> {
  const { violations } = await (globalThis as unknown as { axe: typeof axe }).axe.run();
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 200)} ${failureSummary}`),
  );
}
