/** Serves a page whose only script is TypeScript, next to a handler for all of its requests. */
import { fileURLToPath } from "node:url";
import { build, type Loader, type Plugin } from "esbuild";
import type { Browser, Page } from "playwright-core";
import { type LiveServer, listen } from "./live-server.ts";

const here = fileURLToPath(new URL(".", import.meta.url));

export interface ScriptPage {
  page: Page;
  server: LiveServer;
  /** Errors that the page threw, and unhandled rejections. */
  complaints: string[];
  close(): Promise<void>;
}

/** @returns a module of TypeScript with all that it imports, as a page would load it. */
export async function bundleScript(
  contents: string,
  options: { resolveDir: string; loader?: Loader; plugins?: Plugin[] },
): Promise<string> {
  const { resolveDir, loader = "tsx", plugins } = options;
  const { outputFiles } = await build({
    stdin: { contents, resolveDir, loader },
    bundle: true,
    format: "esm",
    platform: "browser",
    jsx: "automatic",
    define: { "process.env.NODE_ENV": '"production"' },
    write: false,
    logLevel: "error",
    ...(plugins && { plugins }),
  });
  return outputFiles[0]!.text;
}

/** @param code - Bundled with its imports. It may show text in `<p id="answer">`. */
export async function openScriptPage(
  browser: Browser,
  code: string,
  handler: (request: Request) => Response | Promise<Response>,
): Promise<ScriptPage> {
  const script = await bundleScript(code, { resolveDir: here, loader: "ts" });
  const server = await listen((request) => {
    const { pathname } = new URL(request.url);
    const html =
      '<!doctype html><link rel="icon" href="data:,"><p id="answer"></p><script type="module" src="/page.js"></script>';
    if (pathname === "/") return new Response(html, { headers: { "content-type": "text/html" } });
    if (pathname !== "/page.js") return handler(request);
    return new Response(script, { headers: { "content-type": "text/javascript" } });
  });
  const page = await browser.newPage();
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(error.message));
  await page.goto(server.url);
  return {
    page,
    server,
    complaints,
    async close() {
      await page.close();
      await server.close();
    },
  };
}
