/** docs/saving.md: the whole chat, with its routes and the page that gets its messages back. `readme-saving.test.ts` has the rest of the route. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
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
  route: { fetch: Handler };
  loadMessages(owner: string, sessionId: string): StoredMessage[];
};

const folder = createSnippetFolder("guide-saving");
process.env.MESSAGES_FILE = ":memory:";
process.env.RUNS_FILE = ":memory:";
afterAll(() => folder.remove());
const [, sqlRoute, messagesRoute, hono] = snippetsOf("docs/saving.md") as [string, string, string, string];

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
  const { route, loadMessages } = await restarted.run<Saving>("saving.ts", sqlRoute);
  expect(saidIn(loadMessages("ann", "s"))).toEqual([["user", "Hello"]]);
  const second = await listen(route.fetch);
  const chat = createChat({ endpoint: second.url, ...ann, initialMessages: loadMessages("ann", "s") });
  await chat.resume();
  expect(chat.getSnapshot()).toMatchObject({
    status: "ready",
    error: undefined,
    messages: [{ role: "user" }],
  });
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

test("a killed answer is shown as interrupted, and an approved call is made again under the same id", async () => {
  const own = createSnippetFolder("guide-saving-killed");
  own.write(
    "agent.ts",
    `import { appendFileSync } from "node:fs";
    import { defineTool, runTools } from "@kortyx/server";
    const die = async () => {
      if (!process.env.DIES) return;
      await new Promise((resolve) => setTimeout(resolve, 200));
      process.kill(process.pid, "SIGKILL");
    };
    const pay = defineTool({
      description: "Pays.",
      needsApproval: true,
      async run(_, { toolCallId }) {
        appendFileSync(process.env.PAYMENTS, toolCallId + "\\n");
        await die();
        return "paid";
      },
    });
    async function* turn({ messages }) {
      const { role, content } = messages.at(-1);
      const call = { toolCallId: crypto.randomUUID(), tool: "pay", input: {} };
      const toolCalls = content === "Pay" && role === "user" ? [call] : [];
      yield toolCalls.length > 0 ? { type: "tool-call-ready", ...call } : { type: "text-delta", delta: "Half" };
      if (content === "Hello") await die();
      return { finishReason: "stop", toolCalls };
    }
    export const agent = { streamChat: (messages, options) => runTools({ messages, options, tools: { pay }, turn }) };`,
  );
  for (const name of ["MESSAGES_FILE", "RUNS_FILE", "PAYMENTS"]) vi.stubEnv(name, join(own.path, name));
  const code = sqlRoute.replace('"runs.db" })', '"runs.db", leaseMs: 500 })');
  expect(code).not.toBe(sqlRoute);
  const { route, loadMessages } = await own.run<Saving>("saving.ts", code);
  const program = own.write(
    "server.ts",
    `import { serve } from "@hono/node-server";
    import { route } from "./saving.ts";
    serve({ fetch: route.fetch, hostname: "127.0.0.1", port: 0 }, ({ port }) => console.info(port));`,
  );
  const server = await listen(route.fetch);
  const openTab = (endpoint: string, sessionId: string) =>
    createChat({ endpoint, ...ann, sessionId, initialMessages: loadMessages("ann", sessionId), runs: true });
  const dies = { env: { ...process.env, DIES: "yes" } };
  const killed = async (act: (url: string) => Promise<() => void>) => {
    const child = spawn(process.execPath, [program], dies);
    const [port] = await once(child.stdout, "data");
    const leave = await act(`http://127.0.0.1:${Number(port)}`);
    await once(child, "exit");
    leave();
  };
  await killed(async (url) => {
    const chat = openTab(url, "half");
    void chat.send("Hello");
    return chat.close;
  });
  const half = openTab(server.url, "half");
  await half.resume();
  expect(half.getSnapshot()).toMatchObject({
    status: "error",
    error: { message: "The answer was interrupted on the server.", chunk: { retryable: true } },
    messages: [{ role: "user" }, { status: "error", parts: [{ type: "step" }, { text: "Half" }] }],
  });
  await half.regenerate();
  expect(saidIn(loadMessages("ann", "half"))).toEqual([
    ["user", "Hello"],
    ["assistant", "Half"],
  ]);
  await killed(async (url) => {
    const chat = openTab(url, "paid");
    await chat.send("Pay");
    void chat.approve({ toolCallId: chat.getSnapshot().interrupts[0]!.toolCallId! });
    return chat.close;
  });
  const paid = openTab(server.url, "paid");
  await paid.resume();
  expect(paid.getSnapshot()).toMatchObject({ status: "error", interrupts: [] });
  paid.setMessages(loadMessages("ann", "paid") as UIMessage[]);
  const toolCallId = paid.getSnapshot().interrupts[0]!.toolCallId!;
  await paid.approve({ toolCallId });
  expect(readFileSync(process.env.PAYMENTS!, "utf8")).toBe(`${toolCallId}\n`.repeat(2));
  expect(loadMessages("ann", "paid")).toMatchObject([
    {},
    { status: "done", parts: [{}, { state: "done" }, {}, {}, {}] },
  ]);
  await server.close();
  vi.unstubAllEnvs();
  own.remove();
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

  test("shows the sign-in to a user who is signed out, then the conversation, and another try of what was cut", async () => {
    const own = createSnippetFolder("guide-saving-sign-in");
    vi.stubEnv("SESSION_SECRET", "a secret of more than 32 characters");
    own.write(
      "users.ts",
      `export const checkPassword = (name, password) => (password === "right" ? name : null);`,
    );
    own.write("session.ts", snippetsOf("docs/auth.md")[1]!);
    own.write(
      "agent.ts",
      `let count = 0;
      export const agent = {
        async *streamChat(messages) {
          yield { type: "text-delta", delta: String(++count) };
          const input = { kind: "json", question: "Which?" };
          if (count === 3) yield { type: "interrupt", requestId: "1", resumeToken: "t", input };
          if (count > 1) yield { type: "error", message: "Cut." };
          else yield { type: "done" };
        },
      };`,
    );
    own.write("saving.ts", sqlRoute);
    own.write("messages.ts", messagesRoute);
    const { app } = await own.run<{ app: { fetch: Handler } }>("app.ts", hono);
    const file = own.write("page.tsx", snippetsOf("docs/saving.md", "tsx")[0]!);
    const script = `import { createElement } from "react";
      import { createRoot } from "react-dom/client";
      import { Conversation } from ${JSON.stringify(file)};
      const root = createRoot(document.querySelector("#answer")!);
      const show = (sessionId: string) => root.render(createElement(Conversation, { key: sessionId, sessionId }));
      Object.assign(globalThis, { show });
      show("s");`;
    let isBroken = false;
    const opened = await openScriptPage(browser, script, (request) =>
      isBroken ? new Response(null, { status: 500 }) : app.fetch(request),
    );
    const { page, server } = opened;
    const shown = () => page.locator("form > p").allTextContents();
    const signIn = async (password: string) => {
      await page.getByLabel("Name").fill("ann");
      await page.getByLabel("Password").fill(password);
      await page.keyboard.press("Enter");
    };
    const askedAgain = page.getByRole("button", { name: "Try again" });
    await page.getByLabel("Name").waitFor();
    isBroken = true;
    await signIn("right");
    await page.getByText("Please try again.").waitFor();
    isBroken = false;
    await signIn("wrong");
    await page.getByText("Wrong name or password.").waitFor();
    await signIn("right");
    await page.getByLabel("Question").fill("Hello");
    await page.context().clearCookies();
    await page.keyboard.press("Enter");
    await signIn("right");
    await page.getByText("1", { exact: true }).waitFor();
    expect(await askedAgain.count()).toBe(0);
    isBroken = true;
    await page.goto(server.url);
    const loadAgain = page.getByRole("button", { name: "Load the messages again" });
    await loadAgain.waitFor();
    isBroken = false;
    await loadAgain.click();
    await expect.poll(shown).toEqual(["Hello", "1"]);
    await page.evaluate(`show("another")`);
    await expect.poll(shown).toEqual([]);
    await page.evaluate(`show("s")`);
    await expect.poll(shown).toEqual(["Hello", "1"]);
    await page.getByLabel("Question").fill("Bye");
    await page.keyboard.press("Enter");
    await page.getByText("2", { exact: true }).waitFor();
    await askedAgain.click();
    await expect.poll(shown).toEqual(["Hello", "1", "Bye", "3", "Cut."]);
    expect(await askedAgain.count()).toBe(0);
    expect(opened.complaints).toEqual([]);
    await opened.close();
    own.remove();
    vi.unstubAllEnvs();
  });
});
