/**
 * Recognises what application code throws on purpose as a response: a `Response`, an error that holds one, or what a
 * framework throws internally. Everything else is a failure, which `mask-error.ts` masks.
 */

/**
 * The response that was thrown: a `Response` (of any realm or polyfill), or that of an error with `getResponse()`, such
 * as Hono's `HTTPException`.
 *
 * A response from `fetch` does not count: it comes from another server, and may contain data that no client should see.
 */
export function toThrownResponse(thrown: unknown): Response | undefined {
  if (typeof thrown !== "object" || thrown === null) return undefined;
  try {
    const isHolder = "getResponse" in thrown && typeof thrown.getResponse === "function";
    const response: unknown = isHolder ? (thrown.getResponse as () => unknown)() : thrown;
    if (!isOwnResponse(response)) return undefined;
    const isOfThisRealm: boolean = response instanceof Response;
    return isOfThisRealm ? response : new Response(response.body, response);
  } catch {
    return undefined;
  }
}

/** Whether the application threw this on purpose, so that it is not a failure. */
export const isThrownOnPurpose = (thrown: unknown): boolean =>
  isForFramework(thrown) || toThrownResponse(thrown) !== undefined;

/** Whether this is meant for the framework that calls the route, which alone can turn it into a response. */
export function isForFramework(thrown: unknown): boolean {
  if (typeof thrown !== "object" || thrown === null) return false;
  const { digest, status, location, body, type } = thrown as Record<string, unknown>;
  // Next.js: `redirect()`, `notFound()` and similar, and the errors by which it detects that a route is dynamic. The
  // digest of any other error is a number.
  if (typeof digest === "string") return /^[A-Z]+_[A-Z]/.test(digest);
  if (thrown instanceof Error) return false;
  // React Router: `data()`.
  if (type === "DataWithResponseInit") return true;
  // SvelteKit: `redirect()` and `error()`, which is an instance of a class, and not another server's response.
  if (typeof status !== "number" || status < 300 || status > 599) return false;
  if (typeof location === "string") return status < 309;
  const prototype: object | null = Object.getPrototypeOf(thrown);
  const isInstance = prototype !== null && Object.getPrototypeOf(prototype) !== null;
  return isInstance && typeof (body as { message?: unknown } | null | undefined)?.message === "string";
}

/** Whether this is an unread response that the application has made: those of `fetch` have a URL. */
function isOwnResponse(value: unknown): value is Response {
  if (typeof value !== "object" || value === null) return false;
  const { status, headers, url, body, bodyUsed, arrayBuffer } = value as Partial<Response>;
  return (
    typeof status === "number" &&
    status >= 200 &&
    typeof headers?.get === "function" &&
    typeof arrayBuffer === "function" &&
    "body" in value &&
    !url &&
    !bodyUsed &&
    !body?.locked
  );
}
