/**
 * The bridge to `node:http` and `node:http2`, and so to Express and Fastify: a stream written straight to a response,
 * and a web-standard handler behind a Node server. The only file that knows Node.
 */
import type { Readable } from "node:stream";
import { parseMediaType } from "@kortyx/protocol";
import { bindContext } from "./async-context.ts";
import { defaultHeaders, mergeHeaders, type StreamResponseOptions } from "./create-stream-response.ts";
import { errorResponse } from "./error-response.ts";
import { onNextTurn } from "./event-loop-turn.ts";
import { keepRequest } from "./keep-request.ts";
import { describeFailure } from "./stream-failure.ts";
import { readStreamTimes } from "./stream-options.ts";
import { createStreamPump, type StreamPump } from "./stream-pump.ts";
import { refuseWhileDraining, registerResponse } from "./stream-registry.ts";
import { closeSource, type StreamSource } from "./stream-source.ts";

/** What is used of a request of `node:http` or `node:http2`; the `req` of Express, the `request.raw` of Fastify. */
export interface NodeRequest {
  method?: string | undefined;
  url?: string | undefined;
  httpVersionMajor: number;
  headers: Record<string, string | string[] | undefined>;
  socket: object;
}

/** What is used of the response that belongs to it; the `compression` middleware adds `flush`. */
export interface NodeResponse {
  writeHead(status: number, headers: Record<string, string | string[]>): unknown;
  flushHeaders?(): void;
  write(chunk: string | Uint8Array): boolean;
  end(): unknown;
  destroy(): unknown;
  // biome-ignore lint/suspicious/noExplicitAny: as Node's own types have it
  on(event: string, listener: (...values: any[]) => void): unknown;
  readonly destroyed?: boolean;
  readonly writableEnded: boolean;
  readonly writableFinished: boolean;
  /** HTTP/2 only. */
  readonly stream?: { readonly destroyed: boolean; close(code: number): void };
  flush?: () => void;
}

/** After so long, writing a body lets the event loop turn once. */
const maxTurnMs = 10;

/** `INTERNAL_ERROR`: RFC 9113, section 7. */
const http2InternalError = 2;

/** Not allowed in HTTP/2: RFC 9113, section 8.2.2. */
const connectionHeaders = ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"];

/**
 * Writes a source of chunks to a Node response, with the headers, pace and guarantees of `toSSE` and no web stream in
 * between. Headers travel with the first piece, or alone in the next turn of the event loop. HEAD gets the headers
 * alone, and the source is not opened. A time among the options that is not a number of milliseconds is answered with a
 * 500, and logged.
 *
 * @returns Resolves when the response has ended or its socket has closed. Never rejects.
 *
 * @example
 * ```ts
 * app.post("/api/chat", (req, res) => sendStream(req, res, ({ signal }) => agent.streamChat(req.body.messages, { signal })));
 * ```
 */
export function sendStream(
  req: NodeRequest,
  res: NodeResponse,
  source: StreamSource,
  options: StreamResponseOptions = {},
): Promise<void> {
  const refusal = refuseWhileDraining(source);
  if (refusal !== undefined) return sendResponse(req, res, errorResponse(refusal));
  const { status = 200, headers, ...streamOptions } = options;
  try {
    readStreamTimes(streamOptions);
  } catch (error) {
    closeSource(source);
    return sendResponse(req, res, toFailure(error));
  }
  if (req.method === "HEAD" || isGone(res)) {
    closeSource(source);
    return sendResponse(req, res, new Response(null, { status, headers: mergeHeaders(headers) }));
  }
  writeHead(req, res, status, headers === undefined ? defaultHeaders : toFields(mergeHeaders(headers)));
  const flushHeaders = flushHeadersSoon(res);

  return new Promise((resolve) => {
    let pump: StreamPump | undefined;
    res.on("drain", () => pump?.pull());
    res.on("error", () => pump?.cancel());
    res.on("close", () => {
      pump?.cancel();
      resolve();
    });
    pump = createStreamPump(source, streamOptions, {
      write(text) {
        flushHeaders.isDone = true;
        const isReady = res.write(text);
        res.flush?.();
        if (isReady) pump?.pull();
        return Buffer.byteLength(text);
      },
      close(isCut) {
        if (isCut) breakOff(res);
        else res.end();
      },
    });
    pump.pull();
  });
}

