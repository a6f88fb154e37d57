/**
 * A request of `node:http`, `node:http2` or Fastify with its response: what is used of them, and whether the response can
 * still be written. Sends nothing.
 */
import { type FastifyReplyLike, type FastifyRequestLike, isFastifyReply, replyOf } from "./fastify.ts";
import type { NodeRequest } from "./request.ts";

/** Headers as Node takes them. */
export type NodeHeaders = Record<string, string | string[]>;
/** Headers as applications set them. */
export type PresentHeaders = Record<string, number | string | string[] | undefined>;

/** What is used of a response of `node:http` or `node:http2`; the `compression` middleware adds `flush`. */
export interface NodeResponse {
  statusCode: number;
  readonly headersSent: boolean;
  getHeaders(): PresentHeaders;
  removeHeader(name: string): unknown;
  writeHead(status: number, headers: NodeHeaders): unknown;
  flushHeaders?(): void;
  write(chunk: string | Uint8Array): boolean;
  end(): unknown;
  destroy(): unknown;
  // biome-ignore lint/suspicious/noExplicitAny: as Node's own types have it
  on(event: string, listener: (...values: any[]) => void): unknown;
  readonly destroyed?: boolean;
  readonly writableEnded: boolean;
  readonly writableFinished: boolean;
  /** HTTP/2 only. */
  readonly stream?: { readonly destroyed: boolean; close(code: number): void };
  flush?: () => void;
}

/** A request and its response. */
export interface Exchange {
  readonly req: NodeRequest;
  readonly res: NodeResponse;
  /** In Fastify, which has a part of what the application has set. */
  readonly reply: FastifyReplyLike | undefined;
  /** Fastify sends the response, by its hooks: the reply was handed over and is not hijacked. */
  readonly isSentByReply: boolean;
}

export function toExchange(
  request: NodeRequest | FastifyRequestLike,
  response: NodeResponse | FastifyReplyLike,
): Exchange {
  if (!isFastifyReply(response)) {
    return { req: request as NodeRequest, res: response, reply: replyOf(response), isSentByReply: false };
  }
  const { raw: res, request: own, sent } = response;
  return { req: own.raw, res, reply: response, isSentByReply: !sent };
}

/** Whether no client waits for this any more. Of a response over HTTP/2, only its stream tells. */
export function isGone(res: NodeResponse): boolean {
  return res.destroyed === true || res.stream?.destroyed === true;
}

/** Whether the application has ended the response itself. Says so in the log. */
export function hasEnded(res: NodeResponse): boolean {
  if (res.writableEnded)
    console.error("A response had ended before it was given its body; nothing was sent.");
  return res.writableEnded;
}

/** `INTERNAL_ERROR`: RFC 9113, section 7. */
const http2InternalError = 2;

/** Ends a response so that its client sees that it is incomplete. */
export function breakOff(res: NodeResponse): void {
  // Over HTTP/2, `destroy()` resets the stream with NO_ERROR, which reads like a regular end.
  if (res.stream === undefined) res.destroy();
  else res.stream.close(http2InternalError);
}
