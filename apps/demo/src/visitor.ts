/**
 * Who is asking: whoever holds the cookie that the page came with. A demo has no login, and runs need an owner.
 */
import type { MiddlewareHandler } from "hono";
import { getCookie, setCookie } from "hono/cookie";

const cookieName = "visitor";
const maxAgeSeconds = 60 * 60 * 24 * 365;

/** Gives a visitor who has none a cookie that no script can read. */
export const welcomeVisitor: MiddlewareHandler = async (c, next) => {
  if (getCookie(c, cookieName) === undefined) {
    setCookie(c, cookieName, crypto.randomUUID(), {
      httpOnly: true,
      sameSite: "Strict",
      path: "/",
      maxAge: maxAgeSeconds,
    });
  }
  await next();
};

/** @returns the owner of the visitor's runs; `null` for a request without the cookie. */
export function readVisitor(request: Request): string | null {
  const cookies = request.headers.get("cookie") ?? "";
  return /(?:^|;\s*)visitor=([\w-]{1,64})(?:;|$)/.exec(cookies)?.[1] ?? null;
}
