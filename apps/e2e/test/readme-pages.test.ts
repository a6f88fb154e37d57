/** The snippets of the READMEs that run in a page, run in a page. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type ChatAgent, createChatRoute } from "@kortyx/server";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasChromium, launchChromium } from "./chromium.ts";
import { listen } from "./live-server.ts";
import {
  createSnippetFolder,
  readersModules,
  repository,
  type SnippetFolder,
  snippetsOf,
} from "./readme-snippets.ts";
import { bundleScript } from "./script-page.ts";

type Handler = (request: Request) => Promise<Response>;

describe.skipIf(!hasChromium())("the snippets for pages, in Chromium", () => {
  let browser: Browser;
  let folder: SnippetFolder;
  beforeAll(async () => {
    folder = createSnippetFolder("readme-pages");
    browser = await launchChromium();
  });
  afterAll(async () => {
    await browser?.close();
    folder.remove();
  });

  /** The route that the snippets request, unless they have their own. */
  const echo = async () => {
    const { route } = await folder.run<{ route: { POST: Handler } }>("route.ts", readersModules["route.ts"]!);
    return route.POST;
  };

  /** Shows a page with `code` as its only script, next to a route, and closes it. */
  async function withPage(code: string, look: (page: Page) => Promise<void>, route = echo): Promise<void> {
    const script = await bundleScript(code, { resolveDir: folder.path });
    const POST = await route();
    const server = await listen((request) => {
      const { pathname } = new URL(request.url);
      if (pathname === "/api/chat") return POST(request);
      if (pathname === "/client.js") {
        return new Response(script, { headers: { "content-type": "text/javascript" } });
      }
      return new Response(
        '<!doctype html><p id="answer"></p><p id="status"></p><p id="questions"></p><div id="root"></div><script type="module" src="/client.js"></script>',
        { headers: { "content-type": "text/html", "content-security-policy": "default-src 'self'" } },
      );
    });
    const page = await browser.newPage();
    const pageErrors: string[] = [];
    page.on("pageerror", (error) => pageErrors.push(error.message));
    try {
      await page.goto(server.url);
      await look(page);
      expect(pageErrors).toEqual([]);
    } finally {
      await page.close();
      await server.close();
    }
  }

  const clientReadme = "packages/client/README.md";
  const clientSnippets: [string, string, string][] = [
    [clientReadme, snippetsOf(clientReadme)[0]!, "complete"],
    [
      "the smallest consumer",
      `import { consumeStream, streamChatFromRoute } from "@kortyx/client";
       const messages = [{ role: "user" as const, content: "Hello" }];
       const stream = streamChatFromRoute({ endpoint: "/api/chat", messages });
       const answer = document.querySelector("#answer")!;
       const { outcome } = await consumeStream(stream, { onChunk: (chunk) => { if (chunk.type === "text-delta") { answer.append(chunk.delta); } } });
       answer.setAttribute("data-outcome", outcome);`,
      "done",
    ],
  ];
  for (const [name, code, outcome] of clientSnippets) {
    test(`the client snippet of ${name} shows the streamed answer`, async () => {
      await withPage(code, async (page) => {
        await page.locator(`#answer[data-outcome=${outcome}]`).waitFor();
        const question = /content: "([^"]*)"/.exec(code)?.[1];
        expect(await page.locator("#answer").textContent()).toBe(question);
      });
    });
  }

  describe("README.md", () => {
    const [route, agent] = snippetsOf("README.md") as [string, string];
    let root: SnippetFolder;
    beforeAll(() => {
      root = createSnippetFolder("readme-root-pages");
      root.write("agent.ts", agent);
    });
    afterAll(() => root.remove());
    const weather = async () => (await root.run<{ POST: Handler }>("route.ts", route)).POST;
    const answer = "Let me look. It is 21 °C in Rome.";

    test("has a component that shows the conversation with its route and agent", async () => {
      folder.write("readme-chat.tsx", snippetsOf("README.md", "tsx")[0]!);
      const code = `import { createRoot } from "react-dom/client";
        import { Chat } from "./readme-chat.tsx";
        createRoot(document.querySelector("#root")!).render(<Chat />);`;
      await withPage(
        code,
        async (page) => {
          await page.getByRole("textbox").fill("Rome");
          await page.getByRole("button", { name: "Send" }).click();
          await page.getByText("in Rome.").waitFor();
          const said = await page.locator("form > p").allTextContents();
          expect(said.map((text) => text.replaceAll(/\s+/g, " "))).toEqual(["Rome", answer]);
          expect(await page.getByRole("textbox").inputValue()).toBe("");
        },
        weather,
      );
    });
  });

  test(`the conversation of ${clientReadme} shows both sides and its status`, async () => {
    await withPage(snippetsOf(clientReadme)[1]!, async (page) => {
      await page.getByText("ready", { exact: true }).waitFor();
      expect(await page.locator("#answer").textContent()).toBe("user: Hello\nassistant: Hello");
    });
  });

  test(`the chat of ${clientReadme} with a tool runs it, and shows buttons for an approval`, async () => {
    const received: unknown[] = [];
    const agent: ChatAgent = {
      async *streamChat(_messages, { resumes, toolResults = [], tools }) {
        received.push(resumes?.map(({ answer }) => answer) ?? toolResults.map(({ content }) => content));
        const [{ toolCallId, tool, content } = { toolCallId: "", tool: "", content: "" }] = toolResults;
        if (resumes) {
          yield { type: "interrupt-resolved", requestId: "q", outcome: "answered", answer: "approve" };
          yield { type: "done" };
        } else if (toolCallId !== "") {
          yield { type: "tool-call-result", toolCallId, tool, content };
          yield { type: "tool-call-ready", tool: "book", toolCallId: "2", input: {} };
          const choices = ["approve", "deny"].map((id) => ({ id, label: id }));
          const input = { kind: "choice", multiple: false, question: "Book?", options: choices } as const;
          yield { type: "interrupt", requestId: "q", resumeToken: "t", toolCallId: "2", input };
          yield { type: "done", finishReason: "interrupt" };
        } else {
          const { name } = tools![0]!;
          yield { type: "tool-call-ready", tool: name, toolCallId: "1", input: null, executor: "client" };
          yield { type: "done", finishReason: "tool-calls" };
        }
      },
    };
    await withPage(
      snippetsOf(clientReadme)[2]!,
      async (page) => {
        await page.getByText("Book?").waitFor();
        await page.getByRole("button", { name: "approve" }).click();
        await expect.poll(() => page.locator("#questions").textContent()).toBe("");
        await page.getByText("ready", { exact: true }).waitFor();
        await expect.poll(() => received).toEqual([[], [expect.any(String)], ["approve"]]);
      },
      async () => createChatRoute({ agent }).POST,
    );
  });

  test(`the transport of ${clientReadme} receives each question, and the route answers it`, async () => {
    const show = 'document.querySelector("#answer")!.textContent = chat.getSnapshot().status;';
    await withPage(`${snippetsOf(clientReadme)[3]!}\n${show}`, async (page) => {
      await page.getByText("ready", { exact: true }).waitFor();
      expect(await page.title()).toBe("Hello");
    });
  });

  test("the typed chat of docs/own-types.md shows each value of the typed route", async () => {
    const route = async () =>
      (await folder.run<{ POST: Handler }>("chat-route.ts", readersModules["chat-route.ts"]!)).POST;
    await withPage(
      snippetsOf("docs/own-types.md")[1]!,
      async (page) => {
        await expect
          .poll(() => page.locator("#answer").textContent())
          .toBe("Searched: Soup for acme\n100 %\nRecipe: Tomato soup\n0.02 €");
      },
      route,
    );
  });

  test(`the component of ${clientReadme} sends a message and shows the answer`, async () => {
    folder.write("chat.tsx", snippetsOf(clientReadme, "tsx")[0]!);
    const code = `import { createRoot } from "react-dom/client";
      import { Chat } from "./chat.tsx";
      createRoot(document.querySelector("#root")!).render(<Chat />);`;
    await withPage(code, async (page) => {
      await page.getByRole("textbox").fill("Hello");
      await page.getByRole("button", { name: "Send" }).click();
      await page.locator("form > p:nth-child(2)", { hasText: "Hello" }).waitFor();
      await page.getByRole("button", { name: "Send" }).waitFor();
      expect(await page.locator("form > p").allTextContents()).toEqual(["Hello", "Hello"]);
    });
  });

  const [answerCode, messagesCode] = snippetsOf("docs/message-parts.md", "tsx") as [string, string];
  const button = '<button type="button" onClick={() => chat.send("Book")}>Send</button>';
  const partsPage = `import { createRoot } from "react-dom/client";
      ${messagesCode.replace(/return (.*);\n\}/s, `return <>${button}{$1}</>;\n}`)}
      createRoot(document.querySelector("#root")!).render(<Messages />);`;
  const writeParts = () => folder.write("answer.tsx", answerCode);

  test("the component of docs/message-parts.md edits a call and answers a question", async () => {
    writeParts();
    const answers: unknown[] = [];
    const agent: ChatAgent = {
      async *streamChat(_messages, { resumes = [] }) {
        answers.push(...resumes.map(({ answer, input }) => input ?? answer));
        const [{ requestId } = { requestId: "" }] = resumes;
        if (requestId === "call") {
          yield { type: "interrupt-resolved", requestId, outcome: "answered", answer: "edit" };
          yield { type: "tool-call-result", tool: "pay", toolCallId: "1", content: "Paid" };
        } else if (requestId === "city") {
          yield { type: "text-delta", delta: "Welcome to Rome." };
        } else {
          yield { type: "tool-call-start", tool: "pay", toolCallId: "1", input: { euros: 5 } };
          const options = ["approve", "edit", "deny"].map((id) => ({ id, label: id }));
          const input = { kind: "choice", multiple: false, question: "Pay?", options } as const;
          yield { type: "interrupt", requestId: "call", resumeToken: "t", toolCallId: "1", input };
          const city = { kind: "text", multiple: false, question: "Which city?" } as const;
          yield { type: "interrupt", requestId: "city", resumeToken: "t", input: city };
          yield { type: "done", finishReason: "interrupt" };
          return;
        }
        yield { type: "done", ...(requestId === "call" && { finishReason: "interrupt" }) };
      },
    };
    await withPage(
      partsPage,
      async (page) => {
        await page.getByRole("button", { name: "Send" }).click();
        const field = page.getByRole("textbox", { name: "Input as JSON" });
        await field.fill('{"euros":');
        await page.getByRole("button", { name: "Edit" }).click();
        expect(await field.evaluate((input: HTMLTextAreaElement) => input.validationMessage)).toBe(
          "This is not JSON.",
        );
        await field.fill('{"euros":4}');
        await page.getByRole("button", { name: "Edit" }).click();
        await page.getByText('pay: "Paid"').waitFor();
        await page.getByRole("textbox", { name: "Answer" }).fill("Rome");
        await page.getByRole("button", { name: "Answer" }).click();
        await page.getByText("Welcome to Rome.").waitFor();
      },
      async () => createChatRoute({ agent }).POST,
    );
    expect(answers.flat()).toEqual([{ euros: 4 }, "Rome"]);
  });

  test("the component of docs/message-parts.md has no button or form that does nothing", async () => {
    writeParts();
    const choices = ["approve", "deny"].map((id) => ({ id, label: id }));
    const agent: ChatAgent = {
      async *streamChat(messages, { resume }) {
        const asked = messages.filter(({ role }) => role === "user").length;
        if (resume !== undefined) yield { type: "text-delta", delta: "Welcome." };
        else if (asked === 1) {
          const input = { kind: "choice", multiple: false, question: "Pay?", options: choices } as const;
          for (const toolCallId of ["1", "2"]) {
            yield { type: "tool-call-ready", tool: `pay-${toolCallId}`, toolCallId, input: {} };
            yield { type: "interrupt", requestId: toolCallId, resumeToken: "t", toolCallId, input };
          }
        } else {
          const input = { kind: "text", multiple: false, question: "Which city?" } as const;
          yield { type: "interrupt", requestId: "city", resumeToken: "t", input };
        }
        yield { type: "done", ...(resume === undefined && { finishReason: "interrupt" }) };
      },
    };
    await withPage(
      partsPage,
      async (page) => {
        const approve = page.getByRole("button", { name: "Approve" });
        await page.getByRole("button", { name: "Send" }).click();
        await approve.nth(1).waitFor();
        await approve.first().click();
        await page.getByText("pay-1 is waiting.").waitFor();
        expect(await approve.count()).toBe(1);
        await page.getByRole("button", { name: "Send" }).click();
        await page.getByRole("textbox", { name: "Answer" }).fill("Rome");
        expect(await approve.count()).toBe(0);
        await page.getByRole("button", { name: "Answer" }).click();
        await page.getByText("Welcome.").waitFor();
        expect(await page.locator("form").count()).toBe(0);
        await page.getByText("Which city?").waitFor();
      },
      async () => createChatRoute({ agent }).POST,
    );
  });

  const show = 'messages.map(toMessageText).join("|") + " " + status';
  const frameworks: [name: string, code: string][] = [
    [
      "Vue",
      `import { toMessageText } from "@kortyx/client";
       import { createApp, h } from "vue";
       import { useChat } from "./vue.ts";
       createApp({
         setup() {
           const { state, send } = useChat({ endpoint: "/api/chat" });
           void send("Hello");
           return () => { const { messages, status } = state.value; return h("p", ${show}); };
         },
       }).mount("#root");`,
    ],
    [
      "Solid",
      `import { toMessageText } from "@kortyx/client";
       import { createEffect } from "solid-js";
       import { render } from "solid-js/web";
       import { useChat } from "./solid.ts";
       render(() => {
         const { state, send } = useChat({ endpoint: "/api/chat" });
         void send("Hello");
         const line = document.createElement("p");
         createEffect(() => { const { messages, status } = state(); line.textContent = ${show}; });
         return line;
       }, document.querySelector("#root")!);`,
    ],
  ];
  for (const [index, [name, code]] of frameworks.entries()) {
    test(`the ${name} recipe of ${clientReadme} follows the chat`, async () => {
      folder.write(`${name.toLowerCase()}.ts`, snippetsOf(clientReadme)[4 + index]!);
      await withPage(code, async (page) => {
        await page.getByText("Hello|Hello ready", { exact: true }).waitFor();
      });
    });
  }

  test(`the page of ${clientReadme} without a bundler loads the packages unchanged, and nothing else`, async () => {
    const [html] = snippetsOf(clientReadme, "html") as [string];
    /** The paths of the packages in the import map. */
    const installed: [prefix: string, folder: string][] = [
      ["/node_modules/@kortyx/client/", join(repository, "packages/client")],
      ["/node_modules/@kortyx/protocol/", join(repository, "packages/protocol")],
      [
        "/node_modules/eventsource-parser/",
        join(repository, "packages/protocol/node_modules/eventsource-parser"),
      ],
    ];
    const POST = await echo();
    const missing: string[] = [];
    const server = await listen((request) => {
      const { pathname } = new URL(request.url);
      if (pathname === "/api/chat") return POST(request);
      if (pathname === "/") return new Response(html, { headers: { "content-type": "text/html" } });
      const [prefix, path] = installed.find(([prefix]) => pathname.startsWith(prefix)) ?? [];
      const file = path && join(path, pathname.slice(prefix!.length));
      if (file && existsSync(file)) {
        return new Response(readFileSync(file), { headers: { "content-type": "text/javascript" } });
      }
      if (pathname !== "/favicon.ico") missing.push(pathname);
      return new Response(null, { status: 404 });
    });
    const page = await browser.newPage();
    const pageErrors: string[] = [];
    page.on("pageerror", (error) => pageErrors.push(error.message));
    await page.goto(server.url);
    await expect.poll(() => page.locator("#answer").textContent()).toBe("Hello\nHello");
    expect({ missing, pageErrors }).toEqual({ missing: [], pageErrors: [] });
    await page.close();
    await server.close();
  });
});
