/**
 * How a route responds to a failed request: `{ error, code, issues?, correlationId? }` as JSON.
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
  correlationId?: string | undefined;
  headers?: Record<string, string> | undefined;
}

export function errorResponse({ status, headers, ...body }: RouteError): Response {
  return Response.json(body, { status, headers: { "cache-control": "no-store", ...headers } });
}

/** The response to a request whose agent failed before its stream began. */
export function failureResponse({ message, code = "internal", correlationId }: ErrorChunk): Response {
  return errorResponse({ status: 500, error: message, code, correlationId });
}
