import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Server } from "node:net";
import zlib from "node:zlib";
import { expect, onTestFinished, test } from "vitest";
import { askRoute, browserEncodings, type RouteRequest } from "../../src/doctor/ask-route.ts";

async function listen(server: Server): Promise<URL> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
}

const ask = async (listener: RequestListener, over: Partial<RouteRequest> = {}) =>
  askRoute({
    url: await listen(createServer(listener)),
    method: "GET",
    headers: {},
    timeoutMs: 30_000,
    ...over,
  });

const compressors: Record<string, () => zlib.Gzip | zlib.BrotliCompress> = {
  gzip: zlib.createGzip,
  deflate: zlib.createDeflate,
  br: zlib.createBrotliCompress,
  zstd: zlib.createZstdCompress,
};

test("each encoding that the doctor accepts can be sent by these tests", () => {
  expect(browserEncodings.split(", ")).toEqual(Object.keys(compressors));
});

test.each(Object.keys(compressors))(
  "a body in %s is recorded piece by piece, also one that is cut off",
  async (encoding) => {
    const seen: (string | undefined)[] = [];
    const next = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const recording = await ask(
      async (_, res) => {
        res.writeHead(200, { "content-type": "text/event-stream", "content-encoding": encoding });
        const compressor = compressors[encoding]!();
        compressor.pipe(res);
        for (const [index, step] of next.entries()) {
          compressor.write(`data: ${index}\n\n`);
          compressor.flush();
          // The doctor has recorded the first event before the second one is sent.
          await step.promise;
        }
        res.destroy();
      },
      {
        isEnough: ({ blocks }) => {
          seen.push(blocks.at(-1)?.type);
          next[blocks.length - 1]?.resolve();
          return false;
        },
      },
    );
    expect(recording.blocks.map(({ type }) => type)).toEqual(["0", "1"]);
    expect(recording).toMatchObject({ end: "broken", problem: "ECONNRESET" });
  },
);

test("a body that ends is whole, and one that is left is not broken", async () => {
  const headers = { "content-type": "text/event-stream" };
  const whole = await ask((_, res) => res.writeHead(200, headers).end("data: 1\n\n"));
  expect(whole).toMatchObject({ end: "whole", httpVersion: "1.1", status: 200, problem: undefined });
  const endless: RequestListener = (_, res) => void res.writeHead(200, headers).write("data: 1\n\n");
  const enough = await ask(endless, { isEnough: ({ blocks }) => blocks.length > 0 });
  expect(enough).toMatchObject({ end: "left", problem: undefined });
  const late = await ask(endless, { timeoutMs: 300 });
  expect(late).toMatchObject({ end: "left", problem: undefined });
  expect(late.endMs).toBeGreaterThan(290);
});

test("without headers in time, the error names the time", async () => {
  await expect(ask(() => {}, { timeoutMs: 300 })).rejects.toThrow("no response within 0.3 s");
});

test("the request has its method, its headers and its body, and keeps its connection, as that of a browser", async () => {
  let received: object = {};
  await ask(
    async (req, res) => {
      const { method, headers } = req;
      const body = Buffer.concat(await req.toArray()).toString();
      received = { method, body, cookie: headers.cookie, connection: headers.connection };
      res.end();
    },
    { method: "POST", headers: { cookie: "a=1" }, body: "{}" },
  );
  expect(received).toEqual({ method: "POST", body: "{}", cookie: "a=1", connection: "keep-alive" });
});

test("a port that does not begin TLS is given up in time", async () => {
  const server = createTcpServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const url = new URL(`https://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  await expect(askRoute({ url, method: "GET", headers: {}, timeoutMs: 50 })).rejects.toMatchObject({
    code: "ETIMEDOUT",
    message: "no connection within 0.05 s",
  });
});
