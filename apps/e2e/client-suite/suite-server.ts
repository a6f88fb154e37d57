/**
 * The server of the client suite: the page that runs the suite under a strict Content-Security-Policy, and the routes
 * of its cases. Launches no browser.
 */
import type { RequestListener } from "node:http";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { type LiveServer, listenOnNode } from "../test/live-server.ts";
import { createSourceRoutes } from "./live-sources.ts";
import { createAnswerRoutes, type SuiteRequest, sendJson } from "./send-answer.ts";

/** The entry point of the page's bundle. */
const entry = fileURLToPath(new URL("./run-suite.ts", import.meta.url));

export interface SuiteServer extends LiveServer {
  /** Opened in a browser, it runs the suite and then has a `SuiteReport` as the text of `#report`. */
  pageUrl: string;
  /** The browsers' reports about the Content-Security-Policy. */
  policyReports: unknown[];
}

const page = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>running</title>
<script type="module" src="/run-suite.js"></script>
</html>
`;

/** Starts the server. The page's bundle is built on its first request. */
export async function startSuiteServer(): Promise<SuiteServer> {
  const policyReports: unknown[] = [];
  let addresses = { crossOriginUrl: "", refusedUrl: "" };
  let bundle: Promise<string> | undefined;

  const routes: Record<string, (request: SuiteRequest) => Promise<void>> = {
    ...createAnswerRoutes(),
    ...createSourceRoutes(),

    async "/"({ res }) {
      const { crossOriginUrl, refusedUrl } = addresses;
      res.writeHead(200, {
        "content-type": "text/html",
        "content-security-policy": [
          "default-src 'none'",
          "script-src 'self'",
          // These two are allowed so that a case can see their requests fail.
          `connect-src 'self' ${crossOriginUrl} ${refusedUrl}`,
          "report-uri /policy-reports",
        ].join("; "),
      });
      res.end(page);
    },

    async "/run-suite.js"({ res }) {
      bundle ??= bundlePage();
      res.writeHead(200, { "content-type": "text/javascript" }).end(await bundle);
    },

    async "/policy-reports"({ req, res }) {
      let text = "";
      for await (const piece of req.setEncoding("utf8")) text += piece;
      policyReports.push(JSON.parse(text));
      res.writeHead(204).end();
    },

    async "/addresses"({ res }) {
      sendJson(res, addresses);
    },

    async "/login"({ res }) {
      res.writeHead(200, { "content-type": "text/html" }).end("<!doctype html><title>Log in</title>");
    },
  };

  const listener: RequestListener = (req, res) => {
    const { pathname, searchParams: query } = new URL(req.url!, "http://localhost");
    const route = routes[pathname];
    if (route === undefined) res.writeHead(404).end();
    else route({ id: query.get("case") ?? "", query, req, res }).catch((error) => res.destroy(error));
  };

  const server = await listenOnNode(listener);
  const crossOrigin = await listenOnNode(listener);
  const refused = await listenOnNode(listener);
  await refused.close();
  addresses = { crossOriginUrl: crossOrigin.url, refusedUrl: refused.url };
  return {
    url: server.url,
    pageUrl: `${server.url}/`,
    policyReports,
    async close() {
      await Promise.all([server.close(), crossOrigin.close()]);
    },
  };
}

/** The suite and the built package as one file for browsers. */
async function bundlePage(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    write: false,
    logLevel: "silent",
  });
  return outputFiles[0]!.text;
}
