/**
 * The frameworks of the table that compile their applications: Next.js with its own route modules, SvelteKit and
 * TanStack Start with a build.
 */

import { mkdirSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { ChatRoute } from "@kortyx/server";
import { pageOrigin } from "../routes/framework-route.ts";
import { inProcess, listen, type RunningTarget, type Target } from "./framework-targets.ts";

const require = createRequire(import.meta.url);

/** The wrapping that `next build` puts around a route handler, and the headers that `next start` adds. */
const nextAppRouter = inProcess(
  "Next.js",
  async (route) => {
    require("next/dist/server/node-environment");
    const { AppRouteRouteModule } = require("next/dist/server/route-modules/app-route/module.js");
    const { NodeNextRequest, NodeNextResponse } = require("next/dist/server/base-http/node.js");
    const adapters = require("next/dist/server/web/spec-extension/adapters/next-request.js");
    const { sendResponse } = require("next/dist/server/send-response.js");
    const { POST, GET, DELETE, HEAD, OPTIONS } = route;
    const module = new AppRouteRouteModule({
      definition: {
        kind: "APP_ROUTE",
        page: "/api/chat/route",
        pathname: "/api/chat",
        filename: "",
        bundlePath: "",
      },
      distDir: "",
      relativeProjectDir: "",
      resolvedPagePath: "",
      nextConfigOutput: undefined,
      userland: () => ({ POST, GET, DELETE, HEAD, OPTIONS }),
    });
    await module.ensureUserland();
    const server = createServer(async (req, res) => {
      // Like `headers` of next.config.js.
      res.setHeader("access-control-allow-origin", pageOrigin);
      const request = adapters.NextRequestAdapter.fromNodeNextRequest(
        new NodeNextRequest(req),
        adapters.signalFromNodeResponse(res),
      );
      const context = {
        params: {},
        previewProps: { previewModeId: "1", previewModeEncryptionKey: "1", previewModeSigningKey: "1" },
        renderOpts: {
          experimental: {},
          supportsDynamicResponse: true,
          cacheLifeProfiles: {},
          onClose: (callback: () => void) => res.on("close", callback),
        },
        sharedContext: { buildId: "1", deploymentId: "" },
      };
      const response = await module.handle(request, context);
      await sendResponse(new NodeNextRequest(req), new NodeNextResponse(res), response);
    });
    return listen(server);
  },
  {
    redirectStatus: 307,
    async onAuthorize(request) {
      const { cookies } = require("next/headers");
      const { redirect } = require("next/navigation");
      (await cookies()).set("visit", "1");
      if (request.headers.has("x-redirect")) redirect("/login");
    },
  },
);

const nextPagesRouter = inProcess("Next.js, `pages/api`", async (route) => {
  const { apiResolver } = require("next/dist/server/api-utils/node/api-resolver.js");
  const { toNodeHandler } = await import("@kortyx/server/node");
  const page = { default: toNodeHandler(route.fetch) };
  const server = createServer((req: IncomingMessage, res: ServerResponse) => {
    res.setHeader("access-control-allow-origin", pageOrigin);
    res.setHeader("set-cookie", "visit=1");
    const preview = { previewModeId: "1", previewModeEncryptionKey: "1", previewModeSigningKey: "1" };
    void apiResolver(req, res, {}, page, preview, false, false, "/api/chat");
  });
  return listen(server);
});

const kitFolder = fileURLToPath(new URL("../.tmp/sveltekit/", import.meta.url));

const kitFiles = {
  "package.json": '{ "private": true, "type": "module" }',
  "src/app.html": "<!doctype html><head>%sveltekit.head%</head><body>%sveltekit.body%</body>",
  "src/hooks.server.js": `export async function handle({ event, resolve }) {
  event.cookies.set("visit", "1", { path: "/" });
  const response = await resolve(event);
  response.headers.set("access-control-allow-origin", ${JSON.stringify(pageOrigin)});
  return response;
}`,
  "src/routes/api/chat/+server.js": `const route = globalThis.frameworkRoute;
const answer = ({ request }) => route.fetch(request);
export { answer as GET, answer as POST, answer as DELETE, answer as OPTIONS };`,
};

/** Writes an application that takes its route from `globalThis`, and builds it in a few seconds. */
async function buildApp(
  root: string,
  files: Record<string, string>,
  route: ChatRoute,
  createPlugins: () => unknown,
): Promise<void> {
  mkdirSync(`${root}src/routes/api/chat`, { recursive: true });
  for (const [file, text] of Object.entries(files)) writeFileSync(root + file, text);
  Object.assign(globalThis, { frameworkRoute: route });
  const { createBuilder } = await import("vite");
  const previous = process.cwd();
  process.chdir(root);
  try {
    const plugins = [(await createPlugins()) as never];
    const builder = await createBuilder({ configFile: false, plugins, logLevel: "silent", root });
    await builder.buildApp();
  } finally {
    process.chdir(previous);
  }
}

/** Serves it like adapter-node. */
async function startSvelteKit(route: ChatRoute): Promise<RunningTarget> {
  const { sveltekit } = await import("@sveltejs/kit/vite");
  const { getRequest, setResponse } = await import("@sveltejs/kit/node");
  await buildApp(kitFolder, kitFiles, route, () => sveltekit({ adapter: { name: "none", adapt() {} } }));
  const output = pathToFileURL(`${kitFolder}.svelte-kit/output/server/`);
  const { Server } = await import(new URL("index.js", output).href);
  const { manifest } = await import(new URL("manifest.js", output).href);
  const kit = new Server(manifest);
  await kit.init({ env: {} });
  const server = createServer(async (req, res) => {
    const base = `http://${req.headers.host}`;
    const request = await getRequest({ base, request: req });
    await setResponse(res, await kit.respond(request, { getClientAddress: () => "127.0.0.1" }));
  });
  return listen(server);
}

const svelteKit = inProcess("SvelteKit", startSvelteKit, {
  redirectStatus: 303,
  async onAuthorize(request) {
    const { redirect } = await import("@sveltejs/kit");
    if (request.headers.has("x-redirect")) redirect(303, "/login");
  },
});

const startFolder = fileURLToPath(new URL("../.tmp/tanstack-start/", import.meta.url));

const startFiles = {
  "package.json": '{ "private": true, "type": "module" }',
  "src/start.js": `import { createMiddleware, createStart } from "@tanstack/react-start";
import { setCookie } from "@tanstack/react-start/server";
const middleware = createMiddleware().server(async ({ next }) => {
  setCookie("visit", "1");
  const result = await next();
  result.response.headers.set("access-control-allow-origin", ${JSON.stringify(pageOrigin)});
  return result;
});
export const startInstance = createStart(() => ({ requestMiddleware: [middleware] }));`,
  "src/router.js": `import { createRouter } from "@tanstack/react-router";
import { routeTree } from "./routeTree.gen";
export const getRouter = () => createRouter({ routeTree });`,
  "src/routes/__root.js": `import { createRootRoute } from "@tanstack/react-router";
export const Route = createRootRoute();`,
  "src/routes/api/chat.js": `import { createFileRoute } from "@tanstack/react-router";
const route = globalThis.frameworkRoute;
export const Route = createFileRoute("/api/chat")({
  server: { handlers: { ANY: ({ request }) => route.fetch(request) } },
});`,
};

/** Serves it with srvx, as its own guide does. */
async function startTanStackStart(route: ChatRoute): Promise<RunningTarget> {
  const { tanstackStart } = await import("@tanstack/react-start/plugin/vite");
  const { toNodeHandler } = await import("h3");
  await buildApp(startFolder, startFiles, route, tanstackStart);
  const { default: app } = await import(pathToFileURL(`${startFolder}dist/server/server.js`).href);
  return listen(createServer(toNodeHandler(app) as never));
}

const tanStackStart = inProcess("TanStack Start", startTanStackStart, {
  redirectStatus: 307,
  async onAuthorize(request) {
    const { redirect } = await import("@tanstack/react-router");
    if (request.headers.has("x-redirect")) throw redirect({ href: "/login" });
  },
});

export const appTargets: Target[] = [nextAppRouter, nextPagesRouter, svelteKit, tanStackStart];
