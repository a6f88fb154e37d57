/** The doctor and the fronts that hold bytes back: each is real, and so is the route after the fix that it names. */
import { once } from "node:events";
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { constants, createSecureServer, type Http2ServerResponse } from "node:http2";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo, Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import type { ReadableStream as NodeStream } from "node:stream/web";
import { setTimeout as delay } from "node:timers/promises";
import { createServer as createTlsServer } from "node:tls";
import { Worker } from "node:worker_threads";
import { type ChatAgent, type ChatRoute, createChatRoute, createMemoryRunStore } from "@kortyx/server";
import { agUIWire } from "@kortyx/server/ag-ui";
import { aiSDKWire } from "@kortyx/server/ai-sdk";
import { toNodeHandler } from "@kortyx/server/node";
import compression from "compression";
import express from "express";
import { generate } from "selfsigned";
import { afterAll, describe, expect, test } from "vitest";
import { copyProgram, examine, faultsOf, runDoctor } from "./doctor-program.ts";
import { listenOnNode } from "./live-server.ts";
import { hasNginx, startNginx } from "./nginx.ts";

/** 30 words in 3 s, as a model would. */
const agent: ChatAgent = {
  async *streamChat() {
    for (let word = 0; word < 30; word++) {
      await delay(100);
      yield { type: "text-delta", delta: `word ${word} ` };
    }
    yield { type: "done" };
  },
};

/** Closes what the tests have opened. They run at the same time, because they wait more than they work. */
const closers: (() => unknown)[] = [];
afterAll(() => Promise.all(closers.map((close) => close())));

const repository = new URL("../../../", import.meta.url);
const page = readFileSync(new URL("docs/doctor.md", repository), "utf8");

type Listener = (req: IncomingMessage, res: ServerResponse) => unknown;

async function open(listener: Listener): Promise<string> {
  const server = await listenOnNode(listener as Parameters<typeof listenOnNode>[0]);
  closers.push(() => server.close());
  return server.url;
}

const openRoute = (options: Partial<Parameters<typeof createChatRoute>[0]> = {}): Promise<string> =>
  open(toNodeHandler(createChatRoute({ agent, ...options }).fetch));

async function openNginx(upstream: string | string[], directives = ""): Promise<string> {
  const nginx = await startNginx(upstream, directives);
  closers.push(() => nginx.close());
  return nginx.url;
}

/** A proxy that may change the response. */
const openProxy = (
  upstream: string,
  pass: (response: IncomingMessage, res: ServerResponse) => void = (response, res) => {
    res.writeHead(response.statusCode!, response.headers);
    response.pipe(res);
  },
  app: ReturnType<typeof express> = express(),
): Promise<string> => {
  app.use((req, res) => {
    const { method, headers, url } = req;
    const onward = request(upstream + url, { method: method!, headers }, (response) => pass(response, res));
    onward.on("error", () => res.destroy());
    req.pipe(onward);
  });
  return open(app as unknown as Listener);
};

