/** The snippets of docs/auth.md: who is admitted with a cookie and with a token, also from another origin, in Chromium. */
import { createChat } from "@kortyx/client";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { hasChromium, launchChromium } from "./chromium.ts";
import { type LiveServer, listen } from "./live-server.ts";
import { createSnippetFolder, snippetsOf } from "./readme-snippets.ts";
import { openScriptPage } from "./script-page.ts";

type Handler = (request: Request) => Promise<Response>;
type Route = { POST: Handler; OPTIONS: Handler };

const folder = createSnippetFolder("guide-auth");
afterAll(() => folder.remove());
const [cookieRoute, session, honoRoute, tokenPage, tokenRoute, originRoute, originPage] = snippetsOf(
  "docs/auth.md",
) as [string, string, string, string, string, string, string];

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

describe("the session of the page", () => {
  const own = createSnippetFolder("guide-auth-session");
  afterAll(() => own.remove());
  own.write(
    "users.ts",
    `export const checkPassword = async (name, password) => (password === "right" ? name : null);`,
  );
  const signIn = async ({ POST }: Pick<Route, "POST">, password: string, type = "application/json") => {
    const said = JSON.stringify({ name: "ann@host; x=é.1", password });
    const head = { "content-type": type };
    return POST(new Request("http://host/", { method: "POST", headers: head, body: said }));
  };

  test("admits who has signed in, until it ends, and no cookie that was changed", async () => {
    vi.stubEnv("SESSION_SECRET", "a secret of more than 32 characters");
    own.write("session.ts", session);
    const signing: Route & { verifySession(request: Request): string | null } = await import(
      `${own.path}/session.ts`
    );
    const route = await own.run<Route>("cookie.ts", cookieRoute);
    expect((await signIn(signing, "wrong")).status).toBe(401);
    for (const type of ["text/plain", "text/plain;,application/json", ""]) {
      expect((await signIn(signing, "right", type)).status, type).toBe(401);
    }
    expect((await signIn(signing, "right", "application/json; charset=utf-8")).status).toBe(204);
    const [cookie = "", ...attributes] = (await signIn(signing, "right")).headers
      .get("set-cookie")!
      .split("; ");
    expect(attributes).toEqual(["Path=/", "Max-Age=604800", "HttpOnly", "Secure", "SameSite=Lax"]);
    const userOf = (value: string) =>
      signing.verifySession(new Request("http://host/", { headers: { cookie: value } }));
    expect(userOf(`a=1; ${cookie}; b=2`)).toBe("ann@host; x=é.1");
    expect(await statusOf(route, { cookie })).toBe(200);
    const [signature, endsAt] = cookie.split(".");
    for (const forged of [
      "session=ann",
      `${signature}.${endsAt}.bob`,
      `${cookie}x`,
      cookie.replace(".", ".9"),
    ]) {
      expect(userOf(forged), forged).toBeNull();
      expect(await statusOf(route, { cookie: forged })).toBe(401);
    }
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 7 * 24 * 60 * 60_000 });
    expect(userOf(cookie)).toBeNull();
    vi.useRealTimers();
    vi.unstubAllEnvs();
  });

  test("signs and admits nothing without a secret", async () => {
    vi.stubEnv("SESSION_SECRET", "");
    const { POST } = await own.run<Route>("session-without-secret.ts", session);
    await expect(signIn({ POST }, "right")).rejects.toThrow(
      "SESSION_SECRET must have at least 32 characters.",
    );
    vi.unstubAllEnvs();
  });
});

test("the page learns that its user is signed out, and asks again after the sign-in", async () => {
  const route = await folder.run<Route>("signed-out.ts", cookieRoute);
  const server = await listen(route.POST);
  let cookie = "";
  const chat = createChat({ endpoint: server.url, headers: () => ({ cookie }) });
  await chat.send("Hello").catch(() => {});
  expect(chat.getSnapshot().error).toMatchObject({ status: 401, body: { code: "unauthorized" } });
  cookie = "session=ann";
  await chat.regenerate();
  expect(chat.getSnapshot()).toMatchObject({ status: "ready", error: undefined, messages: [{}, {}] });
  await server.close();
});

test("the route in Hono admits the user that a middleware has verified", async () => {
  type App = { fetch(request: Request): Promise<Response> };
  const { app } = await folder.run<{ app: App }>("hono.ts", honoRoute);
  const ask = (more = {}) =>
    app.fetch(
      new Request("http://host/api/chat", { method: "POST", headers: { ...headers, ...more }, body }),
    );
  expect((await ask()).status).toBe(401);
  expect((await ask({ cookie: "session=ann" })).status).toBe(200);
});

test("the page with a token reads it for every request, and again when it has expired", async () => {
  const tokens = ["expired", "valid", "valid"];
  Object.assign(globalThis, { tokens });
  folder.write("token.ts", "export const readToken = async () => globalThis.tokens.shift();");
  folder.write(
    "verify-token.ts",
    `export const verifyToken = async (token) => (token === "valid" ? { sub: "ann" } : undefined);`,
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
