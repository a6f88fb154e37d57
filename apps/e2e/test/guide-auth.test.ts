/** The snippets of docs/auth.md: who is admitted with a cookie and with a token, also from another origin, in Chromium. */
import type { createChat } from "@kortyx/client";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasChromium, launchChromium } from "./chromium.ts";
import { type LiveServer, listen } from "./live-server.ts";
import { createSnippetFolder, snippetsOf } from "./readme-snippets.ts";
import { openScriptPage } from "./script-page.ts";

type Handler = (request: Request) => Promise<Response>;
type Route = { POST: Handler; OPTIONS: Handler };

const folder = createSnippetFolder("guide-auth");
afterAll(() => folder.remove());
const [cookieRoute, tokenPage, tokenRoute, originRoute, originPage] = snippetsOf("docs/auth.md") as [
  string,
  string,
  string,
  string,
  string,
];

const body = JSON.stringify({ messages: [{ role: "user", content: "Hello" }] });
const headers = { "content-type": "application/json" };
const statusOf = async ({ POST }: Route, more: Record<string, string>): Promise<number> =>
  (await POST(new Request("http://host/", { method: "POST", headers: { ...headers, ...more }, body })))
    .status;

test("the route with a cookie admits its user, and no form of another site", async () => {
  const route = await folder.run<Route>("cookie.ts", cookieRoute);
  const cookie = "session=ann";
  expect(await statusOf(route, { cookie })).toBe(200);
  expect(await statusOf(route, {})).toBe(401);
  for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=a"]) {
    expect(await statusOf(route, { cookie, "content-type": type })).toBe(415);
  }
});

test("the page with a token reads it for every request, and again when it has expired", async () => {
  const tokens = ["expired", "valid", "valid"];
  Object.assign(globalThis, { tokens });
  folder.write(
    "token.ts",
    `export const readToken = async () => globalThis.tokens.shift();
     export const verifyToken = async (token) => (token === "valid" ? { sub: "ann" } : undefined);`,
  );
  const route = await folder.run<Route>("token-route.ts", tokenRoute);
  const server = await listen(route.POST);
  const code = tokenPage.replace('"/api/chat"', JSON.stringify(server.url));
  const { chat } = await folder.run<{ chat: ReturnType<typeof createChat> }>("token-page.ts", code);
  await chat.send("One");
  await chat.send("Two");
  expect(chat.getSnapshot()).toMatchObject({ status: "ready", error: undefined });
  expect(tokens).toEqual([]);
  expect(await statusOf(route, { authorization: "Basic valid" })).toBe(401);
  await server.close();
});

describe.skipIf(!hasChromium())("another origin, in Chromium", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser?.close());

  test("the page that is allowed sends its cookie and shows the answer, and no other page does", async () => {
    let route: Route | undefined;
    const api: LiveServer = await listen((request) =>
      request.method === "OPTIONS" ? route!.OPTIONS(request) : route!.POST(request),
    );
    const script = `${originPage.replace("https://api.example.com/chat", api.url)}
      document.cookie = "session=ann";
      chat.subscribe(({ status, error }) => {
        document.querySelector("#answer")!.textContent = \`\${status} \${error?.name}\`;
      });
      Object.assign(globalThis, { ask: () => void chat.send("Hello") });`;
    for (const [isAllowed, shown] of [
      [true, "ready undefined"],
      [false, "error StreamConnectionError"],
    ] as const) {
      const opened = await openScriptPage(browser, script, () => new Response(null, { status: 404 }));
      const code = isAllowed
        ? originRoute.replace("https://app.example.com", opened.server.url)
        : originRoute;
      route = await folder.run<Route>(`origin-${isAllowed}.ts`, code);
      await opened.page.evaluate("ask()");
      await opened.page.getByText(shown, { exact: true }).waitFor();
      await opened.close();
    }
    await api.close();
  });
});
