/**
 * One request on a connection of its own, over HTTP/2 if the server offers it, as a browser does. Records when the
 * pieces of the response arrive; knows nothing about streams of chunks.
 */
import { request as requestHttp } from "node:http";
import { connect as connectHttp2, type IncomingHttpHeaders } from "node:http2";
import { request as requestHttps } from "node:https";
import { connect, isIP, type Socket } from "node:net";
import { finished, type Readable } from "node:stream";
import { connect as connectTls, type TLSSocket } from "node:tls";
import zlib from "node:zlib";
import { createBlockReader, type Recording } from "./recording.ts";

export interface RouteRequest {
  url: URL;
  method: string;
  headers: Record<string, string>;
  body?: string | undefined;
  /** When to leave, in milliseconds after the request. */
  timeoutMs: number;
  /** Leaves earlier, once what has arrived is enough. */
  isEnough?: ((recording: Recording) => boolean) | undefined;
}

/** A connection and its TLS are open sooner, or not at all, in milliseconds. */
const connectMs = 10_000;

/** Node before 22.15 has no decoder for zstd. */
const hasZstd = typeof zlib.createZstdDecompress === "function";

/** What a browser sends, as far as this Node can decode it. */
export const browserEncodings: string = `gzip, deflate, br${hasZstd ? ", zstd" : ""}`;

/** The head of a response in any version of HTTP, and its body. */
interface Response {
  httpVersion: string;
  status: number;
  headers: IncomingHttpHeaders;
  body: Readable;
  /** Why a body that has ended in order is incomplete after all. */
  brokenBy(): string | undefined;
}

/** @throws the error of a connection that cannot be opened, or that closes without a response. */
export async function askRoute(request: RouteRequest): Promise<Recording> {
  const socket = await openSocket(request);
  try {
    const sentAt = performance.now();
    const elapsed = () => performance.now() - sentAt;
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), request.timeoutMs);
    try {
      const isHttp2 = "alpnProtocol" in socket && socket.alpnProtocol === "h2";
      const opening = isHttp2 ? askHttp2(socket, request) : askHttp1(socket, request);
      const response = await untilAborted(opening, abort.signal, request.timeoutMs);
      return await record(response, request, { elapsed, abort });
    } finally {
      clearTimeout(timer);
    }
  } finally {
    socket.destroy();
  }
}

/** A connection that has got no response yet, and no more time. */
export class NoResponseError extends Error {
  override readonly name = "NoResponseError";
}

function untilAborted<Value>(
  promise: Promise<Value>,
  signal: AbortSignal,
  timeoutMs: number,
): Promise<Value> {
  return new Promise((resolve, reject) => {
    const giveUp = () => reject(new NoResponseError(`no response within ${timeoutMs / 1000} s`));
    signal.addEventListener("abort", giveUp, { once: true });
    promise.then(resolve, reject);
  });
}

function openSocket({ url, timeoutMs }: RouteRequest): Promise<Socket | TLSSocket> {
  const isSecure = url.protocol === "https:";
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const port = Number(url.port || (isSecure ? 443 : 80));
  const servername = isIP(host) ? {} : { servername: host };
  const socket = isSecure
    ? connectTls({ host, port, ...servername, ALPNProtocols: ["h2", "http/1.1"] })
    : connect({ host, port, noDelay: true });
  return new Promise((resolve, reject) => {
    socket.once("error", reject);
    const limitMs = Math.min(connectMs, timeoutMs);
    socket.setTimeout(limitMs, () => {
      const message = `no connection within ${limitMs / 1000} s`;
      socket.destroy(Object.assign(new Error(message), { code: "ETIMEDOUT" }));
    });
    socket.once(isSecure ? "secureConnect" : "connect", () => {
      socket.off("error", reject);
      socket.setTimeout(0);
      // From here on, the request or the body reports a failure of the connection.
      socket.on("error", () => {});
      resolve(socket);
    });
  });
}

function askHttp1(socket: Socket, { url, method, headers, body }: RouteRequest): Promise<Response> {
  return new Promise((resolve, reject) => {
    const open = url.protocol === "https:" ? requestHttps : requestHttp;
    // As a browser; without an agent, Node would send `connection: close`.
    const sent = open(url, {
      method,
      headers: { connection: "keep-alive", ...headers },
      createConnection: () => socket,
    });
    sent.on("error", reject);
    sent.once("response", (response) => {
      const { httpVersion, statusCode = 0 } = response;
      resolve({
        httpVersion,
        status: statusCode,
        headers: response.headers,
        body: response,
        brokenBy: () => undefined,
      });
    });
    sent.end(body);
  });
}

function askHttp2(socket: Socket, { url, method, headers, body }: RouteRequest): Promise<Response> {
  return new Promise((resolve, reject) => {
    const session = connectHttp2(url, { createConnection: () => socket });
    session.on("error", reject);
    const stream = session.request({ ":method": method, ":path": url.pathname + url.search, ...headers });
    stream.on("error", reject);
    stream.once("response", (responseHeaders) => {
      resolve({
        httpVersion: "2",
        status: Number(responseHeaders[":status"]),
        headers: responseHeaders,
        body: stream,
        // A stream that is reset without an error ends like a whole one.
        brokenBy: () => (stream.aborted || stream.rstCode ? `RST_STREAM ${stream.rstCode}` : undefined),
      });
    });
    stream.end(body);
  });
}

interface Clock {
  elapsed(): number;
  abort: AbortController;
}

function record(response: Response, request: RouteRequest, { elapsed, abort }: Clock): Promise<Recording> {
  const { body, httpVersion, status } = response;
  const headers = Object.fromEntries(
    Object.entries(response.headers).map(([name, value]) => [name, String(value)]),
  );
  const headersMs = elapsed();
  const recording: Recording = {
    ...{ httpVersion, status, headers, headersMs },
    ...{ blocks: [], text: "", endMs: headersMs, end: "whole" },
  };
  const read = createBlockReader(recording);
  const decoded = decode(body, headers["content-encoding"]);
  return new Promise((resolve) => {
    let isSettled = false;
    const settle = (end: Recording["end"], problem?: string) => {
      if (isSettled) return;
      isSettled = true;
      recording.end = end;
      recording.problem = problem;
      recording.endMs = elapsed();
      body.destroy();
      resolve(recording);
    };
    const leave = () => settle("left");
    if (abort.signal.aborted) leave();
    abort.signal.addEventListener("abort", leave, { once: true });
    decoded.on("data", (piece: Uint8Array) => {
      read(piece, elapsed());
      if (request.isEnough?.(recording)) abort.abort();
    });
    let problem: string | undefined;
    finished(body, { writable: false }, (error) => {
      problem = (error as NodeJS.ErrnoException | null)?.code ?? error?.message;
      // An error does not reach the decoder by the pipe.
      if (error && decoded !== body) (decoded as zlib.Gunzip).end();
    });
    finished(decoded, { writable: false }, (error) => {
      problem ??= (error as NodeJS.ErrnoException | null)?.code ?? error?.message ?? response.brokenBy();
      settle(problem === undefined ? "whole" : "broken", problem);
    });
  });
}

/** Decompresses a body. Each decoder passes on at once what can be decoded. */
function decode(body: Readable, encoding: string | undefined): Readable {
  if (encoding === "gzip" || encoding === "deflate") return body.pipe(zlib.createUnzip());
  if (encoding === "br") return body.pipe(zlib.createBrotliDecompress());
  if (encoding === "zstd" && hasZstd) return body.pipe(zlib.createZstdDecompress());
  return body;
}
