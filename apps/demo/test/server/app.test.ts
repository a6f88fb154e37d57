import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { createDocumentationAgent } from "../../src/agent/documentation-agent.ts";
import { createSearch } from "../../src/agent/search.ts";
import { createApp } from "../../src/server/app.ts";
import { createTemporaryFolder } from "../temporary-folder.ts";

const documents = new Map([
  ["ground.md", "# Ground floor\n\n## Kitchen\n\nThe stove is green.\n"],
  ["upper floor.md", "# Upper floor\n\n## Kitchen\n\nThe stove is <blue>.\n"],
]);
const agent = createDocumentationAgent({ search: createSearch(documents), tokensPerSecond: 0 });

async function createDemo() {
  const folder = await createTemporaryFolder({
    "outside.md": "# Outside",
    "page/index.html": "<!doctype html><title>Page</title>",
    "page/assets/index-1a2b3c.js": "export {};",
  });
  return createApp({ agent, documents, pageFolder: join(folder, "page") });
}

test("a document is served as plain text, under the address of its source chunk", async () => {
  const response = await (await createDemo()).request("/docs/upper%20floor.md");
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("text/plain; charset=UTF-8");
  expect(response.headers.get("x-content-type-options")).toBe("nosniff");
  expect(response.headers.get("cache-control")).toBe("no-cache");
  expect(await response.text()).toBe(documents.get("upper floor.md"));
});

test.each([
  "/docs/../outside.md",
  "/docs/..%2foutside.md",
  "/docs/%2e%2e/outside.md",
  "/docs//etc/passwd",
  "/docs/ground.md%00",
  "/docs/%E0%A4%A",
  "/docs/",
])("only the documents are served: %s is not found", async (path) => {
  const app = await createDemo();
  // `new Request` would resolve the dots before they reach the application.
  const request = new Request("http://localhost/");
  Object.defineProperty(request, "url", { value: `http://localhost${path}` });
  const response = await app.fetch(request);
  expect(response.status).toBe(404);
  expect(await response.json()).toEqual({ error: "There is nothing here.", code: "not-found" });
});

test("the page has a strict Content-Security-Policy, and browsers check it at every visit", async () => {
  const response = await (await createDemo()).request("/");
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
  expect(response.headers.get("cache-control")).toBe("no-cache");
  expect(response.headers.get("content-security-policy")).toBe(
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
  );
  expect(response.headers.get("x-content-type-options")).toBe("nosniff");
  expect(response.headers.get("referrer-policy")).toBe("no-referrer");
});

// This needs a build.
test("the built page contains nothing that its Content-Security-Policy forbids", async () => {
  const pageFolder = fileURLToPath(new URL("../../dist/page/", import.meta.url));
  const html = await (await createApp({ agent, pageFolder }).request("/")).text();
  const scripts = html.match(/<script[^>]*>[^<]*/g) ?? [];
  expect(scripts.length).toBeGreaterThan(0);
  for (const script of scripts) expect(script).toMatch(/ src="\/assets\/[^"]+\.js">\s*$/);
  expect(html).not.toMatch(/<style| style=| on[a-z]+=|(?:src|href)="(?:https?:|data:|\/\/)/i);
});

test("a question from the agent is answered with a second request to the route", async () => {
  const app = await createDemo();
  const post = async (body: object) => {
    const messages = [{ role: "user", content: "Kitchen" }];
    const response = await app.request("/api/chat", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ messages, sessionId: "s1", stream: false, ...body }),
    });
    return { status: response.status, ...(await response.json()) };
  };
  const { chunks } = await post({});
  expect(chunks.at(-1)).toEqual({ type: "done", finishReason: "interrupt" });
  const { requestId, resumeToken } = chunks.at(-2);
  const resume = { requestId, resumeToken, answer: "upper floor.md" };
  expect(await post({ resume })).toMatchObject({
    status: 200,
    text: expect.stringContaining("The stove is <blue>."),
  });
  const refused = { status: 403, code: "invalid-resume-token" };
  expect(await post({ resume: { ...resume, resumeToken: "mine" } })).toMatchObject(refused);
  expect(await post({ resume, sessionId: "s2" })).toMatchObject(refused);
});

test("a visitor gets a cookie with the page, once, that no script can read", async () => {
  const app = await createDemo();
  const cookie = (await app.request("/")).headers.get("set-cookie");
  expect(cookie).toMatch(/^visitor=[0-9a-f-]{36}; Max-Age=31536000; Path=\/; HttpOnly; SameSite=Strict$/);
  const headers = { cookie: cookie!.split(";")[0]! };
  expect((await app.request("/", { headers })).headers.get("set-cookie")).toBeNull();
});

test("a file with a hash in its name is kept by the browser", async () => {
  const response = await (await createDemo()).request("/assets/index-1a2b3c.js");
  expect(response.headers.get("content-type")).toBe("text/javascript; charset=utf-8");
  expect(response.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
});

test("a missing file is a 404 that no browser keeps", async () => {
  const response = await (await createDemo()).request("/assets/index-old.js");
  expect(response.status).toBe(404);
  expect(response.headers.get("cache-control")).toBe("no-cache");
});