/**
 * Puts a web-standard handler behind a Node server: `createServer(toNodeHandler(route.fetch))`.
 *
 * The request's signal is aborted when the client leaves. Each piece of the response's body is flushed, so that the
 * `compression` middleware does not hold it back. A handler that throws is answered with a 500, and the error is
 * logged.
 *
 * @returns A listener, which resolves when the response has ended or its socket has closed. Never rejects.
 */
export function toNodeHandler(
  handler: (request: Request) => Response | Promise<Response>,
): (req: NodeRequest, res: NodeResponse) => Promise<void> {
  return async (req, res) => {
    const left = new AbortController();
    const onClose = () => {
      // Over HTTP/2 a response that was cut off counts as finished, but not as ended.
      if (!res.writableEnded || !res.writableFinished) left.abort();
    };
    if (isGone(res)) onClose();
    // What listens to the request's signal is the application's.
    else res.on("close", bindContext(onClose));
    const request = toRequest(req, left.signal);
    if (request === undefined) {
      const error = "The request's method, path or host is not one that can be served.";
      return sendResponse(req, res, errorResponse({ status: 400, error, code: "bad-request" }));
    }
    keepRequest(res, request);
    let response: Response;
    try {
      response = await handler(request);
    } catch (error) {
      response = toFailure(error);
    }
    await sendResponse(req, res, response);
  };
}

/** What is answered, and logged, in place of a response that cannot be made. */
function toFailure(error: unknown): Response {
  const { message, code = "internal", correlationId } = describeFailure(error, undefined);
  return errorResponse({ status: 500, error: message, code, correlationId });
}

/** @returns `undefined` for what a web-standard request cannot be: a malformed host, the method TRACE. */
function toRequest(req: NodeRequest, signal: AbortSignal): Request | undefined {
  const headers = new Headers();
  for (const [name, value] of Object.entries(req.headers)) {
    // HTTP/2 has the method, the path and the host among the headers, under names that begin with a colon.
    if (value === undefined || name.startsWith(":")) continue;
    for (const one of [value].flat()) headers.append(name, one);
  }
  const host = req.headers[":authority"] ?? req.headers.host ?? "localhost";
  const origin = `${"encrypted" in req.socket ? "https" : "http"}://${host}`;
  const { method = "GET", url: target = "/" } = req;
  try {
    // Not resolved against the origin: the path "//other/x" would name another host.
    const url = target.startsWith("/") ? `${origin}${target}` : new URL(target, origin);
    if (method === "GET" || method === "HEAD") return new Request(url, { method, headers, signal });
    const body = toBody(req as unknown as Readable);
    return new Request(url, { method, headers, signal, body, duplex: "half" } as RequestInit);
  } catch {
    return undefined;
  }
}

/**
 * A request's body. Not by `Readable.toWeb`: cancelled while more is on its way, it ends the process with an exception
 * that nobody can catch (https://github.com/nodejs/node/issues/64529), and it closes the socket before the answer is out.
 */
