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
    expect(html).toContain('<button type="submit">Send</button>');
  });
});
