/**
 * Converts a request of `node:http` or `node:http2` to a web-standard one. Its body comes from the socket, or from the
 * result of a body parser. Sends no response.
 */
import type { Readable } from "node:stream";
import { UsedBodyError } from "../route/used-body.ts";
import { onNextTurn } from "../stream/next-turn.ts";

/** The part of a request of `node:http` or `node:http2`, and so of Express's `req`, that is used. */
export interface NodeRequest {
  method?: string | undefined;
  url?: string | undefined;
  httpVersionMajor: number;
  headers: Record<string, string | string[] | undefined>;
  socket: object;
  /** A body parser's result, used if the parser has read the body. */
  body?: unknown;
  /** HTTP/2 only. */
  readonly stream?: { readonly endAfterHeaders?: boolean | undefined };
}

/**
 * @param parsedBody - Returns a body parser's result when called.
 * @returns `undefined` if no web-standard request can represent it: a malformed host, the method TRACE.
 */
export function toRequest(
  req: NodeRequest,
  parsedBody: () => unknown,
  signal: AbortSignal,
): Request | undefined {
  const { method = "GET", url: target = "/" } = req;
  try {
    const headers = new Headers();
    for (const [name, value] of Object.entries(req.headers)) {
      // HTTP/2 puts the method, path and host among the headers, under names that begin with a colon.
      if (value === undefined || name.startsWith(":")) continue;
      for (const one of [value].flat()) headers.append(name, one);
    }
    const host = req.headers[":authority"] ?? req.headers.host ?? "localhost";
    const origin = `${"encrypted" in req.socket ? "https" : "http"}://${host}`;
    // Not resolved against the origin: the path "//other/x" would then name another host.
    const url = target.startsWith("/") ? `${origin}${target}` : new URL(target, origin);
    if (method === "GET" || method === "HEAD") return new Request(url, { method, headers, signal });
    const stream = req as unknown as Readable;
    let body: ReadableStream | null;
    if (isUnread(stream)) {
      body = readBody(stream);
    } else {
      body = declaresBody(req) ? restoreBody(req, parsedBody) : null;
      // They describe the bytes that the parser has read.
      for (const name of ["content-length", "content-encoding", "transfer-encoding"]) headers.delete(name);
    }
    return new Request(url, { method, headers, signal, body, duplex: "half" } as RequestInit);
  } catch {
    return undefined;
  }
}

const isUnread = (stream: Readable): boolean =>
  !stream.readableEnded && !stream.destroyed && !stream.readableDidRead;

function declaresBody({ headers, httpVersionMajor, stream }: NodeRequest): boolean {
  const length = headers["content-length"];
  if (length !== undefined) return length !== "0";
  return httpVersionMajor >= 2
    ? stream?.endAfterHeaders !== true
    : headers["transfer-encoding"] !== undefined;
}

const clientLeft = () => new DOMException("The client left before it had sent the whole body.", "AbortError");

/**
 * The body, from the socket. Does not use `Readable.toWeb`: if cancelled while data is arriving, it crashes the process
 * with an uncatchable exception (https://github.com/nodejs/node/issues/64529), and it closes the socket before the
 * response is sent.
 */
function readBody(req: Readable): ReadableStream<Uint8Array> {
  let isOver = false;
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const end = (settle: () => void) => () => {
          if (isOver) return;
          isOver = true;
          settle();
        };
        // By then the request's signal is aborted, so the response is notified first.
        const lose = end(() => controller.error(clientLeft()));
        req.on("data", (piece: Uint8Array) => {
          if (isOver) return;
          req.pause();
          controller.enqueue(new Uint8Array(piece));
        });
        req.on(
          "end",
          end(() => controller.close()),
        );
        req.on("error", lose);
        req.on("close", lose);
        req.pause();
      },
      pull: () => void req.resume(),
      cancel() {
        isOver = true;
        // The rest is discarded, so that the client can read the response.
        req.resume();
      },
    },
    { highWaterMark: 0 },
  );
}

/**
 * The body, restored from a parser's result. Nothing happens until it is read: for a handler that never reads it, a
 * lost body is not an error.
 */
function restoreBody(req: NodeRequest, parsedBody: () => unknown): ReadableStream<Uint8Array> {
  const stream = req as unknown as Readable;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        if (!stream.readableEnded && !stream.destroyed) await untilParsed(stream);
        const bytes = printBody(parsedBody(), String(req.headers["content-type"] ?? ""));
        if (bytes !== undefined) {
          if (bytes.length > 0) controller.enqueue(bytes);
          controller.close();
        } else {
          controller.error(stream.readableEnded ? new UsedBodyError(remedy) : clientLeft());
        }
      },
    },
    { highWaterMark: 0 },
  );
}

const remedy =
  "Mount toNodeHandler before anything that reads the body, or leave the parser's result in `req.body` " +
  "(in Koa: `Object.assign(ctx.req, { body: ctx.request.body })`).";

/** Whether a parser is still reading the body. Its result is available one turn after the end. */
async function untilParsed(stream: Readable): Promise<void> {
  await new Promise<void>((resolve) => {
    for (const event of ["end", "error", "close"]) stream.once(event, resolve);
    stream.resume();
  });
  await new Promise<void>((resolve) => onNextTurn(resolve));
}

const encoder = new TextEncoder();

/** @returns the bytes that represent a parser's result; undefined if they cannot be restored. */
function printBody(parsed: unknown, contentType: string): Uint8Array<ArrayBuffer> | undefined {
  if (ArrayBuffer.isView(parsed)) {
    return new Uint8Array(parsed.buffer as ArrayBuffer, parsed.byteOffset, parsed.byteLength).slice();
  }
  const text = typeof parsed === "string" ? parsed : printValue(parsed, contentType);
  return text === undefined ? undefined : encoder.encode(text);
}

function printValue(parsed: unknown, contentType: string): string | undefined {
  if (/^multipart\//i.test(contentType)) return undefined;
  if (/^application\/x-www-form-urlencoded\b/i.test(contentType)) return printForm(parsed);
  // A parser that only passes the stream on leaves no result.
  if (typeof (parsed as { pipe?: unknown } | null | undefined)?.pipe === "function") return undefined;
  try {
    return JSON.stringify(parsed);
  } catch {
    return undefined;
  }
}

/** Only flat forms have a known encoding: parsers differ in how they nest. */
function printForm(parsed: unknown): string | undefined {
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(parsed ?? {})) {
    for (const one of [value].flat()) {
      if (typeof one !== "string") return undefined;
      form.append(name, one);
    }
  }
  return parsed === undefined ? undefined : form.toString();
}