function toBody(req: Readable): ReadableStream<Uint8Array> {
  let isOver = false;
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        // Somebody else has read it, such as a body parser that was mounted before.
        if (req.readableEnded || req.destroyed) {
          isOver = true;
          controller.close();
          return;
        }
        const end = (settle: () => void) => () => {
          if (isOver) return;
          isOver = true;
          settle();
        };
        req.on("data", (piece: Uint8Array) => {
          if (isOver) return;
          req.pause();
          controller.enqueue(new Uint8Array(piece));
        });
        req.on(
          "end",
          end(() => controller.close()),
        );
        req.on("error", (error) => end(() => controller.error(error))());
        req.on(
          "close",
          end(() => controller.error(new Error("The client left before the body was complete."))),
        );
        req.pause();
      },
      pull: () => void req.resume(),
      cancel() {
        isOver = true;
        // The rest is thrown away, so that the client can read the answer.
        req.resume();
      },
    },
    { highWaterMark: 0 },
  );
}

async function sendResponse(req: NodeRequest, res: NodeResponse, response: Response): Promise<void> {
  const { status, headers, body } = response;
  const reader = body?.getReader();
  const cancel = bindContext(() => void reader?.cancel().catch(() => {}));
  if (isGone(res)) return cancel();

  let resume: () => void = () => {};
  let isClosed = false;
  const closed = new Promise<void>((resolve) => {
    res.on("close", () => {
      isClosed = true;
      // Does nothing to a body that was read to its end.
      cancel();
      resume();
      resolve();
    });
  });
  res.on("error", cancel);
  res.on("drain", () => resume());
  writeHead(req, res, status, toFields(headers));
  if (req.method === "HEAD" || reader === undefined) {
    cancel();
    res.end();
    return closed;
  }
  const flushHeaders = flushHeadersSoon(res);
  try {
    let turnedAt = performance.now();
    for (;;) {
      const { done, value } = await reader.read();
      if (done || isClosed) break;
      // A body that is not ours may never wait, and the system may take all it gives at once.
      if (performance.now() - turnedAt >= maxTurnMs) {
        await new Promise<void>((resolve) => onNextTurn(resolve));
        turnedAt = performance.now();
      }
      flushHeaders.isDone = true;
      const isReady = res.write(value);
      res.flush?.();
      if (!isReady && !isClosed) {
        await new Promise<void>((resolve) => {
          resume = resolve;
        });
      }
    }
    res.end();
  } catch {
    // The body broke off, and whoever reads must see that.
    breakOff(res);
  }
  return closed;
}

/** Whether there is nobody to answer any more. Of a response over HTTP/2 only its stream tells. */
function isGone(res: NodeResponse): boolean {
  return res.destroyed === true || res.stream?.destroyed === true;
}

/** Ends a response so that whoever reads sees that it is incomplete. */
function breakOff(res: NodeResponse): void {
  // Over HTTP/2, `destroy()` resets the stream with NO_ERROR, which reads like an end in order.
  if (res.stream === undefined) res.destroy();
  else res.stream.close(http2InternalError);
}

/**
 * Sends the headers in the next turn of the event loop, unless what is written first has taken them along: a packet less
 * for a stream that begins at once.
 */
function flushHeadersSoon(res: NodeResponse): { isDone: boolean } {
  const flush = { isDone: false };
  onNextTurn(() => {
    if (!flush.isDone && !res.writableEnded && !isGone(res)) res.flushHeaders?.();
  });
  return flush;
}

function writeHead(
  req: NodeRequest,
  res: NodeResponse,
  status: number,
  headers: Record<string, string | string[]>,
): void {
  const isStream = parseMediaType(String(headers["content-type"])) === "text/event-stream";
  const unregister = isStream ? registerResponse(res) : undefined;
  res.on("close", () => unregister?.());
  res.on("finish", () => unregister?.());
  const fields = { ...headers };
  if (req.httpVersionMajor >= 2) for (const name of connectionHeaders) delete fields[name];
  res.writeHead(status, fields);
}

/** Headers as Node takes them. */
function toFields(headers: Headers): Record<string, string | string[]> {
  const fields: Record<string, string | string[]> = Object.fromEntries(headers);
  const cookies = headers.getSetCookie();
  if (cookies.length > 0) fields["set-cookie"] = cookies;
  return fields;
}
