/** docs/attachments.md: files from a page to the agent and back, whole and uploaded, in Chromium. */
import { type ChatAgent, type ChatMessage, createChatRoute } from "@kortyx/server";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasChromium, launchChromium } from "./chromium.ts";
import { createSnippetFolder, snippetsOf } from "./readme-snippets.ts";
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

test("the route with a larger body takes a picture of 5 MB", async () => {
  const { POST } = await folder.run<{ POST: Handler }>("large.ts", largeRoute);
  const url = `data:image/png;base64,${"A".repeat(6_700_000)}`;
  const parts = [{ type: "file", mediaType: "image/png", url }];
  const body = JSON.stringify({ messages: [{ role: "user", content: "Look", parts }] });
  const headers = { "content-type": "application/json" };
  expect((await POST(new Request("http://host/", { method: "POST", headers, body }))).status).toBe(200);
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
