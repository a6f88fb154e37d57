/**
 * A web-standard response, or the head of a stream, on a response of `node:http`, `node:http2` or Fastify, together with
 * what the application has set or sent before. Never throws, never rejects.
 */
import { parseMediaType } from "@kortyx/protocol/internal";
import { joinHeaderLists } from "../route/header-list.ts";
import { isUsedBodyError, usedBodyCode, usedBodyText } from "../route/used-body.ts";
import { registerResponse } from "../shutdown/stream-registry.ts";
import { bindContext } from "../stream/async-context.ts";
import { errorResponse } from "../stream/error-response.ts";
import { maskError } from "../stream/mask-error.ts";
import { onNextTurn } from "../stream/next-turn.ts";
import { maxTurnMs } from "../stream/stream-options.ts";
import { defaultHeaders } from "../stream/to-sse.ts";
import { type FastifyReplyLike, type FastifyRequestLike, isFastifyReply, replyOf } from "./fastify.ts";
import type { NodeRequest } from "./request.ts";

/** Headers as Node takes them. */
export type NodeHeaders = Record<string, string | string[]>;
/** Headers as applications set them. */
type PresentHeaders = Record<string, number | string | string[] | undefined>;

/** What is used of a response of `node:http` or `node:http2`; the `compression` middleware adds `flush`. */
export interface NodeResponse {
  statusCode: number;
  readonly headersSent: boolean;
  getHeaders(): PresentHeaders;
  removeHeader(name: string): unknown;
  writeHead(status: number, headers: NodeHeaders): unknown;
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

/** A request and its response. */
export interface Exchange {
  readonly req: NodeRequest;
  readonly res: NodeResponse;
  /** In Fastify, which has a part of what the application has set. */
  readonly reply: FastifyReplyLike | undefined;
  /** Fastify sends the response, by its hooks: the reply was handed over and is not hijacked. */
  readonly isSentByReply: boolean;
}

export function toExchange(
  request: NodeRequest | FastifyRequestLike,
  response: NodeResponse | FastifyReplyLike,
): Exchange {
  if (!isFastifyReply(response)) {
    return { req: request as NodeRequest, res: response, reply: replyOf(response), isSentByReply: false };
  }
  const { raw: res, request: own, sent } = response;
  return { req: own.raw, res, reply: response, isSentByReply: !sent };
}

/** `INTERNAL_ERROR`: RFC 9113, section 7. */
const http2InternalError = 2;

/** Not allowed in HTTP/2: RFC 9113, section 8.2.2. */
const connectionHeaders = ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"];

/** Lists of names, to which a response adds. */
const listHeaders = ["vary", "access-control-expose-headers"];

/** Whether no client waits for this any more. Of a response over HTTP/2, only its stream tells. */
export function isGone(res: NodeResponse): boolean {
  return res.destroyed === true || res.stream?.destroyed === true;
}

/** Whether the application has ended the response itself. Says so in the log. */
export function hasEnded(res: NodeResponse): boolean {
  if (res.writableEnded)
    console.error("A response had ended before it was given its body; nothing was sent.");
  return res.writableEnded;
}

/** Ends a response so that its reader sees that it is incomplete. */
export function breakOff(res: NodeResponse): void {
  // Over HTTP/2, `destroy()` resets the stream with NO_ERROR, which reads like an end in order.
  if (res.stream === undefined) res.destroy();
  else res.stream.close(http2InternalError);
}

/**
 * Sends the headers in the next turn of the event loop, unless what is written first has taken them along: a packet less
 * for a stream that begins at once.
 */
export function flushHeadersSoon(res: NodeResponse): { isDone: boolean } {
  const flush = { isDone: false };
  onNextTurn(() => {
    if (!flush.isDone && !res.writableEnded && !isGone(res)) res.flushHeaders?.();
  });
  return flush;
}

/** The response to a failure, which the log gets. */
export function failureResponse(error: unknown): Response {
  if (isUsedBodyError(error)) {
    console.error(`${error.message} The answer was a 500 (${usedBodyCode}).`);
    return errorResponse({ status: 500, error: usedBodyText, code: usedBodyCode });
  }
  const { message, code = "internal", correlationId } = maskError(error);
  return errorResponse({ status: 500, error: message, code, correlationId });
}

/** @returns Resolves when the response has ended or its socket has closed. */
export async function sendResponse(exchange: Exchange, response: Response): Promise<void> {
  const { res } = exchange;
  if (hasEnded(res) || isGone(res)) {
    discard(response);
    return;
  }
  const closed = new Promise<void>((resolve) => res.on("close", resolve));
  try {
    await send(exchange, response);
  } catch (error) {
    discard(response);
    const failure = failureResponse(error);
    try {
      await send(exchange, failure);
    } catch {
      breakOff(res);
    }
  }
  return closed;
}

/** What a handler returned may be anything. */
function discard(response: Partial<Response> | undefined): void {
  response?.body?.cancel?.().catch(() => {});
}

/** @throws what is wrong with a response that has not begun; nothing is sent then. */
async function send(exchange: Exchange, response: Response): Promise<void> {
  if (typeof response?.status !== "number") {
    throw new TypeError(
      `A handler must return a Response; got ${response === null ? "null" : typeof response}.`,
    );
  }
  const { status } = response;
  const headers = toFields(response.headers);
  const isWithoutBody = response.body === null || exchange.req.method === "HEAD";
  if (isWithoutBody) discard(response);
  const body = isWithoutBody ? undefined : response.body!;
  if (exchange.isSentByReply) return replyWith(exchange, status, headers, body);
  // Before the head is written: a body that is locked, or is no web stream, throws.
  const reader = body?.getReader();
  writeHead(exchange, status, headers);
  if (reader === undefined) exchange.res.end();
  else await pipe(reader, exchange.res);
}

/** Writes a body at the pace of the client. */
async function pipe(reader: ReadableStreamDefaultReader<Uint8Array>, res: NodeResponse): Promise<void> {
  let resume: () => void = () => {};
  let isClosed = false;
  const cancel = bindContext(() => void reader.cancel().catch(() => {}));
  res.on("close", () => {
    isClosed = true;
    // Does nothing to a body that was read to its end.
    cancel();
    resume();
  });
  res.on("error", cancel);
  res.on("drain", () => resume());
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
    // The body broke off, and its reader must see that.
    breakOff(res);
  }
}