describe.concurrent("a route that is right", () => {
  test("streams at the default settings, also beside two busy loops", async () => {
    const url = await openRoute();
    const loops = [1, 2].map(() => new Worker("for (;;);", { eval: true }));
    const report = await examine([url]).finally(() => loops.map((loop) => loop.terminate()));
    expect(report).toMatchObject({ exitCode: 0, verdict: "streams" });
    expect(report.findings.map(({ id }) => id)).toEqual(["http-1"]);
    expect(report.answers).toEqual([
      expect.objectContaining({ events: 32, heartbeatMs: 8000, end: "whole", contentEncoding: null }),
    ]);
  });

  test("streams with runs, which are resumed by an event id", async () => {
    const url = await openRoute({ runs: { store: createMemoryRunStore() }, authorize: () => "user" });
    const report = await examine([url]);
    expect([report.exitCode, faultsOf(report)]).toEqual([0, []]);
  });

  test("streams over HTTP/2, which six connections do not limit", async () => {
    const { url, env } = await openSecure("h2");
    const report = await examine([url], env);
    expect([report.exitCode, report.findings]).toEqual([0, []]);
    expect(report.answers[0]).toMatchObject({ httpVersion: "2" });
  });

  test("reports the six connections over TLS without HTTP/2", async () => {
    const { url, env } = await openSecure("http/1.1");
    const report = await examine([url], env);
    expect(report.exitCode).toBe(0);
    expect(report.findings).toMatchObject([{ id: "http-1", fixes: ["HTTP/2 at the last hop"] }]);
  });

  test.each([
    [
      "the AI SDK",
      {
        id: "1",
        trigger: "submit-message",
        messages: [{ id: "1", role: "user", parts: [{ type: "text", text: "Hi" }] }],
      },
    ],
    [
      "AG-UI",
      {
        ...{ threadId: "1", runId: "1", state: {}, tools: [], context: [], forwardedProps: {} },
        messages: [{ id: "1", role: "user", content: "Hi" }],
      },
    ],
  ])("streams in the wire of %s, for a body of it", async (_, body) => {
    const url = await openRoute({ wires: [aiSDKWire, agUIWire] });
    const report = await examine([url, "--body", JSON.stringify(body)]);
    expect([report.exitCode, faultsOf(report)]).toEqual([0, []]);
  });

  test("is unclear when its answer is too short to see anything", async () => {
    const url = await openRoute({
      agent: {
        async *streamChat() {
          yield { type: "text-delta", delta: "Hello" };
          yield { type: "done" };
        },
      },
    });
    expect(await examine([url])).toMatchObject({ exitCode: 1, verdict: "unclear" });
  });

  test("has an agent that returns everything at once: a note, for the path streams", async () => {
    const url = await openRoute({
      agent: {
        async *streamChat() {
          await delay(2500);
          for (let word = 0; word < 30; word++) yield { type: "text-delta", delta: `${word}` };
          yield { type: "done" };
        },
      },
    });
    const report = await examine([url]);
    expect([report.exitCode, report.findings.map(({ id }) => id)]).toEqual([0, ["http-1", "one-piece"]]);
  });
});

async function generateCertificate(): Promise<{ key: string; cert: string }> {
  const pems = await generate([{ name: "commonName", value: "127.0.0.1" }], {
    keyType: "ec",
    algorithm: "sha256",
    extensions: [{ name: "subjectAltName", altNames: [{ type: 7, ip: "127.0.0.1" }] }],
  });
  return { key: pems.private, cert: pems.cert };
}

/** @returns the URL, and the environment in which the doctor trusts the certificate. */
async function listenSecurely(server: Server, cert: string) {
  const folder = mkdtempSync(join(tmpdir(), "kortyx-doctor-"));
  closers.push(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "certificate.pem");
  writeFileSync(file, cert);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => void server.close());
  const { port } = server.address() as AddressInfo;
  return { url: `https://127.0.0.1:${port}/`, env: { NODE_EXTRA_CA_CERTS: file } };
}

/** The route over TLS. */
async function openSecure(
  protocol: "h2" | "http/1.1",
  handler = toNodeHandler(createChatRoute({ agent }).fetch),
) {
  const pems = await generateCertificate();
  const server = protocol === "h2" ? createSecureServer(pems, handler) : createHttpsServer(pems, handler);
  return listenSecurely(server, pems.cert);
}

