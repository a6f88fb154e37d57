/**
 * A page with one scene of `use-chat/` in Chromium, under React 18 or 19, beside a server whose answers the test gives
 * by hand. Call it inside `describe`: it opens and closes everything, and fails each test that left a complaint.
 */
import { fileURLToPath } from "node:url";
import { type StreamChunk, toSSE } from "@kortyx/server";
import { build } from "esbuild";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";
import type {} from "../use-chat/page.tsx";
import type { SceneName } from "../use-chat/scenes.tsx";
import { launchChromium } from "./chromium.ts";
import { type LiveServer, listen, until } from "./live-server.ts";

export type ReactVersion = "18" | "19";

/** One request that the page has made. */
export interface Asked {
  method: string;
  /** What follows the endpoint's path. */
  search: string;
  version: string | null;
  // biome-ignore lint/suspicious/noExplicitAny: what a page sends.
  body: any;
  /** `ended`: the answer is over. `left`: the page has left it, and the agent was aborted. */
  state: "open" | "ended" | "left";
  /** Gives chunks of the answer. */
  give(...chunks: StreamChunk[]): void;
  /** Ends the answer. */
  end(): void;
}

/** Nothing but its own script and its own server. */
const policy = "default-src 'none'; script-src 'self'; connect-src 'self'; img-src data:";

export function useChatPage(reactVersion: ReactVersion) {
  let script: string;
  let renderScene: (scene: string) => string;
  let browser: Browser;
  let server: LiveServer;
  let page: Page;
  /** Console errors and warnings, exceptions and breaches of the Content-Security-Policy. */
  let complaints: string[];
  let asked: Asked[];
  /** Answers the next requests in place of the test's answers. */
  let otherwise: ((request: Request) => Response | undefined) | undefined;

  beforeAll(async () => {
    script = await bundle("page.tsx", reactVersion, { format: "esm", platform: "browser" });
    renderScene = await loadRenderer(reactVersion);
    browser = await launchChromium();
    server = await listen(respond);
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });
  beforeEach(async () => {
    asked = [];
    complaints = [];
    otherwise = undefined;
    page = await browser.newPage();
    page.setDefaultTimeout(10_000);
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) complaints.push(message.text());
    });
    page.on("pageerror", (error) => complaints.push(error.message));
  });
  afterEach(async () => {
    await page.close();
    expect(complaints).toEqual([]);
  });

  async function respond(request: Request): Promise<Response> {
    const { pathname, search, searchParams } = new URL(request.url);
    if (pathname === "/api/chat") return otherwise?.(request) ?? answer(request, search);
    if (pathname === "/page.js") {
      return new Response(script, { headers: { "content-type": "text/javascript" } });
    }
    const root = searchParams.has("rendered") ? renderScene(pathname.slice(1)) : "";
    return new Response(
      `<!doctype html><link rel="icon" href="data:,"><div id="root">${root}</div><script type="module" src="/page.js"></script>`,
      { headers: { "content-type": "text/html; charset=utf-8", "content-security-policy": policy } },
    );
  }

  async function answer(request: Request, search: string): Promise<Response> {
    const { method, headers, signal } = request;
    const body = method === "POST" ? await request.json() : undefined;
    const queue: (StreamChunk | "end")[] = [];
    let wake = () => {};
    const add = (...entries: typeof queue) => {
      queue.push(...entries);
      wake();
    };
    const one: Asked = {
      method,
      search,
      version: headers.get("x-version"),
      body,
      state: "open",
      give: add,
      end: () => add("end"),
    };
    asked.push(one);
    return toSSE(
      async function* ({ signal: left }): AsyncGenerator<StreamChunk> {
        left.addEventListener("abort", () => wake());
        try {
          while (!left.aborted) {
            const next = queue.shift();
            if (next === "end") {
              one.state = "ended";
              return;
            }
            if (next !== undefined) {
              yield next;
              continue;
            }
            await new Promise<void>((resolve) => {
              wake = resolve;
            });
          }
        } finally {
          if (one.state === "open") one.state = "left";
        }
      },
      { signal },
    );
  }

  return {
    get page() {
      return page;
    },
    get asked() {
      return asked;
    },
    get complaints() {
      return complaints;
    },
    /** @param search - `?once` renders without StrictMode, `?rendered` on the server first. */
    open: (scene: SceneName, search = "") => page.goto(`${server.url}/${scene}${search}`),
    /** Answers requests with something else for the rest of the test. */
    answerWith: (answer: NonNullable<typeof otherwise>) => {
      otherwise = answer;
    },
    click: (button: string, within = "body") =>
      page.locator(within).getByRole("button", { name: button, exact: true }).first().click(),
    texts: (name = "chat") => page.locator(`section[aria-label=${name}] p`).allTextContents(),
    untilStatus: (status: string, name = "chat") =>
      page.locator(`section[aria-label=${name}][data-status=${status}]`).waitFor(),
    untilText: (text: string, name = "chat") =>
      page.locator(`section[aria-label=${name}] p`, { hasText: text }).waitFor(),
    untilAsked: (count: number) => until(() => asked.length === count, `request ${count} was made`),
    untilState: (index: number, state: Asked["state"]) =>
      until(() => asked[index]!.state === state, `request ${index} is ${state}`),
  };
}

/** @returns the code of one entry of `use-chat/`, as a page in development would load it. */
async function bundle(
  entry: string,
  reactVersion: ReactVersion,
  options: { format: "esm" | "cjs"; platform: "browser" | "node" },
): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(`../use-chat/${entry}`, import.meta.url))],
    absWorkingDir: fileURLToPath(new URL("..", import.meta.url)),
    alias: reactVersion === "18" ? { react: "react-18", "react-dom": "react-dom-18" } : {},
    bundle: true,
    jsx: "automatic",
    // Only there StrictMode does everything twice, and only there React complains.
    define: { "process.env.NODE_ENV": '"development"' },
    write: false,
    logLevel: "error",
    ...options,
  });
  return outputFiles[0]!.text;
}

async function loadRenderer(reactVersion: ReactVersion): Promise<(scene: string) => string> {
  const code = await bundle("render.tsx", reactVersion, { format: "cjs", platform: "node" });
  const module = { exports: {} as { renderScene: (scene: string) => string } };
  new Function("module", "exports", "require", code)(module, module.exports, process.getBuiltinModule);
  return module.exports.renderScene;
}