/** Hands the response to Fastify, whose hooks may add to it. */
function replyWith(
  exchange: Exchange,
  status: number,
  headers: NodeHeaders,
  body: ReadableStream | undefined,
): void {
  const reply = exchange.reply!;
  const fields = toHead(exchange, headers);
  register(exchange.res, fields);
  // A reply adds to the cookies that it has, and these are with ours already.
  if ("set-cookie" in fields) reply.removeHeader("set-cookie");
  forgetLength(exchange);
  for (const [name, value] of Object.entries(fields)) reply.header(name, value);
  reply.code(status);
  reply.send(body);
}

/** @throws what Node has against a header or the status. */
export function writeHead(exchange: Exchange, status: number, headers: NodeHeaders): void {
  const { res, reply } = exchange;
  const fields = toHead(exchange, headers);
  if (res.headersSent) {
    reportUnsent(res, status, fields);
    return;
  }
  register(res, fields);
  forgetLength(exchange);
  const present =
    reply === undefined ? undefined : (withoutConnection(exchange, reply.getHeaders()) as NodeHeaders);
  res.writeHead(status, { ...present, ...fields });
}

/** What `drain` waits for. */
function register(res: NodeResponse, headers: NodeHeaders): void {
  if (parseMediaType(String(headers["content-type"])) !== "text/event-stream") return;
  const unregister = registerResponse(res);
  res.on("close", unregister);
  res.on("finish", unregister);
}

/**
 * The headers of a response, beside those that the application has set before: it loses none of its own.
 *
 * @throws TypeError for a value that no header can have. HTTP/2 would send it, and Fastify find out in the middle.
 */
function toHead(exchange: Exchange, headers: NodeHeaders): NodeHeaders {
  const present = (exchange.reply ?? exchange.res).getHeaders();
  const fields = withoutConnection(exchange, headers) as NodeHeaders;
  for (const [name, own] of Object.entries(fields)) {
    if (/[^\t\x20-\x7e\x80-\xff]/.test(String(own))) throw new TypeError(`The header ${name} is malformed.`);
    const set = present[name];
    if (set === undefined) continue;
    if (name === "set-cookie") fields[name] = [...new Set([set, own].flat().map(String))];
    else if (listHeaders.includes(name)) fields[name] = joinHeaderLists(String(set), String(own));
    else if (name !== "content-type" && own === defaultHeaders[name as keyof typeof defaultHeaders]) {
      // Only a default of ours, such as `cache-control` or `connection`.
      delete fields[name];
    }
  }
  return fields;
}

/** A length that was set before is that of another body: what is longer, or ends sooner, is no answer to any client. */
function forgetLength({ res, reply }: Exchange): void {
  for (const head of [res, reply]) head?.removeHeader("content-length");
}

function withoutConnection({ req }: Exchange, headers: PresentHeaders): PresentHeaders {
  const fields = { ...headers };
  if (req.httpVersionMajor >= 2) for (const name of connectionHeaders) delete fields[name];
  return fields;
}

let hasReportedUnsent = false;

/** The application has sent the headers already, and must be told once what they lack. */
function reportUnsent(res: NodeResponse, status: number, headers: NodeHeaders): void {
  if (hasReportedUnsent) return;
  const sent = res.getHeaders();
  const lacking = Object.entries(headers)
    .filter(([name, value]) => name !== "connection" && String(sent[name]) !== String(value))
    .map(([name, value]) => `${name}: ${name === "set-cookie" ? "…" : value}`);
  if (res.statusCode !== status) lacking.unshift(`status ${status}`);
  if (lacking.length === 0) return;
  hasReportedUnsent = true;
  console.error(
    `The headers of a response were sent before its body was given, and lack: ${lacking.join(", ")}. ` +
      "Set them before res.flushHeaders(), or leave sending them to sendStream or toNodeHandler.",
  );
}

export function toFields(headers: Headers): NodeHeaders {
  const fields: NodeHeaders = Object.fromEntries(headers);
  const cookies = headers.getSetCookie();
  if (cookies.length > 0) fields["set-cookie"] = cookies;
  return fields;
}