describe.concurrent("compression", () => {
  /** A body that is piped by hand: nothing flushes the middleware. */
  const pipeByHand =
    (route: ChatRoute): Listener =>
    async (req, res) => {
      const headers = { "content-type": "application/json" };
      const body = Readable.toWeb(req) as ReadableStream;
      const response = await route.fetch(
        new Request("http://host/", { method: "POST", headers, body, duplex: "half" } as RequestInit),
      );
      res.writeHead(response.status, Object.fromEntries(response.headers));
      Readable.fromWeb(response.body as NodeStream).pipe(res);
    };

  test("by the middleware of Express holds a body back that is piped by hand", async () => {
    const handle = pipeByHand(createChatRoute({ agent }));
    const app = express().use(compression());
    app.use((req, res) => void handle(req, res));
    const report = await examine([await open(app as unknown as Listener)]);
    expect([report.exitCode, faultsOf(report)]).toEqual([1, ["held-back-by-compression"]]);
    const [finding] = report.findings;
    expect(finding!.culprit).toContain("(br): without it, the same answer arrived in time. Likely Express");
    expect(finding!.fixes[1]).toContain("Express: if it serves the route, mount it by `toNodeHandler`");
    expect(report.answers.map(({ contentEncoding }) => contentEncoding)).toEqual(["br", null]);
  });

  test("by the middleware of Express is flushed by toNodeHandler, as the doctor recommends", async () => {
    const app = express().use(compression());
    app.use(toNodeHandler(createChatRoute({ agent }).fetch));
    const report = await examine([await open(app as unknown as Listener)]);
    expect([report.exitCode, faultsOf(report)]).toEqual([0, []]);
    expect(report.answers[0]).toMatchObject({ contentEncoding: "br" });
  });

  test("by a development proxy is in front of the server, which --direct shows; no-transform ends it", async () => {
    const setUp = async (headers?: Record<string, string>) => {
      const direct = await openRoute({ headers });
      return { direct, url: await openProxy(direct, undefined, express().use(compression())) };
    };
    const held = await setUp();
    const report = await examine([held.url, "--direct", held.direct]);
    expect([report.exitCode, faultsOf(report)]).toEqual([1, ["held-back-by-compression"]]);
    const [finding] = report.findings;
    expect(finding!.culprit).toMatch(
      /^Asked directly, the route streams, .* in front of it\. The compression \(br\)/,
    );
    const [, name, value] = /`headers: \{ "([\w-]+)": "([^"]+)" \}`/.exec(finding!.fixes[0]!)!;
    const fixed = await setUp({ [name!]: value! });
    expect(await examine([fixed.url])).toMatchObject({ exitCode: 0, verdict: "streams" });
  });
});

