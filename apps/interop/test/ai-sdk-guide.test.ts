import { afterAll, describe, expect, test } from "vitest";
import { isInstalled } from "../install.ts";
import { createGuideFolder, snippetsOf } from "./kit/guide.ts";

describe.skipIf(!isInstalled())("docs/ai-sdk.md", () => {
  const folder = createGuideFolder("ai-sdk-guide");
  afterAll(() => folder[Symbol.dispose]());

  test("the page type-checks with the SDK's own types, and renders", async () => {
    const { createElement } = await import("react");
    const { renderToString } = await import("react-dom/server");
    const [page] = snippetsOf("docs/ai-sdk.md", "tsx");
    const { Conversation } = await folder.run<{ Conversation: (props: { sessionId: string }) => null }>(
      "page.tsx",
      page!,
    );
    expect(folder.check()).toBe("");
    const html = renderToString(createElement(Conversation, { sessionId: "s1" }));
    // Two buttons at any time: React would reuse one for both, and a click on Stop would also send the form.
    expect(html).toContain(
      '<button type="submit">Send</button><button type="button" disabled="">Stop</button>',
    );
  });

  test("the route answers the SDK's own transport", async () => {
    const { Chat } = await import("@ai-sdk/react");
    const { DefaultChatTransport } = await import("ai");
    const [code] = snippetsOf("docs/ai-sdk.md");
    const { route } = await folder.run<{ route: { fetch(request: Request): Promise<Response> } }>(
      "route.ts",
      code!,
    );
    const fetch = (url: unknown, init?: RequestInit) =>
      route.fetch(new Request(new URL(String(url), "http://localhost"), init));
    const transport = new DefaultChatTransport({ fetch: fetch as typeof globalThis.fetch });
    const chat = new Chat({ transport });
    await chat.sendMessage({ text: "Hello" });
    expect([chat.error, chat.lastMessage?.parts.at(-1)]).toMatchObject([
      undefined,
      { text: "You said: Hello" },
    ]);
  });
});
