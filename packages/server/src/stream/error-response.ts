/**
 * How a route answers what it does not stream: `{ error, code, issues?, correlationId? }` as JSON.
 */
import type { ChatRequestIssue } from "../route/read-chat-request.ts";

/** The answer to a request that fails. */
export interface RouteError {
  status: number;
  /** Text for people. */
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