describe.concurrent("a path that cuts or changes streams", () => {
  test("ends an answer after a fixed time", async () => {
    const url = await openProxy(await openRoute(), (response, res) => {
      res.writeHead(response.statusCode!, response.headers);
      response.pipe(res);
      if (response.statusCode === 200) setTimeout(() => res.destroy(), 1500);
    });
    const report = await examine([url]);
    expect([report.exitCode, faultsOf(report)]).toEqual([1, ["cut-off"]]);
    expect(report.findings[0]!.what).toContain("while bytes were arriving");
  });

  test("resets a stream of HTTP/2", async () => {
    const handle = toNodeHandler(createChatRoute({ agent }).fetch);
    const { url, env } = await openSecure("h2", (req, res) => {
      const { stream } = res as unknown as Http2ServerResponse;
      setTimeout(() => stream.close(constants.NGHTTP2_CANCEL), 1500);
      return handle(req, res);
    });
    const report = await examine([url], env);
    expect([report.exitCode, faultsOf(report)]).toEqual([1, ["cut-off"]]);
    expect(report.findings[0]!.what).toContain("(RST_STREAM 8)");
  });

  test("has a certificate that this machine does not trust", async () => {
    const { url } = await openSecure("h2");
    const report = await examine([url]);
    expect([report.exitCode, faultsOf(report)]).toEqual([1, ["no-response"]]);
    expect(report.findings[0]!.culprit).toBe("This machine does not trust the certificate.");
  });

  test("passes bytes on at intervals: --direct shows that the server sends them one by one", async () => {
    const direct = await openRoute();
    const url = await openProxy(direct, async (response, res) => {
      res.writeHead(response.statusCode!, response.headers);
      let kept = "";
      const timer = setInterval(() => {
        res.write(kept);
        kept = "";
      }, 700);
      for await (const piece of response) kept += piece;
      clearInterval(timer);
      res.end(kept);
    });
    const report = await examine([url, "--direct", direct]);
    expect([report.exitCode, faultsOf(report)]).toEqual([1, ["in-bursts"]]);
    expect(report.findings[0]!.culprit).toMatch(/^Asked directly, the route streams, /);
  });

  test("removes a header: --direct shows that the server sends it", async () => {
    const direct = await openRoute();
    const url = await openProxy(direct, (response, res) => {
      const { "cache-control": _, ...headers } = response.headers;
      res.writeHead(response.statusCode!, headers);
      response.pipe(res);
    });
    const report = await examine([url, "--direct", direct]);
    expect(report.exitCode).toBe(0);
    expect(report.findings[0]).toMatchObject({
      id: "cache-control",
      culprit: "A proxy has changed it: the server sends `cache-control: no-cache`.",
    });
  });

  test("serves the answer from a cache", async () => {
    const url = await openProxy(await openRoute(), (response, res) => {
      res.writeHead(response.statusCode!, { ...response.headers, age: "12" });
      response.pipe(res);
    });
    expect(faultsOf(await examine([url]))).toEqual(["cached"]);
  });

  test("answers with its own page", async () => {
    const url = await open((_, res) => res.setHeader("content-type", "text/html").end("<h1>Log in</h1>"));
    const report = await examine([url]);
    expect([report.exitCode, faultsOf(report)]).toEqual([1, ["not-an-event-stream"]]);
    expect(report.findings[0]!.what).toContain("text/html instead of text/event-stream: <h1>Log in</h1>");
  });

  test("refuses a request without the cookie that --header adds", async () => {
    const url = await openRoute({ authorize: ({ headers }) => headers.get("cookie") && "user" });
    const refused = await examine([url]);
    expect([refused.exitCode, faultsOf(refused)]).toEqual([1, ["refused"]]);
    expect(await examine([url, "--header", "cookie: session=1"])).toMatchObject({ exitCode: 0 });
  });

  test("holds everything back until the end: no byte in time", async () => {
    const url = await openProxy(await openRoute(), (response, res) => {
      if (response.statusCode === 200) res.writeHead(200, response.headers).flushHeaders();
      else response.pipe(res);
    });
    const report = await examine([url, "--timeout", "2"]);
    expect([report.exitCode, faultsOf(report)]).toEqual([1, ["held-back"]]);
    expect(report.findings[0]!.what).toMatch(/^Nothing of the answer arrived in 2\.\d+ s\.$/);
  });

  test("sends a header that HTTP/2 forbids", async () => {
    const pems = await generateCertificate();
    /** SETTINGS; then, for each request, a status of 200 and `connection: close`. */
    const frame = (type: number, flags: number, stream: number, payload: number[] = []) =>
      Buffer.from([0, 0, payload.length, type, flags, 0, 0, 0, stream, ...payload]);
    const literal = (text: string) => [text.length, ...Buffer.from(text)];
    const forbidden = [0x88, 0, ...literal("connection"), ...literal("close")];
    const server = createTlsServer({ ...pems, ALPNProtocols: ["h2"] }, (socket) => {
      socket.on("error", () => {});
      socket.write(Buffer.concat([frame(4, 0, 0), frame(4, 1, 0)]));
      // The preface, and the frames after it.
      socket.on("data", (bytes) => bytes.includes("\0\0\0\x01") && socket.write(frame(1, 5, 1, forbidden)));
    });
    const { url, env } = await listenSecurely(server, pems.cert);
    const report = await examine([url], env);
    expect([report.exitCode, faultsOf(report)]).toEqual([1, ["no-response"]]);
    expect(report.findings[0]).toMatchObject({
      culprit: "Likely a header that HTTP/2 forbids, such as `connection`.",
      fixes: ["`headers: { connection: null }` in the options of the route"],
    });
  });

  test("responds to nothing", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    server.close();
    const report = await examine([`http://127.0.0.1:${port}/`]);
    expect([report.exitCode, faultsOf(report)]).toEqual([1, ["no-response"]]);
    expect(report.findings[0]!.what).toContain("ECONNREFUSED");
    // The other URL is examined all the same.
    const beside = await examine([await openRoute(), "--direct", `http://127.0.0.1:${port}/`]);
    expect([beside.exitCode, faultsOf(beside), beside.answers.length]).toEqual([1, ["no-response"], 1]);
  });
});

