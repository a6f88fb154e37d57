/**
 * How a route responds to a failed request: `{ error, code, issues?, retryable?, correlationId? }` as JSON.
 */
import type { ErrorChunk } from "@kortyx/protocol";
import type { ChatRequestIssue } from "../route/chat-request-error.ts";

/** The response to a failed request. */
export interface RouteError {
  status: number;
  /** Text for humans. */
  error: string;
  /** Stable and machine-readable. */
  code: string;
  issues?: ChatRequestIssue[] | undefined;
  /** Whether the same request may succeed later. */
  retryable?: boolean | undefined;
  correlationId?: string | undefined;
  headers?: Record<string, string> | undefined;
}

export function errorResponse({ status, headers, ...body }: RouteError): Response {
  return Response.json(body, { status, headers: { "cache-control": "no-store", ...headers } });
}

/** The response to a request whose agent failed before its stream began. */
export function failureResponse(error: ErrorChunk): Response {
  const { message, code = "internal", retryable, retryAfterMs, correlationId } = error;
  const headers = retryAfterHeader(retryAfterMs);
  return errorResponse({ status: 500, error: message, code, retryable, correlationId, headers });
}

/** In whole seconds (RFC 9110, section 10.2.3), at most 2,147,483,647; an agent may name any number. */
export const retryAfterHeader = (retryAfterMs = Number.NaN): Record<string, string> =>
  retryAfterMs >= 0 ? { "retry-after": String(Math.min(Math.ceil(retryAfterMs / 1000), 2 ** 31 - 1)) } : {};
