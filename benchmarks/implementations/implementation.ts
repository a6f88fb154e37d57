/** The interface of every measured implementation: ours, the limits, and each peer in its usual form. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { StreamChunk } from "../../packages/protocol/dist/index.js";

/** A source of chunks in the implementation's own shape. */
export type Source = AsyncIterable<unknown>;

/** Our code beside what it adds to, or replaces, over the same answer. Both are iterated to their ends. */
export interface Comparison {
  /** What the SDK does without us. */
  bare: Side;
  ours: Side;
  /** The same in our own wire, for a route that speaks another one. */
  ownWire?: Side;
  /** The number of events or chunks of the answer. */
  units: number;
}

export type Side = () => AsyncIterable<unknown> | Promise<AsyncIterable<unknown>>;

export interface Implementation {
  /** Its name in the report. */
  title: string;
  /** The npm packages whose versions the report shows. */
  packages: string[];
  /** How it is used, for the report. */
  form: string;
  /** Its `decode` accepts any JSON; the report notes that next to its name. */
  isUnvalidated?: boolean;
  /** Our chunks in its own vocabulary, one for one, with its required opening and closing chunks. */
  translate?(chunks: StreamChunk[]): unknown[];
  /** A source as the response of a route. */
  encode?(source: Source): Response | Promise<Response>;
  /** For an encoder that makes bytes but no response. @returns the number of bytes. */
  encodeBytes?(source: Source): Promise<number>;
  /** A body back into chunks, validated unless `isUnvalidated`. */
  decode?(body: ReadableStream<Uint8Array>, onChunk: (chunk: unknown) => void): Promise<void>;
  /** A source written to a response of `node:http`. */
  serve?(source: Source, req: IncomingMessage, res: ServerResponse): unknown;
  /** Folds chunks into the message that a user interface shows, and reports every change to it. */
  accumulate?(source: Source, onMessage: (message: unknown) => void): Promise<void>;
  /** For an adapter: both sides. */
  compare?(): Comparison | Promise<Comparison>;
}

/** A `Response` around a body, for readers that need one. */
export const eventStreamResponse = (body: ReadableStream<Uint8Array>): Response =>
  new Response(body, { headers: { "content-type": "text/event-stream" } });