describe.skipIf(!hasNginx())("nginx", { concurrent: true }, () => {
  test("streams as it comes, and with gzip for event streams", async () => {
    const upstream = await openRoute();
    const urls = [
      await openNginx(upstream),
      await openNginx(upstream, "gzip on; gzip_types text/event-stream; gzip_min_length 0;"),
    ];
    const reports = await Promise.all(urls.map((url) => examine([url])));
    expect(reports).toMatchObject([
      { exitCode: 0, answers: [{ path: ["nginx"], contentEncoding: null }] },
      { exitCode: 0, answers: [{ contentEncoding: "gzip" }, { contentEncoding: null }] },
    ]);
  });

  test("holds the answer back where it ignores x-accel-buffering; the line that the doctor names ends it", async () => {
    const upstream = await openRoute();
    const directives = "proxy_ignore_headers X-Accel-Buffering;";
    const report = await examine([await openNginx(upstream, directives)]);
    expect([report.exitCode, faultsOf(report)]).toEqual([1, ["held-back"]]);
    const [finding] = report.findings;
    expect(finding).toMatchObject({
      what: expect.stringMatching(
        /^The answer is held back: all 32 events arrived (?:together|within 0\.\d\d s), [23]\.\d\d s later/,
      ),
      culprit: expect.stringMatching(
        /^Likely nginx, by the headers of the response\. A handler that collects /,
      ),
      page: expect.stringContaining("docs/infrastructure.md#proxies"),
    });
    const [, line] = /^nginx: `([^`]+)`/.exec(finding!.fixes[0]!)!;
    const fixed = await examine([await openNginx(upstream, `${directives} ${line}`)]);
    expect(fixed).toMatchObject({ exitCode: 0, verdict: "streams" });
  });

  test("holds back the answer of another server, in its own wire, which streams without nginx", async () => {
    const upstream = await open(async (req, res) => {
      req.resume();
      res.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
      for (let word = 0; word < 30; word++) {
        await delay(100);
        res.write(`data: {"word":${word}}\n\n`);
      }
      res.end();
    });
    expect(await examine([upstream])).toMatchObject({ exitCode: 0, verdict: "streams" });
    const report = await examine([await openNginx(upstream)]);
    expect([report.exitCode, faultsOf(report)]).toEqual([1, ["held-back"]]);
  });

  test("passes a fast answer on by the buffer", async () => {
    const fast: ChatAgent = {
      async *streamChat() {
        for (let word = 0; word < 170; word++) {
          await delay(30);
          yield { type: "text-delta", delta: `word ${word} `.repeat(10) };
        }
        yield { type: "done" };
      },
    };
    const upstream = await openRoute({ agent: fast });
    const report = await examine([await openNginx(upstream, "proxy_ignore_headers X-Accel-Buffering;")]);
    expect([report.exitCode, faultsOf(report)]).toEqual([1, ["held-back"]]);
    expect(await examine([await openNginx(upstream)])).toMatchObject({ exitCode: 0, verdict: "streams" });
  });

  test("holds a compressed answer back too: without compression it is not better", async () => {
    const url = await openNginx(
      await openRoute(),
      "proxy_ignore_headers X-Accel-Buffering; gzip on; gzip_types text/event-stream; gzip_min_length 0;",
    );
    expect(faultsOf(await examine([url]))).toEqual(["held-back"]);
  });

  test("cuts a silent answer; the heartbeat that the doctor names prevents it", async () => {
    const silent: ChatAgent = {
      async *streamChat(_, { signal }) {
        await delay(100);
        yield { type: "text-delta", delta: "Let me think." };
        await delay(6000, undefined, { signal });
        yield { type: "done" };
      },
    };
    const directives = "proxy_read_timeout 3s;";
    const report = await examine([await openNginx(await openRoute({ agent: silent }), directives)]);
    expect([report.exitCode, faultsOf(report)]).toEqual([1, ["cut-in-silence"]]);
    const [finding] = report.findings;
    expect(finding!.culprit).toContain("shorter than the interval of the heartbeats, 8.00 s. Likely nginx");
    const heartbeatMs = Number(/^`heartbeatMs: (\d+)`/.exec(finding!.fixes[0]!)![1]);
    const fixed = await openNginx(await openRoute({ agent: silent, heartbeatMs }), directives);
    expect(await examine([fixed])).toMatchObject({ exitCode: 0, verdict: "streams" });
  });

  test("sends the requests of a run to processes that do not share a store", async () => {
    const openProcess = () => openRoute({ runs: { store: createMemoryRunStore() }, authorize: () => "user" });
    const url = await openNginx([await openProcess(), await openProcess()]);
    const report = await examine([url]);
    expect([report.exitCode, faultsOf(report)]).toEqual([1, ["lost-run"]]);
    expect(report.findings[0]).toMatchObject({
      culprit: "Another process served this request, and has no such run.",
      page: expect.stringContaining("docs/runs.md#several-machines"),
    });
  });

  test("removes last-event-id", async () => {
    const upstream = await openRoute({ runs: { store: createMemoryRunStore() }, authorize: () => "user" });
    const report = await examine([await openNginx(upstream, 'proxy_set_header Last-Event-ID "";')]);
    expect(faultsOf(report)).toEqual(["lost-run"]);
    expect(report.findings[0]!.culprit).toBe("A proxy removes the header `last-event-id`.");
  });
});

describe.concurrent("the command", () => {
  test.skipIf(!hasNginx())("prints the report of docs/doctor.md", async () => {
    const [, documented] = /^```text\n([\s\S]*?)^```$/m.exec(page)!;
    const url = await openNginx(await openRoute(), "proxy_ignore_headers X-Accel-Buffering;");
    const { exitCode, stdout } = await runDoctor([url]);
    expect(exitCode).toBe(1);
    const normalize = (text: string) =>
      text
        .replace(/Asking \S+/, "Asking …")
        .replaceAll(/\d\.\d\d s/g, "0.00 s")
        .replaceAll(/(?<=More: ).*(docs\/[^\s,]+).*/g, "$1");
    expect(normalize(stdout)).toBe(normalize(documented!));
  });

  test.each([
    [{}, "docs/doctor.md#findings, in the repository of @kortyx/server"],
    [
      { repository: { type: "git", url: "git+https://github.com/owner/name.git" } },
      "https://github.com/owner/name/blob/HEAD/docs/doctor.md#findings",
    ],
  ])(
    "names a page that a user of the package finds, with %j in its package.json",
    async (manifest, where) => {
      const copy = copyProgram({ type: "module", ...manifest });
      closers.push(copy.remove);
      const { stdout } = await runDoctor(["http://127.0.0.1:1"], {}, copy.path);
      expect(stdout).toContain(`      More:  ${where}\n`);
    },
  );

  test("ends in silence when the reader of its report has left", async () => {
    const { stderr, exitCode } = await runDoctor([await openRoute()], {}, undefined, (stdout) =>
      stdout.destroy(),
    );
    expect([exitCode, stderr]).toEqual([0, ""]);
  });

  test("prints its usage", async () => {
    const { exitCode, stdout } = await runDoctor(["--help"]);
    expect(exitCode).toBe(0);
    const options = (text: string) => [...new Set(text.match(/(?<![-\w])--[a-z]+/g))].sort();
    expect(options(stdout)).toEqual(options(page));
  });

  test.each([
    [["--message"], "--message"],
    [["ftp://host"], "Expected a URL such as https://your.host/api/chat; got ftp://host."],
    [[], "doctor expects one URL."],
    [["http://host", "--header", "cookie"], "--header expects 'name: value'; got cookie."],
    [["http://host", "--timeout", "0"], "--timeout must be a number of seconds above 0; got 0."],
  ])("refuses %j with the usage", async (args, message) => {
    const { exitCode, stderr } = await runDoctor(args);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(message);
    expect(stderr).toContain("Usage: npx @kortyx/server doctor <url>");
  });
});

test("docs/doctor.md has a row for each finding and note", () => {
  const sources = globSync("packages/server/src/doctor/*.ts", { cwd: repository });
  const code = sources.map((file) => readFileSync(new URL(file, repository), "utf8")).join("");
  const made = Array.from(code.matchAll(/\b(?:fault|note)\(\s*"([\w-]+)"/g), ([, id]) => id!);
  const [, findings] = /^## Findings$([\s\S]*?)^## /m.exec(page)!;
  const rows = Array.from(findings!.matchAll(/^\| `([\w-]+)` \|/gm), ([, id]) => id!);
  expect(rows.sort()).toEqual([...new Set(made)].sort());
});
