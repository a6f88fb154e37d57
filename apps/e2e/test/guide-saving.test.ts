/** docs/saving.md: the whole chat, with its routes and the page that gets its messages back. `readme-saving.test.ts` has the rest of the route. */

import { join } from "node:path";
import { createChat, type StoredMessage, toMessageText, type UIMessage } from "@kortyx/client";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { hasChromium, launchChromium } from "./chromium.ts";
import { listen, until } from "./live-server.ts";
import { createSnippetFolder, snippetsOf } from "./readme-snippets.ts";
import { openScriptPage } from "./script-page.ts";

type Handler = (request: Request) => Promise<Response>;
type Saving = Record<"POST" | "GET" | "DELETE", Handler> & {
  loadMessages(owner: string, sessionId: string): StoredMessage[];
};

const folder = createSnippetFolder("guide-saving");
process.env.MESSAGES_FILE = ":memory:";
process.env.RUNS_FILE = ":memory:";
afterAll(() => folder.remove());
const [, sqlRoute, messagesRoute] = snippetsOf("docs/saving.md") as [string, string, string];

test("an answer that continues is saved in the place of its message, and drops nothing", async () => {
  folder.write(
    "agent.ts",
    `export const agent = {
      async *streamChat(messages, { resumes = [] }) {
        for (const { requestId } of resumes) yield { type: "interrupt-resolved", requestId, outcome: "answered" };
        if (resumes.length === 0) {
          for (const requestId of ["1", "2"]) {
            yield { type: "interrupt", requestId, resumeToken: "t", input: { kind: "json", question: "Which?" } };
          }
        }
        yield { type: "text-delta", delta: resumes.length === 0 ? "Asked." : "Answered." };
        yield { type: "done", finishReason: "interrupt" };
      },
    };`,
  );
  const { POST, loadMessages } = await folder.run<Saving>("saving-continued.ts", sqlRoute);
  const server = await listen(POST);
  const chat = createChat({ endpoint: server.url, headers: { cookie: "session=ann" }, sessionId: "s" });
  await chat.send("Hello");
  for (const answer of [1, 2]) await chat.respond([{ interrupt: chat.getSnapshot().interrupts[0]!, answer }]);
  expect(chat.getSnapshot()).toMatchObject({ error: undefined, interrupts: [] });
  const stored = loadMessages("ann", "s");
  expect(stored.map(({ id, role }) => [id, role])).toEqual(
    chat.getSnapshot().messages.map(({ id, role }) => [id, role]),
  );
  expect(stored).toHaveLength(2);
  expect(JSON.stringify(stored[1]).match(/Answered\./g)).toHaveLength(2);
  await chat.send("Later");
  const again = {
    messages: [{ role: "user", content: "Hello" }],
    sessionId: "s",
    messageId: stored[1]!.id,
    resumes: [{ requestId: "1", resumeToken: "t", answer: 3 }],
  };
  const headers = { "content-type": "application/json", cookie: "session=ann" };
  await (await fetch(server.url, { method: "POST", headers, body: JSON.stringify(again) })).text();
  expect(loadMessages("ann", "s")).toHaveLength(4);
  expect(JSON.stringify(loadMessages("ann", "s")[1]).match(/Answered\./g)).toHaveLength(3);
  await server.close();
});

/** An agent whose answer stays half an answer: its process is as good as killed. */
const hangingAgent = `export const agent = {
  async *streamChat() {
    yield { type: "text-delta", delta: "Half" };
    await new Promise(() => {});
  },
};`;
const ann = { headers: { cookie: "session=ann" }, sessionId: "s" };
const saidIn = (messages: readonly (UIMessage | StoredMessage)[]) =>
  messages.map((message) => [message.role, toMessageText(message as UIMessage)]);

test("the question of a process that was killed is saved, and the next process answers it", async () => {
  const [killed, restarted] = [createSnippetFolder("guide-saving-1"), createSnippetFolder("guide-saving-2")];
  killed.write("agent.ts", hangingAgent);
  vi.stubEnv("MESSAGES_FILE", join(killed.path, "messages.db"));
  const first = await listen((await killed.run<Saving>("saving.ts", sqlRoute)).POST);
  const asking = createChat({ endpoint: first.url, ...ann });
  void asking.send("Hello");
  await until(() => saidIn(asking.getSnapshot().messages)[1]?.[1] === "Half", "half an answer");
  asking.close();
  await first.close();
  const { POST, loadMessages } = await restarted.run<Saving>("saving.ts", sqlRoute);
  expect(saidIn(loadMessages("ann", "s"))).toEqual([["user", "Hello"]]);
  const second = await listen(POST);
  const chat = createChat({ endpoint: second.url, ...ann, initialMessages: loadMessages("ann", "s") });
  await chat.regenerate();
  const said = [
    ["user", "Hello"],
    ["assistant", "Hello"],
  ];
  expect(saidIn(chat.getSnapshot().messages)).toEqual(said);
  expect(saidIn(loadMessages("ann", "s"))).toEqual(said);
  await second.close();
  vi.unstubAllEnvs();
  for (const { remove } of [killed, restarted]) remove();
});

