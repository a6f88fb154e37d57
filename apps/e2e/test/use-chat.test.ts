import { fileURLToPath } from "node:url";
import { type StreamChunk, toSSE } from "@kortyx/server";
import { build } from "esbuild";
import type { Browser, Page } from "playwright-core";
import { createElement } from "react";
import { renderToString } from "react-dom/server";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type {} from "../use-chat/page.tsx";
import { type SceneName, scenes } from "../use-chat/scenes.tsx";
import { hasChromium, launchChromium } from "./chromium.ts";
import { type LiveServer, listen, until } from "./live-server.ts";

const uuidV4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const delta = (text: string): StreamChunk => ({ type: "text-delta", delta: text });

/** A request for an answer, which the test gives by hand. */
interface Asked {
  method: string;
  /** What follows the endpoint's path. */
  search: string;
  version: string | null;
  // biome-ignore lint/suspicious/noExplicitAny: what a page sends.
  body: any;
  /** The answer is over, and how. */
  state: "open" | "ended" | "left";
  give(...chunks: StreamChunk[]): void;
  end(): void;
}

/** Nothing but its own script and its own server. */
const policy = "default-src 'none'; script-src 'self'; connect-src 'self'; img-src data:";

describe.skipIf(!hasChromium())("useChat in Chromium", () => {
  let script: string;
  let browser: Browser;
  let server: LiveServer;
  let page: Page;
  /** Console errors and warnings, exceptions and breaches of the Content-Security-Policy. */
  let complaints: string[];
  let asked: Asked[];

  beforeAll(async () => {
    const { outputFiles } = await build({
      entryPoints: [fileURLToPath(new URL("../use-chat/page.tsx", import.meta.url))],
      bundle: true,
      format: "esm",
      platform: "browser",
      jsx: "automatic",
      // Only there StrictMode does everything twice, and only there React complains.
      define: { "process.env.NODE_ENV": '"development"' },
      write: false,
      logLevel: "error",
    });
    script = outputFiles[0]!.text;
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
    const { pathname, search } = new URL(request.url);
    if (pathname === "/api/chat") return answer(request, search);
    if (pathname === "/page.js")
      return new Response(script, { headers: { "content-type": "text/javascript" } });
    const root = pathname === "/restored" ? renderToString(createElement(scenes.restored)) : "";
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

  const open = (scene: SceneName, search = "") => page.goto(`${server.url}/${scene}${search}`);
  const click = (button: string, within = "body") =>
    page.locator(within).getByRole("button", { name: button }).first().click();
  const texts = (name = "chat") => page.locator(`section[aria-label=${name}] p`).allTextContents();
  const untilStatus = (status: string, name = "chat") =>
    page.locator(`section[aria-label=${name}][data-status=${status}]`).waitFor();
  const untilText = (text: string, name = "chat") =>
    page.locator(`section[aria-label=${name}] p`, { hasText: text }).waitFor();
  const untilAsked = (count: number) => until(() => asked.length === count, `request ${count} was made`);

  test("an answer streams in, in StrictMode, and is asked for once", async () => {
    await open("plain");
    await click("Send");
    await untilStatus("submitted");
    await untilAsked(1);
    asked[0]!.give(delta("Half an"));
    await untilText("Half an");
    expect(await texts()).toEqual(["Hello", "Half an"]);
    await untilStatus("streaming");
    asked[0]!.give(delta(" answer"), { type: "done" });
    asked[0]!.end();
    await untilStatus("ready");
    expect(await texts()).toEqual(["Hello", "Half an answer"]);
    expect(asked).toMatchObject([
      {
        method: "POST",
        search: "",
        body: {
          messages: [{ role: "user", content: "Hello" }],
          sessionId: expect.stringMatching(uuidV4),
        },
      },
    ]);
  });

  test("Stop ends the agent on the server, and keeps what has come", async () => {
    await open("plain");
    await click("Send");
    await untilAsked(1);
    asked[0]!.give(delta("Half"));
    await untilText("Half");
    await click("Stop");
    await untilStatus("ready");
    await until(() => asked[0]!.state === "left", "the agent has ended");
    expect(await texts()).toEqual(["Hello", "Half"]);
  });

  test("an error is shown, and the next question works", async () => {
    await open("plain");
    await click("Send");
    await untilAsked(1);
    asked[0]!.give(delta("Half"), { type: "error", message: "Overloaded" });
    asked[0]!.end();
    await untilStatus("error");
    expect(await page.getByRole("alert").textContent()).toBe("Overloaded");
    await click("Send");
    await untilAsked(2);
    asked[1]!.give(delta("Whole"));
    asked[1]!.end();
    await untilStatus("ready");
    expect(await texts()).toEqual(["Hello", "Half", "Hello", "Whole"]);
    expect(await page.getByRole("alert").count()).toBe(0);
  });

  test("resumeOnMount follows the session's run, and asks for it once, in StrictMode too", async () => {
    await open("resumed");
    await untilAsked(1);
    expect(asked[0]).toMatchObject({ method: "GET", search: "?session=session-1" });
    asked[0]!.give(
      { type: "run-start", runId: "run-1", input: { role: "user", content: "Earlier", id: "u1" } },
      delta("Here"),
    );
    await untilText("Here");
    expect(await texts()).toEqual(["Earlier", "Here"]);
    asked[0]!.give({ type: "done" });
    asked[0]!.end();
    await untilStatus("ready");
    expect(asked).toHaveLength(1);
  });

  test("resumeOnMount that changes while an answer is under way leaves it alone", async () => {
    await open("later-resumed");
    await click("Send");
    await untilAsked(1);
    asked[0]!.give(delta("Half"));
    await untilText("Half");
    await click("Toggle");
    asked[0]!.give(delta(" an answer"), { type: "done" });
    asked[0]!.end();
    await untilText("Half an answer");
    await untilStatus("ready");
    await click("Toggle");
    await click("Toggle");
    await untilAsked(2);
    expect(asked[1]!.method).toBe("GET");
    asked[1]!.end();
  });

  test("what a server has rendered is gone on with", async () => {
    await open("restored");
    await click("Send");
    await untilAsked(1);
    expect(asked[0]!.body).toMatchObject({
      sessionId: "session-1",
      messages: [{ content: "Earlier" }, { content: "Hello" }],
    });
    asked[0]!.give(delta("Here"));
    asked[0]!.end();
    await untilStatus("ready");
    expect(await texts()).toEqual(["Earlier", "Hello", "Here"]);
  });

  test("a component that disappears ends the agent on the server; when it is back it starts anew", async () => {
    await open("removable");
    await click("Send");
    await untilAsked(1);
    asked[0]!.give(delta("Half"));
    await untilText("Half");
    await click("Toggle");
    await until(() => asked[0]!.state === "left", "the agent has ended");
    await click("Toggle");
    await untilStatus("ready");
    expect(await texts()).toEqual([]);
  });

  test("two components share a chat: both show it, and it goes on without one or both of them", async () => {
    await open("shared");
    await click("Send", "section[aria-label=second]");
    await untilAsked(1);
    asked[0]!.give(delta("Half"));
    await untilText("Half", "first");
    await untilText("Half", "second");
    await click("Toggle");
    await page.locator("section[aria-label=first]").waitFor({ state: "detached" });
    asked[0]!.give(delta(" an answer"));
    await untilText("Half an answer", "second");
    await click("Toggle");
    await untilText("Half an answer", "first");
    await click("Stop", "section[aria-label=first]");
    await untilStatus("ready", "second");
    await until(() => asked[0]!.state === "left", "the agent has ended");
    expect(asked).toHaveLength(1);
  });

  test("a component that goes from its own chat to a shared one and back leaves its own, and not the shared one", async () => {
    await open("own-or-shared");
    await click("Send");
    await untilAsked(1);
    expect(asked[0]!.body.sessionId).toBe("own");
    asked[0]!.give(delta("Own"));
    await untilText("Own");
    await click("Toggle");
    await until(() => asked[0]!.state === "left", "the agent of its own chat has ended");
    expect(await texts()).toEqual([]);
    await click("Send");
    await untilAsked(2);
    asked[1]!.give(delta("Shared"));
    await untilText("Shared");
    await click("Toggle");
    await untilStatus("ready");
    expect(await texts()).toEqual([]);
    asked[1]!.give(delta(" on"));
    await click("Toggle");
    await untilText("Shared on");
    expect(asked[1]!.state).toBe("open");
    asked[1]!.end();
    await untilStatus("ready");
  });

  test("another sessionId is another chat, and the one before is left", async () => {
    await open("sessions");
    await untilText("In one");
    await click("Send");
    await untilAsked(1);
    asked[0]!.give(delta("First"));
    await untilText("First");
    await click("Toggle");
    await untilText("In two");
    expect(await texts()).toEqual(["In two"]);
    await untilStatus("ready");
    await until(() => asked[0]!.state === "left", "the agent of the first chat has ended");
    await click("Send");
    await untilAsked(2);
    expect(asked.map(({ body }) => body.sessionId)).toEqual(["one", "two"]);
    asked[1]!.give(delta("Second"));
    asked[1]!.end();
    await untilText("Second");
    await untilStatus("ready");
    expect(await texts()).toEqual(["In two", "Hello", "Second"]);
    await click("Toggle");
    expect(await texts()).toEqual(["In one"]);
    // Each end was told to the options of its own chat.
    expect(await page.locator("output").textContent()).toBe("one,two");
  });

  test("options are those of the last render", async () => {
    await open("latest-options");
    await click("Send");
    await untilAsked(1);
    asked[0]!.give(delta("1"));
    await untilText("1");
    await click("Toggle");
    asked[0]!.end();
    await untilStatus("ready");
    await click("Send");
    await untilAsked(2);
    await click("Toggle");
    asked[1]!.end();
    await untilStatus("ready");
    expect(asked.map(({ search, version, body }) => [search, version, body.context])).toEqual([
      ["?version=1", "1", { version: 1 }],
      ["?version=2", "2", { version: 2 }],
    ]);
    // Called when the version had already changed.
    expect(await page.locator("output").textContent()).toBe("v2,v3");
  });

  test("options are those of the last render for an effect of a child, too", async () => {
    await open("eager");
    await click("Toggle");
    await untilAsked(1);
    expect(asked[0]!.version).toBe("2");
    asked[0]!.end();
    await untilStatus("ready");
  });

  test("a form is emptied when it is sent, and Enter while an answer is under way does nothing", async () => {
    await open("form");
    const input = page.locator("input");
    await input.fill("One");
    await input.press("Enter");
    await untilAsked(1);
    expect(await input.inputValue()).toBe("");
    asked[0]!.give(delta("Half"));
    await untilText("Half");
    await input.fill("Two");
    await input.press("Enter");
    asked[0]!.end();
    await untilStatus("ready");
    expect(await texts()).toEqual(["One", "Half"]);
    expect(await input.inputValue()).toBe("Two");
    await input.press("Enter");
    await untilAsked(2);
    expect(await texts()).toEqual(["One", "Half", "Two"]);
    asked[1]!.end();
    await untilStatus("ready");
  });

  test("10,000 deltas render at most once per frame", async () => {
    await open("plain", "?once");
    await click("Send");
    await untilAsked(1);
    asked[0]!.give(delta("0 "));
    await untilStatus("streaming");
    const read = () => page.evaluate(() => ({ ...window.counts, now: performance.now() }));
    const before = await read();
    for (let burst = 0; burst < 200; burst++) {
      asked[0]!.give(...Array.from({ length: 50 }, (_, index) => delta(`${burst * 50 + index + 1} `)));
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await untilText("9999 10000");
    const after = await read();
    asked[0]!.end();
    await untilStatus("ready");
    expect((await texts())[1]).toBe(Array.from({ length: 10_001 }, (_, index) => `${index} `).join(""));
    const renders = after.renders - before.renders;
    const frames = after.frames - before.frames;
    // A page that is too busy to paint is told every 100 ms.
    expect(renders).toBeLessThanOrEqual(frames + 1 + (after.now - before.now) / 100);
    expect(renders).toBeGreaterThan(5);
  });
});
