import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { afterEach, expect, test } from "vitest";
import { toSSE } from "../../src/index.ts";
import { sendStream, toNodeHandler } from "../../src/node.ts";
import { streamRegistry } from "../../src/shutdown/stream-registry.ts";

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** The first bytes of the response, from one read of the socket. */
async function firstBytes(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  closers.push(() => {
    socket.destroy();
    server.close();
  });
  socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const [bytes] = (await once(socket, "data")) as [Buffer];
  return bytes.toString();
}

async function* answer() {
  yield { type: "text-delta", delta: "a" } as const;
  await new Promise(() => {});
}

test.each<[string, RequestListener]>([
  ["sendStream", (req, res) => void sendStream(req, res, answer())],
  ["toNodeHandler", (req, res) => void toNodeHandler(() => toSSE(answer()))(req, res)],
])(
  "%s: sends the headers and the first chunk of a stream that begins at once in one packet",
  async (_, listener) => {
    const bytes = await firstBytes(listener);
    expect(bytes).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(bytes).toContain('data: {"type":"text-delta","delta":"a"}\n\n');
  },
);

test("toNodeHandler: sends the headers alone while the body is still silent", async () => {
  const silent = () => new Response(new ReadableStream(), { headers: { "content-type": "text/plain" } });
  const bytes = await firstBytes((req, res) => void toNodeHandler(silent)(req, res));
  expect(bytes).toMatch(/^HTTP\/1\.1 200 OK\r\n.*content-type: text\/plain.*\r\n\r\n$/s);
});

test("draining also waits for a stream that declares its charset", async () => {
  const headers = { "content-type": "text/event-stream; charset=utf-8" };
  const earlier = new Set(streamRegistry().responses);
  await firstBytes((req, res) => void sendStream(req, res, answer(), { headers }));
  await firstBytes((req, res) => void toNodeHandler(() => toSSE(answer(), { headers }))(req, res));
  expect([...streamRegistry().responses].filter((response) => !earlier.has(response))).toHaveLength(2);
});
