/**
 * The frameworks of the table of docs/frameworks.md, each set up as their users do: with their own CORS, cookies and
 * body parser in front of the route, which is mounted by the recipe of the table. Starts servers, tests nothing.
 */
import { once } from "node:events";
import { createServer } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import type { AddressInfo, Server } from "node:net";
import type { ChatRoute } from "@kortyx/server";
import { createFrameworkRoute, type FrameworkRouteOptions, pageOrigin } from "../routes/framework-route.ts";

export interface RunningTarget {
  origin: string;
  close(): unknown;
}

export interface Target {
  /** Its row of the table. */
  name: string;
  protocol: "http1" | "http2";
  /** `false` if neither the framework nor one of its plugins sets cookies. */
  setsCookie: boolean;
  /**
   * The status with which this framework responds when `authorize` throws the framework's own `redirect()`, for a
   * request with the header `x-redirect`.
   */
  redirectStatus: number | undefined;
  /** @param report - Receives the reports of the route's agent. */
  start(report: (event: string) => void): Promise<RunningTarget>;
}

const host = "127.0.0.1";

export async function listen(server: Server & { closeAllConnections?(): void }): Promise<RunningTarget> {
  server.listen(0, host);
  await once(server, "listening");
  return {
    origin: `http://${host}:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.closeAllConnections?.();
      server.close();
    },
  };
}

/** A target whose route runs in this process. */
export function inProcess(
  name: string,
  start: (route: ChatRoute) => Promise<RunningTarget>,
  options: Pick<FrameworkRouteOptions, "onAuthorize"> & { protocol?: "http2"; redirectStatus?: number } = {},
): Target {
  const { onAuthorize, protocol = "http1", redirectStatus } = options;
  return {
    name,
    protocol,
    setsCookie: true,
    redirectStatus,
    start: (report) => start(createFrameworkRoute({ report, ...(onAuthorize && { onAuthorize }) })),
  };
}

const toNode = () => import("@kortyx/server/node");

const plainNode = inProcess("`node:http`", async (route) => {
  const { toNodeHandler } = await toNode();
  const chat = toNodeHandler(route.fetch);
  const server = createServer((req, res) => {
    res.setHeader("access-control-allow-origin", pageOrigin);
    res.appendHeader("set-cookie", "visit=1");
    if (req.url?.startsWith("/api/chat")) return chat(req, res);
    res.end();
  });
  return listen(server);
});

const plainHttp2 = inProcess(
  "`node:http2`",
  async (route) => {
    const { toNodeHandler } = await toNode();
    const chat = toNodeHandler(route.fetch);
    const server = createHttp2Server((req, res) => {
      res.setHeader("access-control-allow-origin", pageOrigin);
      res.appendHeader("set-cookie", "visit=1");
      if (req.url.startsWith("/api/chat")) return chat(req, res);
      res.end();
    });
    return listen(server as unknown as Server);
  },
  { protocol: "http2" },
);

/** Express 4 and 5, with the types of 5. */
async function startExpress(packageName: string, route: ChatRoute): Promise<RunningTarget> {
  const express: typeof import("express") = (await import(packageName)).default;
  const { default: cors } = await import("cors");
  const { default: cookieParser } = await import("cookie-parser");
  const { toNodeHandler } = await toNode();
  const app = express();
  app.use(cors({ origin: pageOrigin }), cookieParser(), express.json());
  app.use((_, res, next) => {
    res.cookie("visit", "1");
    next();
  });
  app.all("/api/chat", toNodeHandler(route.fetch));
  return listen(createServer(app));
}

const fastify = inProcess("Fastify 5", async (route) => {
  const { default: Fastify } = await import("fastify");
  const { default: cors } = await import("@fastify/cors");
  const { default: cookie } = await import("@fastify/cookie");
  const { toNodeHandler } = await toNode();
  const app = Fastify();
  await app.register(cors, { origin: pageOrigin });
  await app.register(cookie);
  app.addHook("preHandler", async (_, reply) => void reply.setCookie("visit", "1"));
  app.all("/api/chat", toNodeHandler(route.fetch));
  return { origin: await app.listen({ port: 0, host }), close: () => app.close() };
});

const koa = inProcess("Koa", async (route) => {
  const { default: Koa } = await import("koa");
  const { default: cors } = await import("@koa/cors");
  const { bodyParser } = await import("@koa/bodyparser");
  const { toNodeHandler } = await toNode();
  const chat = toNodeHandler(route.fetch);
  const app = new Koa();
  app.use(cors({ origin: pageOrigin }));
  app.use(bodyParser());
  app.use(async (ctx, next) => {
    ctx.cookies.set("visit", "1");
    await next();
  });
  app.use((ctx) => {
    ctx.respond = false;
    return chat(Object.assign(ctx.req, { body: ctx.request.body }), ctx.res);
  });
  return listen(createServer(app.callback()));
});

/** A controller whose handler sends the response itself. */
async function createNestModule(route: ChatRoute) {
  await import("reflect-metadata");
  const { All, Controller, Module, Req, Res } = await import("@nestjs/common");
  const { toNodeHandler } = await toNode();
  const chat = toNodeHandler(route.fetch);

  @Controller()
  class ChatController {
    @All("api/chat") answer(@Req() req: never, @Res() res: never) {
      return chat(req, res);
    }
  }
  @Module({ controllers: [ChatController] })
  class ChatModule {}
  return ChatModule;
}

const nestOnExpress = inProcess("NestJS on Express", async (route) => {
  const { NestFactory } = await import("@nestjs/core");
  const app = await NestFactory.create(await createNestModule(route), { logger: false });
  app.enableCors({ origin: pageOrigin });
  app.use((_: unknown, res: { cookie(name: string, value: string): void }, next: () => void) => {
    res.cookie("visit", "1");
    next();
  });
  await app.listen(0, host);
  return { origin: await app.getUrl(), close: () => app.close() };
});

const nestOnFastify = inProcess("NestJS on Fastify", async (route) => {
  const { NestFactory } = await import("@nestjs/core");
  const { FastifyAdapter } = await import("@nestjs/platform-fastify");
  const { default: cookie } = await import("@fastify/cookie");
  const adapter = new FastifyAdapter();
  const app = await NestFactory.create(await createNestModule(route), adapter, { logger: false });
  app.enableCors({ origin: pageOrigin });
  await adapter.register(cookie as never);
  adapter
    .getInstance()
    .addHook(
      "preHandler",
      async (_, reply) => void (reply as unknown as CookieReply).setCookie("visit", "1"),
    );
  await app.listen(0, host);
  return { origin: await app.getUrl(), close: () => app.close() };
});

interface CookieReply {
  setCookie(name: string, value: string): void;
}

/** On Node; the recipe is the same on Bun, Deno and Workers. */
async function startHono(route: ChatRoute, isReadBefore: boolean): Promise<RunningTarget> {
  const { Hono } = await import("hono");
  const { cors } = await import("hono/cors");
  const { setCookie } = await import("hono/cookie");
  const { cloneRawRequest } = await import("hono/request");
  const { getRequestListener } = await import("@hono/node-server");
  const app = new Hono();
  app.use(cors({ origin: pageOrigin }));
  app.use(async (c, next) => {
    setCookie(c, "visit", "1");
    if (isReadBefore && c.req.method === "POST") await c.req.json();
    await next();
  });
  if (isReadBefore) app.all("/api/chat", async (c) => route.fetch(await cloneRawRequest(c.req)));
  else app.all("/api/chat", (c) => route.fetch(c.req.raw));
  return listen(createServer(getRequestListener(app.fetch)));
}

const h3 = inProcess("h3 2", async (route) => {
  const { H3, handleCors, setCookie, toNodeHandler } = await import("h3");
  const app = new H3();
  app.use((event) => {
    setCookie(event, "visit", "1");
    const preflight = handleCors(event, { origin: [pageOrigin] });
    if (preflight !== false) return preflight;
  });
  app.all("/api/chat", (event) => route.fetch(event.req));
  return listen(createServer(toNodeHandler(app) as never));
});

/**
 * h3 of Nitro 2. Its own conversion to `Request` and from `Response` does not notice that the client has disconnected.
 */
async function startH3One(route: ChatRoute, isReadBefore: boolean): Promise<RunningTarget> {
  const { createApp, defineEventHandler, eventHandler, handleCors, readBody, setCookie, toNodeListener } =
    await import("h3-1");
  const { toNodeHandler } = await toNode();
  const chat = toNodeHandler(route.fetch);
  const app = createApp();
  app.use(
    eventHandler(async (event) => {
      setCookie(event, "visit", "1");
      handleCors(event, { origin: [pageOrigin] });
      if (isReadBefore && event.method === "POST") event.context.body = await readBody(event);
    }),
  );
  const answer = defineEventHandler((event) => chat(event.node.req, event.node.res));
  const answerAfterReading = defineEventHandler((event) => {
    const { body } = event.context;
    return chat(Object.assign(event.node.req, { body }), event.node.res);
  });
  app.use("/api/chat", isReadBefore ? answerAfterReading : answer);
  return listen(createServer(toNodeListener(app)));
}

const reactRouter = inProcess(
  "React Router 8 (Remix)",
  async (route) => {
    const { createCookie, createRequestHandler } = await import("react-router");
    const { toNodeHandler } = await toNode();
    const cookie = createCookie("visit");
    const module = {
      action: ({ request }: { request: Request }) => route.fetch(request),
      loader: ({ request }: { request: Request }) => route.fetch(request),
    };
    const root = {
      middleware: [
        async (_: unknown, next: () => Promise<Response>) => {
          const response = await next();
          response.headers.append("set-cookie", await cookie.serialize("1"));
          response.headers.set("access-control-allow-origin", pageOrigin);
          return response;
        },
      ],
      default: () => null,
    };
    const build = {
      entry: { module: { default: () => new Response() } },
      routes: {
        root: { id: "root", path: "", module: root },
        chat: { id: "chat", parentId: "root", path: "api/chat", module },
      },
      assets: { entry: { imports: [], module: "" }, routes: {}, url: "", version: "" },
      basename: "/",
      publicPath: "/",
      assetsBuildDirectory: "",
      future: {},
      ssr: true,
      isSpaMode: false,
      prerender: [],
      routeDiscovery: { mode: "initial", manifestPath: "" },
    };
    return listen(createServer(toNodeHandler(createRequestHandler(build as never, "production"))));
  },
  {
    redirectStatus: 302,
    async onAuthorize(request) {
      const { redirect } = await import("react-router");
      if (request.headers.has("x-redirect")) throw redirect("/login");
    },
  },
);

export const nodeTargets: Target[] = [
  plainNode,
  plainHttp2,
  inProcess("Express 5", (route) => startExpress("express", route)),
  inProcess("Express 4", (route) => startExpress("express4", route)),
  fastify,
  koa,
  nestOnExpress,
  nestOnFastify,
  inProcess("Hono", (route) => startHono(route, false)),
  inProcess("Hono after `c.req.json()`", (route) => startHono(route, true)),
  h3,
  inProcess("h3 1 (Nitro 2, Nuxt 4)", (route) => startH3One(route, false)),
  inProcess("h3 1 after `readBody(event)`", (route) => startH3One(route, true)),
  reactRouter,
];
