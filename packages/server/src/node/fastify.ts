/**
 * Fastify's request and reply. What plugins set on a reply reaches the Node response below it only when Fastify sends
 * it. Uses only Fastify's documented interface, and imports nothing from it.
 */
import { subscribe } from "node:diagnostics_channel";
import type { NodeResponse } from "./exchange.ts";
import type { NodeRequest } from "./request.ts";

/** The part of Fastify's `request` that is used. */
export interface FastifyRequestLike {
  readonly raw: NodeRequest;
  readonly body?: unknown;
}

/** The part of Fastify's `reply` that is used. */
export interface FastifyReplyLike {
  readonly raw: NodeResponse;
  readonly request: FastifyRequestLike;
  /** Whether it was hijacked or has ended. */
  readonly sent: boolean;
  getHeaders(): Record<string, number | string | string[] | undefined>;
  // biome-ignore lint/suspicious/noExplicitAny: Fastify's own types differ with its type providers
  header(name: any, value?: unknown): unknown;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  removeHeader(name: any): unknown;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  code(status: any): unknown;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  send(payload?: any): unknown;
}

export const isFastifyReply = (response: object): response is FastifyReplyLike =>
  "raw" in response && typeof (response as { send?: unknown }).send === "function";

const replies = new WeakMap<object, FastifyReplyLike>();

// Code that hijacks a reply passes on only `reply.raw`. Fastify publishes each request before its handler runs:
// https://fastify.dev/docs/latest/Reference/Hooks/#diagnostics-channel-hooks
subscribe("tracing:fastify.request.handler:start", (message) => {
  const { reply } = message as { reply: FastifyReplyLike };
  replies.set(reply.raw, reply);
});

/** @returns the reply whose Node response this is. */
export const replyOf = (response: NodeResponse): FastifyReplyLike | undefined => replies.get(response);
