/**
 * Cross-origin resource sharing for a chat route: which origins may use it, and what their pages may read. Extends the
 * lists that a response already has; does not decide what the application exposes. Source: Fetch Standard, section 3.3
 * "CORS protocol".
 */
import { isPromiseLike } from "../stream/source.ts";
import { joinHeaderLists } from "./header-list.ts";

/** Which other origins may use a route. */
export interface CorsOptions {
  /** One origin as browsers send it (`"https://app.example"`), several, a test, or `"*"` for all. */
  origin: string | string[] | ((origin: string) => boolean);
  /** Lets those pages send cookies. Not together with `"*"`. @defaultValue false */
  credentials?: boolean | undefined;
}

export interface Cors {
  /** @returns the response, with CORS headers for the requesting page. */
  expose(request: Request, response: Response): Response;
  /** @returns the response to a preflight. */
  preflight(request: Request, methods: string): Response;
}

/** How long a browser may remember a preflight, in seconds. */
const maxAgeSeconds = 600;

/** @throws TypeError for `"*"` with credentials. */
export function createCors(options: CorsOptions | undefined): Cors {
  const { origin: allowed, credentials = false } = options ?? { origin: [] };
  if (allowed === "*" && credentials) {
    throw new TypeError('cors: origin "*" cannot be combined with credentials; name the origins.');
  }

  function headersFor(request: Request): Record<string, string> {
    if (options === undefined) return {};
    if (allowed === "*") return { "access-control-allow-origin": "*" };
    // Caches must not serve one origin's response to another.
    const headers: Record<string, string> = { vary: "origin" };
    const origin = request.headers.get("origin");
    const isAllowed =
      typeof allowed === "function" ? allowed : (name: string) => [allowed].flat().includes(name);
    if (origin === null) return headers;
    const answer: unknown = isAllowed(origin);
    // A promise is no answer: that of an `async` function would admit everyone.
    if (!answer || isPromiseLike(answer)) return headers;
    headers["access-control-allow-origin"] = origin;
    if (credentials) headers["access-control-allow-credentials"] = "true";
    return headers;
  }

  return {
    expose(request, response) {
      if (options === undefined) return response;
      // A copy: the headers of a redirect, or of a response from `fetch`, are immutable.
      const headers = new Headers(response.headers);
      const { vary, ...access } = headersFor(request);
      if (vary !== undefined) addToList(headers, "vary", vary);
      // Not appended: browsers reject two origins.
      for (const [name, value] of Object.entries(access)) headers.set(name, value);
      if (headers.has("access-control-allow-origin")) {
        addToList(headers, "access-control-expose-headers", "retry-after");
      }
      const { status, statusText } = response;
      return new Response(response.body, { status, statusText, headers });
    },
    preflight(request, methods) {
      const headers = new Headers({ allow: methods, ...headersFor(request) });
      if (headers.has("access-control-allow-origin")) {
        const asked = request.headers.get("access-control-request-headers");
        headers.set("access-control-allow-methods", methods);
        headers.set(
          "access-control-allow-headers",
          [asked, "content-type", "last-event-id"].filter(Boolean).join(", "),
        );
        headers.set("access-control-max-age", String(maxAgeSeconds));
        headers.append("vary", "access-control-request-headers");
      }
      return new Response(null, { status: 204, headers });
    },
  };
}

function addToList(headers: Headers, name: string, value: string): void {
  headers.set(name, joinHeaderLists(headers.get(name) ?? "", value));
}
