/**
 * The demo's page in Chromium, for the tests that drive it: opened in one size, with the browser's complaints, pictures for
 * people to look at, and the checks that every state of the page must pass.
 */
import { mkdirSync } from "node:fs";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { createAdaptorServer } from "@hono/node-server";
import { createApp } from "@kortyx/demo/app";
import { type ChatMessage, createMemoryRunStore, type RunStore, type StreamChunk } from "@kortyx/server";
import axe from "axe-core";
import type { Browser, ConsoleMessage, Page } from "playwright-core";

export const pageFolder = fileURLToPath(new URL("../node_modules/@kortyx/demo/dist/page/", import.meta.url));
const pictures = fileURLToPath(new URL("../.tmp/pictures/", import.meta.url));

type Agent = Parameters<typeof createApp>[0]["agent"];
type StreamChatOptions = Parameters<Agent["streamChat"]>[1];

export interface DemoServer {
  url: string;
  /** Breaks every connection; the server continues. */
  cut(): void;
  close(): Promise<void>;
}

/**
 * The built page and the route, with an agent of the test.
 *
 * @param store - The demo's route has runs; `null` for one that has none.
 */
export async function listenWith(
  agent: Agent,
  store: RunStore | null = createMemoryRunStore(),
): Promise<DemoServer> {
  const { fetch } = createApp({ agent, store: store ?? undefined, pageFolder });
  const server = createAdaptorServer({ fetch }) as Server;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut: () => server.closeAllConnections(),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** An agent whose answers come from a generator. */
export const agentOf = (
  answer: (
    question: string,
    options: StreamChatOptions,
    message: ChatMessage | undefined,
  ) => AsyncIterable<StreamChunk>,
): Agent => ({
  streamChat: (messages, options) => answer(messages.at(-1)?.content ?? "", options, messages.at(-1)),
});

export const text = (delta: string): StreamChunk => ({ type: "text-delta", delta });
export const done: StreamChunk = { type: "done", finishReason: "stop" };

/** Resolves after the delay, or when the signal is aborted. */
export function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const wake = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", wake);
      resolve();
    };
    const timer = setTimeout(wake, delayMs);
    signal.addEventListener("abort", wake);
  });
}

export interface DemoPageOptions {
  width?: number;
  height?: number;
  /** A separate browser profile, and no tab that other tests have used. */
  isPrivate?: boolean;
}

const colorSchemes = ["light", "dark"] as const;

/** A page of the demo. Its storage belongs to the server's address, so another server is a clean start. */
export interface DemoPage {
  page: Page;
  /** Console errors, exceptions and breaches of the Content-Security-Policy. */
  complaints: string[];
  ask(question: string): Promise<void>;
  /** Begins a new conversation, and waits until the page shows it. */
  startOver(): Promise<void>;
  answer(): ReturnType<Page["locator"]>;
  /** Waits for an answer with this status. */
  answerWith(status: string): Promise<void>;
  /** The violations that axe finds on the page, in light and in dark. */
  violations(): Promise<string[]>;
  /** For people to look at, in light and in dark. */
  picture(name: string): Promise<void>;
  close(): Promise<void>;
}

export async function openDemoPage(
  browser: Browser,
  url: string,
  { width = 1280, height = 860, isPrivate = false }: DemoPageOptions = {},
): Promise<DemoPage> {
  // A tab is opened once for many tests: that takes longer than most of them.
  const tab = isPrivate ? undefined : idleTabs.get(browser);
  const page = tab ?? (await (await browser.newContext()).newPage());
  idleTabs.delete(browser);
  const complaints: string[] = [];
  const onConsole = (message: ConsoleMessage) =>
    message.type() === "error" && complaints.push(message.text());
  const onError = (error: Error) => complaints.push(error.message);
  page.on("console", onConsole);
  page.on("pageerror", onError);
  await page.setViewportSize({ width, height });
  await page.goto(url);
  await page.getByRole("textbox", { name: "Message" }).waitFor();
  return {
    page,
    complaints,
    async ask(question) {
      // While an answer is in progress there is no such button, and nothing is sent.
      await page.getByRole("button", { name: "Send" }).waitFor();
      const box = page.getByRole("textbox", { name: "Message" });
      await box.fill(question);
      await box.press("Enter");
    },
    async startOver() {
      await page.getByRole("button", { name: "New conversation" }).click();
      // The page reads its address only after the press: what is sent before that is part of the old conversation.
      await page.getByRole("list", { name: "Example questions" }).waitFor();
    },
    answer: () => page.getByRole("article", { name: "Assistant" }).last(),
    answerWith: (status) =>
      page.locator(`article[aria-label=Assistant][data-status=${status}]`).last().waitFor(),
    async violations() {
      // Not one of the page's scripts, so the Content-Security-Policy does not apply.
      await page.evaluate(axe.source);
      const found: string[] = [];
      for (const colorScheme of colorSchemes) {
        await page.emulateMedia({ colorScheme });
        for (const violation of await page.evaluate(runAxe)) found.push(`${colorScheme}: ${violation}`);
      }
      return found;
    },
    async picture(name) {
      mkdirSync(pictures, { recursive: true });
      for (const colorScheme of colorSchemes) {
        await page.emulateMedia({ colorScheme });
        const path = `${pictures}${name}-${page.viewportSize()?.width}-${colorScheme}.png`;
        await page.screenshot({ path, animations: "disabled" });
      }
    },
    async close() {
      if (isPrivate) return page.context().close();
      for (const other of page.context().pages()) if (other !== page) await other.close();
      page.off("console", onConsole);
      page.off("pageerror", onError);
      await page.unrouteAll({ behavior: "ignoreErrors" });
      await page.emulateMedia({ colorScheme: null });
      await page.goto("about:blank");
      idleTabs.set(browser, page);
    },
  };
}

const idleTabs = new WeakMap<Browser, Page>();

/** Runs in the page, where axe is. */
async function runAxe(): Promise<string[]> {
  const { violations } = await (globalThis as unknown as { axe: typeof axe }).axe.run();
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 200)} ${failureSummary}`),
  );
}
