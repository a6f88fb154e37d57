/**
 * The bridge to `node:http` and `node:http2`, and so to Express, Koa, NestJS and Fastify: a stream written directly to
 * a response, and a web-standard handler in a Node server. Only this file and the folder `node` know Node's servers.
 */
import type { ChatTypes } from "@kortyx/protocol";
import { checkObjectOption, checkOption } from "@kortyx/protocol/internal";
import { type Exchange, hasEnded, isGone, type NodeResponse, toExchange } from "./node/exchange.ts";
import type { FastifyReplyLike, FastifyRequestLike } from "./node/fastify.ts";
import { type NodeRequest, toRequest } from "./node/request.ts";
import { failureResponse, sendResponse } from "./node/response.ts";
import { toFields, writeHead } from "./node/response-head.ts";
import { ResponseWriter, whenClosed } from "./node/response-writer.ts";
import { retainRequest } from "./route/retain-request.ts";
import { refuseWhileDraining } from "./shutdown/stream-registry.ts";
import { bindContext } from "./stream/async-context.ts";
import { errorResponse } from "./stream/error-response.ts";
import { createEventStreamHead } from "./stream/event-stream-headers.ts";
import { closeSource, type StreamSource } from "./stream/source.ts";
import { readStreamTimes, type StreamOptions } from "./stream/stream-options.ts";
import { createStreamPump, type StreamPump } from "./stream/stream-pump.ts";
import { toThrownResponse } from "./stream/thrown-response.ts";
import { checkResponseNames, type StreamResponseOptions, toSSE } from "./stream/to-sse.ts";

export type { FastifyReplyLike, FastifyRequestLike, NodeRequest, NodeResponse };

/**
 * Writes a source of chunks to a Node response, with the headers, pace and guarantees of `toSSE` but no web stream in
 * between. Headers are sent with the first piece, or alone in the next turn of the event loop. HEAD returns only the
 * headers, without opening the source.
 *
 * Headers already set on the response are kept, except that `content-type` and those in `options.headers` are replaced
 * and `content-length` is removed; cookies, `vary` and `access-control-expose-headers` are merged. If headers were
 * already sent, the stream continues that response, and missing headers are logged once. An invalid header, status or
 * option is a masked 500. With Fastify's own `request` and `reply`, the stream is sent by `reply.send()`, so that hooks
 * and plugins apply to it.
 *
 * @returns A promise that resolves when the response has ended or its socket has closed. Never rejects.
 * @throws TypeError, synchronously, only for arguments that are not a request and a response.
 *
 * @example
 * ```ts
 * import { createServer } from "node:http";
 * const server = createServer((req, res) => {
 *   void sendStream(req, res, ({ signal }) => agent.streamChat(messages, { signal }));
 * });
 * ```
 */
export function sendStream<Types extends ChatTypes = ChatTypes>(
  req: NodeRequest | FastifyRequestLike,
  res: NodeResponse | FastifyReplyLike,
  source: StreamSource<Types>,
  options?: StreamResponseOptions<Types>,
): Promise<void>;
export function sendStream(
  req: NodeRequest | FastifyRequestLike,
  res: NodeResponse | FastifyReplyLike,
  source: StreamSource,
  options: StreamResponseOptions = {},
): Promise<void> {
  checkNodeTargets(req, res);
  const exchange = toExchange(req, res);
  const { status, headers, ...streamOptions } = options;
  try {
    const refusal = refuseWhileDraining(source);
    if (refusal !== undefined) return sendResponse(exchange, errorResponse(refusal));
    checkResponseNames("sendStream", options);
    readStreamTimes(streamOptions);
    if (hasEnded(exchange.res) || isGone(exchange.res)) {
      closeSource(source);
      return Promise.resolve();
    }
    const head = createEventStreamHead({ status, headers });
    if (exchange.req.method === "HEAD") {
      closeSource(source);
      return sendResponse(exchange, new Response(null, head));
    }
    if (exchange.isSentByReply) return sendResponse(exchange, toSSE(source, options));
    writeHead(exchange, head.status, toFields(head.headers));
  } catch (error) {
    closeSource(source);
    return sendResponse(exchange, failureResponse(error));
  }
  return writeStream(exchange, source, streamOptions);
}

