/**
 * A page with one scene of `use-chat/` in Chromium, next to a server whose answers the test sends. Call it inside
 * `describe`: it opens and closes everything, and fails each test whose page reported an error.
 */
import { type StreamChunk, toSSE } from "@kortyx/server";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";
import { launchChromium } from "./chromium.ts";
import { type LiveServer, listen, until } from "./live-server.ts";

/** The HTML of a page, by its path. */
export interface Scenes {
  script: string;
  /** @returns the HTML of a scene rendered on a server. */
  render?(scene: string): string | Promise<string>;
}

/** A request that the page has made. */
export interface PageRequest {
  method: string;
  /** The part after the endpoint's path. */
  search: string;
  version: string | null;
  // biome-ignore lint/suspicious/noExplicitAny: the page may send anything.
  body: any;
  /** `ended`: the answer is complete. `aborted`: the page closed it, and the agent was aborted. */
  state: "open" | "ended" | "aborted";
  /** Sends chunks of the answer. */
  give(...chunks: StreamChunk[]): void;
  /** Ends the answer. */
  end(): void;
}

/** Allows only the page's own script and server. */
const policy = "default-src 'none'; script-src 'self'; connect-src 'self'; img-src data:";

export function useScenePage<SceneName extends string>(load: () => Promise<Scenes>) {
  let scenes: Scenes;
  let browser: Browser;
  let server: LiveServer;
  let page: Page;
  /** Console errors and warnings, exceptions and violations of the Content-Security-Policy. */
  let pageErrors: string[];
  let requests: PageRequest[];
  /** Responds to the next requests in place of the test's answers. */
  let otherwise: ((request: Request) => Response | undefined) | undefined;

  beforeAll(async () => {
    scenes = await load();
    browser = await launchChromium();
    server = await listen(respond);
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });
  beforeEach(async () => {
    requests = [];
    pageErrors = [];
    otherwise = undefined;
    page = await browser.newPage();
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) pageErrors.push(message.text());
    });
    page.on("pageerror", (error) => pageErrors.push(error.message));
  });
  afterEach(async () => {
    await page.close();
    expect(pageErrors).toEqual([]);
  });

  async function respond(request: Request): Promise<Response> {
    const { pathname, search, searchParams } = new URL(request.url);
    if (pathname === "/api/chat") return otherwise?.(request) ?? answer(request, search);
    if (pathname === "/page.js") {
      return new Response(scenes.script, { headers: { "content-type": "text/javascript" } });
    }
    const root = searchParams.has("rendered") ? await scenes.render!(pathname.slice(1)) : "";
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
    const one: PageRequest = {
      method,
      search,
      version: headers.get("x-version"),
      body,
      state: "open",
      give: add,
      end: () => add("end"),
    };
    requests.push(one);
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
          if (one.state === "open") one.state = "aborted";
        }
      },
      { signal },
    );
  }

  return {
    get page() {
      return page;
    },
    get requests() {
      return requests;
    },
    get pageErrors() {
      return pageErrors;
    },
    /** @param search - `?rendered` renders the scene on the server first; anything else is for the scene. */
    open: (scene: SceneName, search = "") => page.goto(`${server.url}/${scene}${search}`),
    /** Responds to requests with something else for the rest of the test. */
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
    untilRequested: (count: number) => until(() => requests.length === count, `request ${count} was made`),
    untilState: (index: number, state: PageRequest["state"]) =>
      until(() => requests[index]!.state === state, `request ${index} is ${state}`),
  };
}
