/** docs/attachments.md: files from a page to the agent and back, whole and uploaded, in Chromium. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Chat, createChat } from "@kortyx/client";
import { type ChatAgent, type ChatMessage, createChatRoute } from "@kortyx/server";
import { toNodeHandler } from "@kortyx/server/node";
import fastify, { type FastifyServerOptions } from "fastify";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { hasChromium, launchChromium } from "./chromium.ts";
import { listen } from "./live-server.ts";
import { hasNginx, startNginx } from "./nginx.ts";
import { createSnippetFolder, repository, snippetsOf } from "./readme-snippets.ts";
import { openScriptPage } from "./script-page.ts";

type Handler = (request: Request) => Promise<Response>;

const folder = createSnippetFolder("guide-attachments");
process.env.PUBLIC_URL = "https://chat.example.com";
afterAll(() => folder.remove());
const [largeRoute, uploadingChat, filesRoute, agentCode] = snippetsOf("docs/attachments.md") as [
  string,
  string,
  string,
  string,
];

test("the route of the files refuses strangers and other types, and returns an absolute URL", async () => {
  const { GET, POST } = await folder.run<{ GET: Handler; POST: Handler }>("files.ts", filesRoute);
  const upload = (type: string, cookie = "session=ann") => {
    const body = new FormData();
    body.append("file", new File(["data"], "a", { type }));
    return POST(new Request("http://host/api/files", { method: "POST", body, headers: { cookie } }));
  };
  expect((await upload("image/png", "")).status).toBe(401);
  expect((await upload("text/html")).status).toBe(400);
  const { url } = await (await upload("image/png")).json();
  expect(url).toMatch(/^https:\/\/chat\.example\.com\/api\/files\?id=/);
  const loaded = await GET(new Request(url));
  expect([await loaded.text(), loaded.headers.get("content-type")]).toEqual(["data", "image/png"]);
  expect((await GET(new Request(`${url}1`))).status).toBe(404);
});

test("the route with a larger body takes a picture of 5 MB, from a chat with the limit of the page", async () => {
  const { POST } = await folder.run<{ POST: Handler }>("large.ts", largeRoute);
  const url = `data:image/png;base64,${"A".repeat(6_700_000)}`;
  const parts = [{ type: "file", mediaType: "image/png", url }];
  const body = JSON.stringify({ messages: [{ role: "user", content: "Look", parts }] });
  const headers = { "content-type": "application/json" };
  expect((await POST(new Request("http://host/", { method: "POST", headers, body }))).status).toBe(200);
  const page = readFileSync(join(repository, "docs/attachments.md"), "utf8");
  const maxHistoryBytes = Number(/maxHistoryBytes: ([\d_]+)/.exec(page)![1]!.replaceAll("_", ""));
  const server = await listen(POST);
  const chat = createChat({ endpoint: server.url, maxHistoryBytes });
  await chat.send({ content: "Look", files: parts as never });
  expect(chat.getSnapshot().error).toBeUndefined();
  await server.close();
});

describe("a server before the route that limits bodies", () => {
  const page = readFileSync(join(repository, "docs/attachments.md"), "utf8");
  const large = {
    content: "Look",
    files: [new File([new Uint8Array(2_000_000)], "a.png", { type: "image/png" })],
  };

  async function openFastify(options: FastifyServerOptions) {
    const { POST } = await folder.run<{ POST: Handler }>("large.ts", largeRoute);
    const app = fastify({ forceCloseConnections: true, ...options });
    app.route({ method: "POST", url: "/", handler: toNodeHandler(POST) as never });
    onTestFinished(() => app.close());
    return app.listen({ port: 0, host: "127.0.0.1" });
  }

  /** The number of an option that the page recommends, in bytes. */
  const bodyLimit = (/Fastify\(\{ bodyLimit: ([\d *]+) \}\)/.exec(page)?.[1] ?? "")
    .split("*")
    .reduce((product, factor) => product * Number(factor), 1);

  /** @returns the error that the chat shows after this message. */
  async function errorAfter(chat: Chat, message: Parameters<Chat["send"]>[0]) {
    await chat.send(message);
    return chat.getSnapshot().error;
  }
  const openChat = (endpoint: string, maxHistoryBytes = Number.POSITIVE_INFINITY) =>
    createChat({ endpoint, maxHistoryBytes });

  test("Fastify refuses a picture of 2 MB, which the chat takes out; the option of the page lets it pass", async () => {
    const refused = { status: 413, body: { code: "FST_ERR_CTP_BODY_TOO_LARGE" } };
    const chat = openChat(await openFastify({}));
    expect(await errorAfter(chat, large)).toMatchObject(refused);
    expect(await errorAfter(chat, "Again")).toMatchObject(refused);
    chat.setMessages((messages) => messages.slice(0, -1));
    expect(chat.getSnapshot().messages).toMatchObject([{ role: "user", content: "Look" }]);
    chat.setMessages((messages) => messages.slice(0, -1));
    expect(await errorAfter(chat, "Hello")).toBeUndefined();

    const endpoint = await openFastify({ bodyLimit });
    const limited = openChat(endpoint, 1_000_000);
    expect(await errorAfter(limited, large)).toMatchObject({ code: "too-large" });
    expect(limited.getSnapshot().messages).toMatchObject([{ role: "user", content: "Look" }]);
    expect(await errorAfter(openChat(endpoint), large)).toBeUndefined();
  });

  test.skipIf(!hasNginx())("nginx refuses it too, and passes it with the location of its page", async () => {
    const infrastructure = readFileSync(join(repository, "docs/infrastructure.md"), "utf8");
    const location = /```nginx\n[\s\S]*?location \/ \{\n([\s\S]*?)\n {2}\}/.exec(infrastructure)![1]!;
    // What the test's own configuration has.
    const directives = location.replaceAll(/^.*(?:proxy_pass|Host).*$/gm, "");
    const upstream = await openFastify({ bodyLimit });
    const urls = await Promise.all(
      ["", directives].map(async (added) => {
        const nginx = await startNginx(upstream, added);
        onTestFinished(() => nginx.close());
        return nginx.url;
      }),
    );
    const [refused, passed] = await Promise.all(urls.map((url) => errorAfter(openChat(url), large)));
    expect(refused).toMatchObject({ status: 413, body: expect.stringContaining("<html>") });
    expect(passed).toBeUndefined();
  });
});

describe.skipIf(!hasChromium())("in Chromium", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser?.close());

  /** A route with the agent of the page, and what that agent has received. */
  async function painter() {
    const { agent } = await folder.run<{ agent: ChatAgent }>("painter.ts", agentCode);
    const received: ChatMessage[] = [];
    const { POST } = createChatRoute({
      agent: {
        streamChat(messages, options) {
          received.push(messages.at(-1)!);
          return agent.streamChat(messages, options);
        },
      },
    });
    return { POST, received };
  }

  test("the page sends pictures with a question, and shows them and that of the answer", async () => {
    const { POST, received } = await painter();
    const file = folder.write("page.tsx", snippetsOf("docs/attachments.md", "tsx")[0]!);
    const script = `import { createElement } from "react";
      import { createRoot } from "react-dom/client";
      import { Chat } from ${JSON.stringify(file)};
      createRoot(document.querySelector("#answer")!).render(createElement(Chat));`;
    const opened = await openScriptPage(browser, script, POST);
    const { page } = opened;
    await page.getByRole("textbox").fill("Look");
    const picture = { name: "dot.svg", mimeType: "image/svg+xml", buffer: Buffer.from("<svg/>") };
    await page.getByLabel("Pictures").setInputFiles([picture]);
    await page.getByRole("button", { name: "Send" }).click();
    await page.getByText("Here is your picture.").waitFor();
    await expect.poll(() => page.locator("img").count()).toBe(2);
    expect(await page.locator("img").first().getAttribute("alt")).toBe("dot.svg");
    const url = `data:image/svg+xml;base64,${picture.buffer.toString("base64")}`;
    expect(received[0]).toMatchObject({
      content: "Look",
      parts: [{}, { type: "file", name: "dot.svg", url }],
    });
    expect(opened.complaints).toEqual([]);
    await opened.close();
  });

  test("the chat uploads a file before its message, and shows why that fails", async () => {
    const { POST, received } = await painter();
    const files = await folder.run<{ POST: Handler }>("upload.ts", filesRoute);
    const file = folder.write("uploading.ts", uploadingChat);
    const script = `import { chat } from ${JSON.stringify(file)};
      document.cookie = "session=ann";
      const sendFile = (type: string) =>
        chat.send({ content: "Look", files: [new File(["data"], "a.png", { type })] }).then(() => "sent", (error) => error.message);
      Object.assign(globalThis, { sendFile });`;
    const opened = await openScriptPage(browser, script, (request) =>
      new URL(request.url).pathname === "/api/files" ? files.POST(request) : POST(request),
    );
    expect(await opened.page.evaluate('sendFile("text/html")')).toBe("a.png could not be uploaded.");
    expect(await opened.page.evaluate('sendFile("image/png")')).toBe("sent");
    expect(received).toHaveLength(1);
    const url = expect.stringMatching(/^https:\/\/chat\.example\.com\/api\/files\?id=/);
    expect(received[0]!.parts).toContainEqual({ type: "file", name: "a.png", mediaType: "image/png", url });
    await opened.close();
  });
});
