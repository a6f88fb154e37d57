/**
 * Status and headers of a response, merged with those that the application has already set or sent. Writes no body.
 */
import { parseMediaType } from "@kortyx/protocol/internal";
import { joinHeaderLists } from "../route/header-list.ts";
import { registerResponse } from "../shutdown/stream-registry.ts";
import { defaultHeaders } from "../stream/event-stream-headers.ts";
import type { Exchange, NodeHeaders, NodeResponse, PresentHeaders } from "./exchange.ts";

/** Not allowed in HTTP/2: RFC 9113, section 8.2.2. */
const connectionHeaders = ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"];

/** Lists of names, to which a response adds. */
const listHeaders = ["vary", "access-control-expose-headers"];

/** @throws Node's error for an invalid header or status. */
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

/** The same on a Fastify reply, whose hooks may add to it before it is sent. */
export function setReplyHead(exchange: Exchange, status: number, headers: NodeHeaders): void {
  const reply = exchange.reply!;
  const fields = toHead(exchange, headers);
  register(exchange.res, fields);
  // A reply appends to its cookies, and ours already include them.
  if ("set-cookie" in fields) reply.removeHeader("set-cookie");
  forgetLength(exchange);
  for (const [name, value] of Object.entries(fields)) reply.header(name, value);
  reply.code(status);
}

/** Registers an event stream; `drain` waits for its last bytes. */
function register(res: NodeResponse, headers: NodeHeaders): void {
  if (parseMediaType(String(headers["content-type"])) !== "text/event-stream") return;
  const unregister = registerResponse(res);
  res.on("close", unregister);
  res.on("finish", unregister);
}

/**
 * The headers of a response, combined with those that the application has already set, which are kept.
 *
 * @throws TypeError for an invalid header value. HTTP/2 would send it, and Fastify would fail midway.
 */
function toHead(exchange: Exchange, headers: NodeHeaders): NodeHeaders {
  const present = (exchange.reply ?? exchange.res).getHeaders();
  const fields = withoutConnection(exchange, headers) as NodeHeaders;
  for (const [name, own] of Object.entries(fields)) {
    if (/[^\t\x20-\x7e\x80-\xff]/.test(String(own))) {
      throw new TypeError(`The header ${name} must be Latin-1 text without control characters.`);
    }
    const set = present[name];
    if (set === undefined) continue;
    if (name === "set-cookie") fields[name] = [...new Set([set, own].flat().map(String))];
    else if (listHeaders.includes(name)) fields[name] = joinHeaderLists(String(set), String(own));
    else if (name !== "content-type" && own === defaultHeaders[name as keyof typeof defaultHeaders]) {
      // Only one of our defaults, such as `cache-control` or `connection`.
      delete fields[name];
    }
  }
  return fields;
}

/** A length that was set earlier belongs to another body: clients reject a body that is longer or shorter. */
function forgetLength({ res, reply }: Exchange): void {
  for (const head of [res, reply]) head?.removeHeader("content-length");
}

function withoutConnection({ req }: Exchange, headers: PresentHeaders): PresentHeaders {
  const fields = { ...headers };
  if (req.httpVersionMajor >= 2) for (const name of connectionHeaders) delete fields[name];
  // Node would keep the connection, and refuse the next request on it. Source: RFC 9112, section 9.6.
  else if (/\bclose\b/i.test(String(req.headers.connection))) delete fields.connection;
  return fields;
}

let hasReportedUnsent = false;

/** The application has already sent the headers; logs once which ones are missing. */
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
    `The headers of a response were sent before its stream, and lack: ${lacking.join(", ")}. ` +
      "Set them before res.flushHeaders(), or leave sending them to sendStream or toNodeHandler.",
  );
}

/** Headers as Node takes them. */
export function toFields(headers: Headers | NodeHeaders): NodeHeaders {
  if (!isHeaders(headers)) return headers;
  const fields: NodeHeaders = Object.fromEntries(headers);
  const cookies = headers.getSetCookie();
  if (cookies.length > 0) fields["set-cookie"] = cookies;
  return fields;
}

/** Also accepts `Headers` of another realm. */
const isHeaders = (headers: Headers | NodeHeaders): headers is Headers =>
  typeof headers.getSetCookie === "function";
