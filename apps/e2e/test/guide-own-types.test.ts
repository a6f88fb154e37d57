/** docs/own-types.md: its route refuses a wrong context, and its component shows an object that grows. */
import { createMessageAccumulator, type MessagePart, readStream, reduceMessage } from "@kortyx/client";
import { createElement, type FunctionComponent } from "react";
import { renderToStaticMarkup } from "react-dom/server";
import { afterAll, expect, test } from "vitest";
import { collect } from "./live-server.ts";
import { createSnippetFolder, snippetsOf } from "./readme-snippets.ts";

const folder = createSnippetFolder("guide-own-types");
afterAll(() => folder.remove());

const { POST } = await folder.run<{ POST(request: Request): Promise<Response> }>(
  "own-route.ts",
  snippetsOf("docs/own-types.md")[0]!,
);
const ask = (context: object) => {
  const body = JSON.stringify({ messages: [{ role: "user", content: "Hello" }], context });
  const headers = { "content-type": "application/json" };
  return POST(new Request("http://host/", { method: "POST", headers, body }));
};

test("the typed route answers, and refuses a request without its context", async () => {
  const { chunks } = await collect(readStream(await ask({ tenant: "acme" })));
  expect(chunks[0]).toMatchObject({ tool: "search", input: { query: "Hello for acme" } });
  const { metadata, parts } = reduceMessage(chunks);
  expect(metadata).toEqual({ cost: 0.02 });
  expect(parts).toMatchObject([
    { type: "tool-call", state: "done", content: ["Tomato soup"] },
    { type: "data", name: "progress", data: { percent: 100 } },
    {
      type: "structured-data",
      dataType: "recipe",
      data: { title: "Tomato soup", steps: ["Peel the tomatoes.", "Boil them."] },
    },
  ]);
  const refused = await ask({});
  expect(refused.status).toBe(400);
  expect(await refused.json()).toMatchObject({
    code: "invalid-request",
    issues: [{ path: "context.tenant" }],
  });
});

test("the component shows the object while it grows", async () => {
  type Recipe = FunctionComponent<{ part: MessagePart }>;
  const { Recipe } = await folder.run<{ Recipe: Recipe }>(
    "recipe.tsx",
    snippetsOf("docs/own-types.md", "tsx")[0]!,
  );
  const message = createMessageAccumulator();
  const shown = new Set<string>();
  for (const chunk of (await collect(readStream(await ask({ tenant: "acme" })))).chunks) {
    message.apply(chunk);
    shown.add(
      message.message.parts.map((part) => renderToStaticMarkup(createElement(Recipe, { part }))).join(""),
    );
  }
  const section = (isBusy: boolean, title: string, ...steps: string[]) =>
    `<section aria-busy="${isBusy}"><h2>${title}</h2><ol>${steps.map((step) => `<li>${step}</li>`).join("")}</ol></section>`;
  expect([...shown]).toEqual([
    "",
    section(true, "Tomato "),
    section(true, "Tomato soup"),
    section(true, "Tomato soup", "Peel the tomatoes."),
    section(false, "Tomato soup", "Peel the tomatoes.", "Boil them."),
  ]);
});
