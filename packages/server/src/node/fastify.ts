/**
 * Fastify's request and reply: what plugins have set on a reply, which is not on the Node response below it until Fastify
 * sends it. Knows no more of Fastify than its documented interface, and imports nothing of it.
 */
import { subscribe } from "node:diagnostics_channel";
import type { NodeResponse } from "./exchange.ts";
import type { NodeRequest } from "./request.ts";

/** What is used of Fastify's `request`. */
export interface FastifyRequestLike {
  readonly raw: NodeRequest;
  readonly body?: unknown;
}

/** What is used of Fastify's `reply`. */
export interface FastifyReplyLike {
  readonly raw: NodeResponse;
  readonly request: FastifyRequestLike;
  /** It has been hijacked, or has ended. */
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

// Whoever hijacks a reply hands on `reply.raw` alone. Fastify publishes each request before its handler runs:
// https://fastify.dev/docs/latest/Reference/Hooks/#diagnostics-channel-hooks
subscribe("tracing:fastify.request.handler:start", (message) => {
  const { reply } = message as { reply: FastifyReplyLike };
  replies.set(reply.raw, reply);
});

/** @returns the reply whose Node response this is. */
export const replyOf = (response: NodeResponse): FastifyReplyLike | undefined => replies.get(response);
