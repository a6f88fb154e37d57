/** Names the visitor who makes a request, by a cookie. A demo has no login, and runs need an owner. */
import type { MiddlewareHandler } from "hono";
import { setCookie } from "hono/cookie";

const cookieName = "visitor";
const maxAgeSeconds = 60 * 60 * 24 * 365;

/** The visitors whose first request is in progress: it has no cookie yet. */
const newVisitors = new WeakMap<Request, string>();

/** A request without the cookie is from a new visitor, and its response sets one that no script can read. */
export const welcomeVisitor: MiddlewareHandler = async (c, next) => {
  const request = c.req.raw;
  if (readVisitor(request) !== null) return next();
  const visitor = crypto.randomUUID();
  newVisitors.set(request, visitor);
  await next();
  setCookie(c, cookieName, visitor, { httpOnly: true, sameSite: "Strict", path: "/", maxAge: maxAgeSeconds });
};

/** @returns the owner of the visitor's runs; `null` for a request without the cookie that was not welcomed. */
export function readVisitor(request: Request): string | null {
  const cookies = request.headers.get("cookie") ?? "";
  const [, visitor] = /(?:^|;\s*)visitor=([\w-]{1,64})(?:;|$)/.exec(cookies) ?? [];
  return visitor ?? newVisitors.get(request) ?? null;
}
