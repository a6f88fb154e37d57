/** What every implementation that is measured provides: ours, the limits, and each peer in its own usual form. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { StreamChunk } from "../../packages/protocol/dist/index.js";

/** A source of chunks in the implementation's own shape. */
export type Source = AsyncIterable<unknown>;

export interface Implementation {
  /** Its name in the report. */
  title: string;
  /** The npm packages whose versions the report shows. */
  packages: string[];
  /** How it is used, for the report. */
  form: string;
  /** Its `decode` hands on whatever is JSON; the report says so beside its name. */
  isUnvalidated?: boolean;
  /** What our chunks are in its own vocabulary, one for one, with what must stand before and behind them. */
  translate?(chunks: StreamChunk[]): unknown[];
  /** A source as the response of a route. */
  encode?(source: Source): Response | Promise<Response>;
  /** For what makes bytes but no response. @returns how many bytes. */
  encodeBytes?(source: Source): Promise<number>;
  /** A body back into chunks, validated unless `isUnvalidated`. */
  decode?(body: ReadableStream<Uint8Array>, onChunk: (chunk: unknown) => void): Promise<void>;
  /** A source written to a response of `node:http`. */
  serve?(source: Source, req: IncomingMessage, res: ServerResponse): unknown;
  /** Folds chunks into the message that a user interface shows, telling it of every change that it would show. */
  accumulate?(source: Source, onMessage: (message: unknown) => void): Promise<void>;
}

/** A `Response` around a body, for readers that want one. */
export const eventStreamResponse = (body: ReadableStream<Uint8Array>): Response =>
  new Response(body, { headers: { "content-type": "text/event-stream" } });
