/**
 * A page with one scene of `use-chat/` in Chromium, beside a server whose answers the test gives by hand. Call it inside
 * `describe`: it opens and closes everything, and fails each test that left a complaint.
 */
import { type StreamChunk, toSSE } from "@kortyx/server";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";
import { launchChromium } from "./chromium.ts";
import { type LiveServer, listen, until } from "./live-server.ts";

/** What a page shows, by its path. */
export interface Scenes {
  script: string;
  /** @returns what a server renders of a scene. */
  render?(scene: string): string | Promise<string>;
}

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

export function useScenePage<SceneName extends string>(load: () => Promise<Scenes>) {
  let scenes: Scenes;
  let browser: Browser;
  let server: LiveServer;
  let page: Page;
  /** Console errors and warnings, exceptions and breaches of the Content-Security-Policy. */
  let complaints: string[];
  let asked: Asked[];
  /** Answers the next requests in place of the test's answers. */
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
    asked = [];
    complaints = [];
    otherwise = undefined;
    page = await browser.newPage();
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
    /** @param search - `?rendered` renders the scene on the server first; anything else is the scene's. */
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
