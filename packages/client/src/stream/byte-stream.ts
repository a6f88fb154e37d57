/**
 * Converts every form of body to one kind of stream: `fetch` bodies, Node and text streams, and responses of a `fetch`
 * that cannot stream. Does not interpret the content.
 */
import { describeValue } from "@kortyx/protocol/internal";
import { StreamBodyError } from "./errors.ts";

/** The part of `ReadableStream` that reading needs; some runtimes lack the class. */
export interface ByteStream {
  getReader(): ByteReader;
  cancel(reason?: unknown): Promise<void>;
  /** It arrives in one piece at its end; until then, silence means nothing. */
  readonly isWhole?: boolean;
}

/** A piece is a `Uint8Array` or a string; anything else is rejected when used. */
export interface ByteReader {
  read(): Promise<{ done: boolean; value?: unknown }>;
  /** Ends a pending read. */
  cancel(reason?: unknown): Promise<void>;
  releaseLock(): void;
}

/** A body, in any supported form; `null` if there is none. */
export type StreamBody =
  | ReadableStream<Uint8Array>
  | ReadableStream<string>
  | AsyncIterable<Uint8Array | string>
  | Response
  | null;

/** By shape, not by class: a runtime may have several classes of this name. */
export const isResponse = (value: unknown): value is Response => {
  const { ok, headers } = (value ?? {}) as Partial<Response>;
  return typeof ok === "boolean" && typeof headers?.get === "function";
};

/**
 * The body of a response; `null` if it has none. A response without a `body` property, as from XMLHttpRequest polyfills
 * and React Native, is read whole.
 *
 * @throws StreamBodyError for a body that was already read, or that the response has no method to read.
 */
export function bodyOf(response: Response): ByteStream | null {
  const { status, body, bodyUsed } = response as Omit<Response, "body"> & { body?: unknown };
  // Chromium returns an empty stream as the body of a 204, where the Fetch Standard has `null`.
  if (status === 204 || body === null) return null;
  if (bodyUsed) throw new StreamBodyError(wasRead);
  if (body !== undefined) return toByteStream(body as Exclude<StreamBody, Response>);
  return { ...fromIterable(onePiece(readerOfAll(response))), isWhole: true };
}

/** @throws StreamBodyError for a value that cannot be read as a stream. */
export function toByteStream(body: Exclude<StreamBody, Response>): ByteStream | null {
  if (body === null) return null;
  if (typeof body === "object") {
    if ("getReader" in body) {
      if (body.locked) throw new StreamBodyError(wasRead);
      return body;
    }
    if (Symbol.asyncIterator in body) {
      // From a Node stream.
      if ((body as { readableEnded?: boolean }).readableEnded) throw new StreamBodyError(wasRead);
      return fromIterable(body);
    }
  }
  const advice =
    body === undefined ? ": this fetch cannot stream; pass its Response, which is read whole" : "";
  throw new StreamBodyError(`expected a Response or a stream, got ${describeValue(body)}${advice}`);
}

/** Cancels an unread body, or the rest of one, to free its connection. Errors are ignored. */
export function discard(body: ByteStream | ByteReader | null | undefined, reason?: unknown): void {
  body?.cancel(reason).catch(() => {});
}

/** @returns a function for the pieces of one body, which throws a StreamBodyError for anything else. */
export function createPieceEncoder(): (piece: unknown) => Uint8Array {
  const utf8 = new TextEncoder();
  /** The first half of a surrogate pair, whose second half begins the next text. */
  let half = "";
  return (piece) => {
    if (ArrayBuffer.isView(piece)) return piece as Uint8Array;
    if (typeof piece !== "string") {
      throw new StreamBodyError(`expected pieces of bytes or text, got ${describeValue(piece)}`);
    }
    const text = half + piece;
    half = /[\ud800-\udbff]$/.exec(text)?.[0] ?? "";
    return utf8.encode(text.slice(0, text.length - half.length));
  };
}

/**
 * @returns a function that reads a whole response with a method that it has: in React Native, only `text()` is
 * reliable.
 * @throws StreamBodyError if it has none.
 */
function readerOfAll(response: Partial<Response>): () => Promise<string | Uint8Array> {
  if (response.text) return () => response.text!();
  if (response.arrayBuffer) return async () => new Uint8Array(await response.arrayBuffer!());
  if (response.blob) return async () => new Uint8Array(await (await response.blob!()).arrayBuffer());
  throw new StreamBodyError(
    "this fetch cannot stream, and its response has no text(), arrayBuffer() or blob()",
  );
}

const wasRead = "it was already read, or is being read; read a clone() of the response elsewhere";

async function* onePiece(read: () => Promise<string | Uint8Array>): AsyncGenerator<string | Uint8Array> {
  yield await read();
}

/** A stream over an iterator. A pending `next()` does not delay `cancel()`. */
function fromIterable(iterable: AsyncIterable<unknown>): ByteStream {
  let iterator: AsyncIterator<unknown> | undefined;
  let isCancelled = false;
  /** Ends the pending read. */
  let end = () => {};
  const open = () => {
    iterator ??= iterable[Symbol.asyncIterator]();
    return iterator;
  };
  const cancel = async (): Promise<void> => {
    if (isCancelled) return;
    isCancelled = true;
    end();
    // A Node stream finishes its pending read before it returns.
    const { destroy } = iterable as { destroy?: () => void };
    if (destroy) destroy.call(iterable);
    else await open().return?.();
  };
  const read: ByteReader["read"] = () =>
    new Promise((resolve, reject) => {
      end = () => resolve({ done: true });
      open()
        .next()
        .then(resolve as () => void, reject);
    });
  return { getReader: () => ({ read, cancel, releaseLock() {} }), cancel };
}
