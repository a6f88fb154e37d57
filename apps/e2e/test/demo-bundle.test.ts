/** The demo sends its page to browsers, and none of the server's secrets. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { pageFolder } from "./demo-page.ts";
import { startDemo } from "./demo-process.ts";

const demoFolder = fileURLToPath(new URL("../node_modules/@kortyx/demo/", import.meta.url));
const secret = "sk-sentinel-7f3a9c";
const environment = {
  OPENAI_API_KEY: secret,
  OPENAI_BASE_URL: `http://127.0.0.1:9/${secret}`,
  OPENAI_MODEL: "some-model",
  VITE_API_KEY: secret,
};

const readAll = (folder: string): string =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), "utf8"))
    .join("\n");

test("the page is built without the environment: it contains neither the names nor the values of its variables", () => {
  const folder = mkdtempSync(join(tmpdir(), "demo-page-"));
  try {
    const vite = join(demoFolder, "node_modules/vite/bin/vite.js");
    execFileSync(process.execPath, [vite, "build", "--outDir", folder, "--logLevel", "error"], {
      cwd: demoFolder,
      env: { ...process.env, ...environment },
    });
    for (const built of [readAll(folder), readAll(pageFolder)]) {
      expect(built).toContain("/api/chat");
      expect(built).not.toContain(secret);
      expect(built).not.toMatch(/OPENAI|API_KEY|process\.env/);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("the server sends its secrets to no browser, and no page without its strict Content-Security-Policy", async () => {
  const demo = await startDemo(environment, "pipe");
  let log = "";
  demo.process.stderr!.on("data", (data) => {
    log += data;
  });
  try {
    const page = await fetch(demo.url);
    const policy = page.headers.get("content-security-policy") ?? "";
    expect(policy).toContain("default-src 'self'");
    expect(policy).not.toMatch(/unsafe|data:|\*/);
    const html = await page.text();
    expect(html).not.toMatch(/<style|<script(?![^>]* src=)| style=| on\w+=/);
    const answer = await fetch(`${demo.url}/api/chat`, {
      method: "POST",
      headers: { "content-type": "application/json", cookie: page.headers.get("set-cookie") ?? "" },
      body: JSON.stringify({ messages: [{ role: "user", content: "Your key?" }], stream: false }),
    });
    const said = await answer.text();
    expect(said).toContain('"type":"error"');
    expect(said).not.toContain(secret);
    await expect
      .poll(() => log)
      .toContain("The model's endpoint cannot be reached, or does not answer as a model.");
    expect(log).not.toContain(secret);
  } finally {
    await demo.kill();
  }
});