function checkNodeTargets(req: object, res: object): void {
  checkObjectOption("req", req, "a request of Node or Fastify");
  const isResponse = typeof res === "object" && res !== null && ("writeHead" in res || "raw" in res);
  checkOption(
    "res",
    isResponse,
    "a response of Node or a reply of Fastify: sendStream(req, res, source)",
    res,
  );
}

function writeStream({ res }: Exchange, source: StreamSource, options: StreamOptions): Promise<void> {
  let pump: StreamPump | undefined;
  const writer = new ResponseWriter(res, {
    onDrain: () => pump?.pull(),
    onClose: () => pump?.cancel(),
  });
  // After the writer: the source of a client that has left is released when the caller continues.
  const closed = whenClosed(res);
  pump = createStreamPump(source, options, {
    write(text) {
      if (writer.write(text)) pump?.pull();
      return Buffer.byteLength(text);
    },
    close(ending) {
      if (ending === "cut") writer.breakOff();
      else writer.end();
    },
  });
  pump.pull();
  return closed;
}

/**
 * Adapts a web-standard handler to a Node server: `createServer(toNodeHandler(route.fetch))`. The result is also a
 * route handler for Express, Fastify (`app.all("/api/chat", toNodeHandler(route.fetch))`) and a Next.js API route.
 *
 * A body that a parser has already read is restored from `req.body`; the parser's size limit applies. Headers already
 * set on the response are kept, unless the handler's response replaces them; cookies, `vary` and
 * `access-control-expose-headers` are merged.
 *
 * The request's signal is aborted when the client leaves. Each piece of the response's body is flushed, so that the
 * `compression` middleware does not hold it back. A `Response` that the handler throws is the response. If it throws
 * anything else, the response is a 500, and the error is logged.
 *
 * @returns A listener that returns a promise, which resolves when the response has ended or its socket has closed.
 * Never throws or rejects.
 * @throws TypeError for a handler that is not a function, such as a whole route.
 *
 * @example
 * ```ts
 * import { createServer } from "node:http";
 * const server = createServer(toNodeHandler(route.fetch));
 * ```
 */
export function toNodeHandler(
  handler: (request: Request) => Response | Promise<Response>,
): (req: NodeRequest | FastifyRequestLike, res: NodeResponse | FastifyReplyLike) => Promise<void> {
  checkOption("The handler", typeof handler === "function", "a function, such as route.fetch", handler);
  return async (req, res) => {
    const exchange = toExchange(req, res);
    const left = new AbortController();
    abortWhenGone(exchange.res, left);
    const parsedBody = () => (exchange.reply?.request ?? exchange.req).body;
    const request = toRequest(exchange.req, parsedBody, left.signal);
    if (request === undefined) {
      const error = "The request's method, path or host cannot be served.";
      return sendResponse(exchange, errorResponse({ status: 400, error, code: "bad-request" }));
    }
    retainRequest(exchange.res, request);
    let response: Response;
    try {
      response = await handler(request);
    } catch (error) {
      // Reading the body of a client that has left is not a failure of the handler.
      if (left.signal.aborted && (error as Error | undefined)?.name === "AbortError") return;
      response = toThrownResponse(error) ?? failureResponse(error);
    }
    return sendResponse(exchange, response);
  };
}

function abortWhenGone(res: NodeResponse, left: AbortController): void {
  const onClose = () => {
    // Over HTTP/2, a response that was cut off counts as finished, but not as ended.
    if (!res.writableEnded || !res.writableFinished) left.abort();
  };
  if (isGone(res)) onClose();
  // Listeners of the request's signal are application code.
  else res.on("close", bindContext(onClose));
}
