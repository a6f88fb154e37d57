/**
 * A route on Next.js's edge runtime: bundled with Next's own route module, run in Next's own sandbox, and served as by
 * `next start` (`NextNodeServer.runEdgeFunction`). Works without Next's compiler, which is most of its size.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL("../", import.meta.url));
const require = createRequire(import.meta.url);

export interface EdgeServer {
  url: string;
  close(): Promise<void>;
}

/** The output of Next's loader for a route file: see `next/dist/build/templates/edge-app-route.js`. */
const entry = (routeFile: string) => `
import { AppRouteRouteModule } from "next/dist/server/route-modules/app-route/module";
import { RouteKind } from "next/dist/server/route-kind";
import { EdgeRouteModuleWrapper } from "next/dist/server/web/edge-route-module-wrapper";
import * as userland from ${JSON.stringify(routeFile)};

const page = "/api/chat/route";
const routeModule = new AppRouteRouteModule({
  definition: { kind: RouteKind.APP_ROUTE, page, pathname: "/api/chat", filename: "route", bundlePath: "app/api/chat/route" },
  distDir: "",
  relativeProjectDir: "",
  resolvedPagePath: ${JSON.stringify(routeFile)},
  nextConfigOutput: "",
  userland: () => userland,
});
self.__SERVER_FILES_MANIFEST = { config: { experimental: {}, cacheMaxMemorySize: 0 } };
globalThis._ENTRIES ??= {};
_ENTRIES.middleware_chat = { default: EdgeRouteModuleWrapper.wrap(routeModule, { page }) };
`;

async function bundle(routeFile: string): Promise<string> {
  const { build } = await import("esbuild");
  const outfile = `${folder}.tmp/next-edge.js`;
  await build({
    stdin: { contents: entry(routeFile), resolveDir: folder, loader: "js" },
    absWorkingDir: folder,
    outfile,
    bundle: true,
    format: "iife",
    platform: "browser",
    conditions: ["edge-light", "worker"],
    define: {
      global: "globalThis",
      __dirname: '"/"',
      "process.env.NEXT_RUNTIME": '"edge"',
      "process.env.NODE_ENV": '"production"',
    },
    alias: { "@opentelemetry/api": "next/dist/compiled/@opentelemetry/api" },
    external: ["node:*", "async_hooks"],
    logLevel: "error",
  });
  return outfile;
}

/** @param routeFile - Relative to this package's folder. */
export async function startNextEdge(routeFile: string): Promise<EdgeServer> {
  const file = await bundle(`${folder}${routeFile}`);
  Object.assign(globalThis, { AsyncLocalStorage });
  const { run } = require("next/dist/server/web/sandbox");
  const { getCloneableBody } = require("next/dist/server/body-streams");
  const { pipeToNodeResponse } = require("next/dist/server/pipe-readable");
  const { signalFromNodeResponse } = require("next/dist/server/web/spec-extension/adapters/next-request");

  const server = createServer(async (req, res) => {
    const { response } = await run({
      distDir: folder,
      name: "chat",
      paths: [file],
      edgeFunctionEntry: { env: {}, wasm: [], assets: [] },
      useCache: true,
      request: {
        headers: req.headers,
        method: req.method,
        nextConfig: {},
        url: `http://${req.headers.host}${req.url}`,
        page: { name: "/api/chat/route" },
        body: getCloneableBody(req),
        signal: signalFromNodeResponse(res),
        waitUntil() {},
      },
    });
    res.statusCode = response.status;
    response.headers.forEach((value: string, name: string) => void res.appendHeader(name, value));
    if (response.body) await pipeToNodeResponse(response.body, res);
    else res.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/api/chat`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