test("docs/runs.md: a tab that was open before catches up with another one when it is seen", async () => {
  const own = createSnippetFolder("guide-saving-tabs");
  own.write("agent.ts", hangingAgent);
  const { loadMessages, ...route } = await own.run<Saving>("saving.ts", sqlRoute);
  const server = await listen((request) => route[request.method as "POST" | "GET" | "DELETE"](request));
  const openTab = () => createChat({ endpoint: server.url, ...ann, runs: true });
  const [seen, idle] = [openTab(), openTab()];
  const code = snippetsOf("docs/runs.md").find((snippet) => snippet.includes("catchUpWhenSeen"))!;
  type Tabs = { catchUpWhenSeen(chat: typeof idle, load: () => Promise<UIMessage[]>): () => void };
  const { catchUpWhenSeen } = await own.run<Tabs>("tabs.ts", code);
  vi.stubGlobal("document", Object.assign(new EventTarget(), { visibilityState: "visible" }));
  const leave = catchUpWhenSeen(idle, async () => JSON.parse(JSON.stringify(loadMessages("ann", "s"))));
  void seen.send("Hello");
  const shown = [
    ["user", "Hello"],
    ["assistant", "Half"],
  ];
  await until(() => saidIn(seen.getSnapshot().messages)[1]?.[1] === "Half", "half an answer");
  expect(saidIn(idle.getSnapshot().messages)).toEqual([]);
  for (const event of ["visibilitychange", "visibilitychange"]) document.dispatchEvent(new Event(event));
  await until(() => saidIn(idle.getSnapshot().messages)[1]?.[1] === "Half", "the other tab shows it");
  expect(saidIn(idle.getSnapshot().messages)).toEqual(shown);
  await idle.stop();
  document.dispatchEvent(new Event("visibilitychange"));
  await until(() => seen.getSnapshot().status === "ready" && loadMessages("ann", "s").length === 2, "saved");
  expect(idle.getSnapshot().error).toBeUndefined();
  leave();
  vi.unstubAllGlobals();
  await server.close();
  own.remove();
});

describe.skipIf(!hasChromium())("the page, in Chromium", () => {
  const pages = createSnippetFolder("guide-saving-pages");
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(async () => {
    await browser?.close();
    pages.remove();
  });

  test("shows what was saved after a reload, and continues it, also an answer that is being written", async () => {
    pages.write(
      "agent.ts",
      `const last = Promise.withResolvers();
      export const finish = last.resolve;
      export const agent = {
        async *streamChat(messages) {
          const question = messages.at(-1).content;
          yield { type: "text-delta", delta: question };
          if (question === "Three") await last.promise;
          yield { type: "text-delta", delta: "!" };
          yield { type: "done" };
        },
      };`,
    );
    const chat = await pages.run<Saving>("saving.ts", sqlRoute);
    const { GET } = await pages.run<{ GET: Handler }>("messages.ts", messagesRoute);
    const { finish } = await import(`${pages.path}/agent.ts`);
    const file = pages.write("page.tsx", snippetsOf("docs/saving.md", "tsx")[0]!);
    const script = `import { createElement } from "react";
      import { createRoot } from "react-dom/client";
      import { Conversation } from ${JSON.stringify(file)};
      document.cookie = "session=ann";
      createRoot(document.querySelector("#answer")!).render(createElement(Conversation, { sessionId: "a b" }));`;
    const opened = await openScriptPage(browser, script, (request) =>
      new URL(request.url).pathname === "/api/messages"
        ? GET(request)
        : chat[request.method as "POST" | "GET" | "DELETE"](request),
    );
    const { page, server } = opened;
    const shown = () => page.locator("form > p").allTextContents();
    for (const [index, question] of ["One", "Two"].entries()) {
      await page.goto(server.url);
      await expect.poll(async () => (await shown()).length).toBe(index * 2);
      await page.getByRole("textbox").fill(question);
      await page.keyboard.press("Enter");
      await expect.poll(async () => (await shown()).slice(index * 2)).toEqual([question, `${question}!`]);
    }
    const before = ["One", "One!", "Two", "Two!"];
    await page.goto(server.url);
    await expect.poll(shown).toEqual(before);
    await page.getByRole("textbox").fill("Three");
    await page.keyboard.press("Enter");
    await expect.poll(shown).toEqual([...before, "Three", "Three"]);
    await page.goto(server.url);
    await expect.poll(shown).toEqual([...before, "Three", "Three"]);
    finish();
    await expect.poll(shown).toEqual([...before, "Three", "Three!"]);
    await page.goto(server.url);
    await expect.poll(shown).toEqual([...before, "Three", "Three!"]);
    const other = await fetch(`${server.url}/api/messages?session=a%20b`, {
      headers: { cookie: "session=bob" },
    });
    expect(await other.json()).toEqual([]);
    expect((await fetch(`${server.url}/api/messages?session=a%20b`)).status).toBe(401);
    expect(opened.complaints).toEqual([]);
    await opened.close();
  });
});
