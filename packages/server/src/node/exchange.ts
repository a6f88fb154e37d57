/**
 * A request of `node:http`, `node:http2` or Fastify with its response: the parts that are used, and whether the
 * response can still be written. Sends nothing.
 */
import { type FastifyReplyLike, type FastifyRequestLike, isFastifyReply, replyOf } from "./fastify.ts";
import type { NodeRequest } from "./request.ts";

/** Headers as Node accepts them. */
export type NodeHeaders = Record<string, string | string[]>;
/** Headers as applications set them. */
export type PresentHeaders = Record<string, number | string | string[] | undefined>;

/** The part of a response of `node:http` or `node:http2` that is used; the `compression` middleware adds `flush`. */
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
  // biome-ignore lint/suspicious/noExplicitAny: as in Node's own types
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
  /** The Fastify reply, which has some of the headers that the application set. */
  readonly reply: FastifyReplyLike | undefined;
  /** Fastify sends the response, running its hooks: the reply was passed in and is not hijacked. */
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

/** Whether the client has left. Over HTTP/2, only the stream shows it. */
export function isGone(res: NodeResponse): boolean {
  return res.destroyed === true || res.stream?.destroyed === true;
}

/** Whether the application has ended the response itself, which is logged. */
export function hasEnded(res: NodeResponse): boolean {
  if (res.writableEnded)
    console.error(
      "The response had already ended, so its stream was not sent. Let sendStream or toNodeHandler end it.",
    );
  return res.writableEnded;
}

/** `INTERNAL_ERROR`: RFC 9113, section 7. */
const http2InternalError = 2;

/** Ends a response so that the client can tell that it is incomplete. */
export function breakOff(res: NodeResponse): void {
  // Over HTTP/2, `destroy()` resets the stream with NO_ERROR, which looks like a regular end.
  if (res.stream === undefined) res.destroy();
  else res.stream.close(http2InternalError);
}
