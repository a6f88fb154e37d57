/**
 * A request of `node:http` or `node:http2` as a web-standard one. Its body comes from the socket, or from what a body
 * parser has left of it. Does not answer.
 */
import type { Readable } from "node:stream";
import { UsedBodyError } from "../route/used-body.ts";
import { onNextTurn } from "../stream/next-turn.ts";

/** What is used of a request of `node:http` or `node:http2`, and so of Express's `req`. */
export interface NodeRequest {
  method?: string | undefined;
  url?: string | undefined;
  httpVersionMajor: number;
  headers: Record<string, string | string[] | undefined>;
  socket: object;
  /** What a body parser has made of the body: used when the parser has read it. */
  body?: unknown;
  /** HTTP/2 only. */
  readonly stream?: { readonly endAfterHeaders?: boolean | undefined };
}

/**
 * @param parsedBody - What a body parser has left, when it is asked for.
 * @returns `undefined` for what a web-standard request cannot be: a malformed host, the method TRACE.
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
      // HTTP/2 has the method, the path and the host among the headers, under names that begin with a colon.
      if (value === undefined || name.startsWith(":")) continue;
      for (const one of [value].flat()) headers.append(name, one);
    }
    const host = req.headers[":authority"] ?? req.headers.host ?? "localhost";
    const origin = `${"encrypted" in req.socket ? "https" : "http"}://${host}`;
    // Not resolved against the origin: the path "//other/x" would name another host.
    const url = target.startsWith("/") ? `${origin}${target}` : new URL(target, origin);
    if (method === "GET" || method === "HEAD") return new Request(url, { method, headers, signal });
    const stream = req as unknown as Readable;
    let body: ReadableStream | null;
    if (isUnread(stream)) {
      body = readBody(stream);
    } else {
      body = declaresBody(req) ? restoreBody(req, parsedBody) : null;
      // They are about the bytes that the parser has read.
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
 * The body, from the socket. Not by `Readable.toWeb`: cancelled while more is on its way, it ends the process with an
 * exception that nobody can catch (https://github.com/nodejs/node/issues/64529), and it closes the socket before the
 * answer is out.
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
        // By then the request's signal is aborted: the response hears of it first.
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
        // The rest is thrown away, so that the client can read the answer.
        req.resume();
      },
    },
    { highWaterMark: 0 },
  );
}

/**
 * The body, from what a parser has left. Nothing happens before it is read: a handler that never reads it does not care
 * that it is gone.
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
  "Mount toNodeHandler before whatever reads the body, or leave what a parser made of it in `req.body` " +
  "(in Koa: `Object.assign(ctx.req, { body: ctx.request.body })`).";

/** A parser is in the middle of the body. It has it a turn after the end. */
async function untilParsed(stream: Readable): Promise<void> {
  await new Promise<void>((resolve) => {
    for (const event of ["end", "error", "close"]) stream.once(event, resolve);
    stream.resume();
  });
  await new Promise<void>((resolve) => onNextTurn(resolve));
}

const encoder = new TextEncoder();

/** @returns the bytes that stand for what a parser has left; undefined where that cannot be said. */
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
  // A parser that only hands on the stream has left nothing.
  if (typeof (parsed as { pipe?: unknown } | null | undefined)?.pipe === "function") return undefined;
  try {
    return JSON.stringify(parsed);
  } catch {
    return undefined;
  }
}

/** Only of flat forms is the spelling known: parsers differ in how they nest. */
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
