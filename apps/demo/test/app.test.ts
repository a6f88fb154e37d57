import { join } from "node:path";
import { expect, test } from "vitest";
import { createApp } from "../src/app.ts";
import { createDocumentationAgent } from "../src/documentation-agent.ts";
import { createTemporaryFolder } from "./temporary-folder.ts";

async function createDemo() {
  const folder = await createTemporaryFolder({
    "outside.md": "# Outside",
    "root/docs/a b.md": "# A <script>",
    "root/package.json": "{}",
    "page/index.html": "<!doctype html><title>Page</title>",
    "page/assets/index-1a2b3c.js": "export {};",
  });
  const agent = createDocumentationAgent({ root: join(folder, "root"), tokensPerSecond: 0 });
  return createApp({ agent, readDocument: agent.readDocument, pageFolder: join(folder, "page") });
}

test("a document is served as plain text, under the address of its source chunk", async () => {
  const app = await createDemo();
  const response = await app.request("/docs/docs/a%20b.md");
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("text/plain; charset=UTF-8");
  expect(response.headers.get("x-content-type-options")).toBe("nosniff");
  expect(response.headers.get("cache-control")).toBe("no-cache");
  expect(await response.text()).toBe("# A <script>");
});

test.each([
  "/docs/../outside.md",
  "/docs/..%2foutside.md",
  "/docs/%2e%2e/outside.md",
  "/docs/%2e%2e%2foutside.md",
  "/docs/docs%2f..%2f..%2foutside.md",
  "/docs/..%5coutside.md",
  "/docs//etc/passwd",
  "/docs/%2fetc%2fpasswd",
  "/docs/package.json",
  "/docs/docs",
  "/docs/docs/a%20b.md%00",
  "/docs/%E0%A4%A",
  "/docs/",
])("nothing but the documents is served: %s", async (path) => {
  const app = await createDemo();
  // `new Request` would resolve the dots before they reach the application.
  const request = new Request("http://localhost/");
  Object.defineProperty(request, "url", { value: `http://localhost${path}` });
  const response = await app.fetch(request);
  expect(response.status).toBe(404);
  expect(await response.json()).toEqual({ error: "There is nothing here.", code: "not-found" });
});

test("the page comes with a strict Content-Security-Policy and is asked for every time", async () => {
  const response = await (await createDemo()).request("/");
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
  expect(response.headers.get("cache-control")).toBe("no-cache");
  expect(response.headers.get("content-security-policy")).toBe(
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
  );
  expect(response.headers.get("x-content-type-options")).toBe("nosniff");
});

test("a file with a hash in its name is kept by the browser", async () => {
  const response = await (await createDemo()).request("/assets/index-1a2b3c.js");
  expect(response.headers.get("content-type")).toBe("text/javascript; charset=utf-8");
  expect(response.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
});

test("a file that is not there is a 404 that nobody keeps", async () => {
  const response = await (await createDemo()).request("/assets/index-old.js");
  expect(response.status).toBe(404);
  expect(response.headers.get("cache-control")).toBe("no-cache");
});
