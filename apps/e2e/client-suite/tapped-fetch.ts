/**
 * A `fetch` that records how the client reads the body.
 */

export interface TappedFetch {
  fetch: (url: string | URL, init: RequestInit) => Promise<Response>;
  /** The client has cancelled the body. */
  readonly isCancelled: boolean;
  /** The client is waiting for the next bytes. */
  readonly isReading: boolean;
  /** The client has requested more after it cancelled the body. */
  readonly isReadAfterCancel: boolean;
  /** The number of bytes that the client has received. */
  readonly bytesRead: number;
  /** The signal of the request. */
  readonly signal: AbortSignal | undefined;
}

export function tapFetch(): TappedFetch {
  let isCancelled = false;
  let isReading = false;
  let isReadAfterCancel = false;
  let bytesRead = 0;
  let signal: AbortSignal | undefined;

  return {
    async fetch(url, init) {
      signal = init.signal ?? undefined;
      const { body, status, headers } = await fetch(url, init);
      const reader = body!.getReader();
      const tapped = new ReadableStream<Uint8Array>(
        {
          async pull(controller) {
            isReadAfterCancel ||= isCancelled;
            isReading = true;
            const { done, value } = await reader.read();
            isReading = false;
            if (isCancelled) return;
            if (done) controller.close();
            else {
              bytesRead += value.length;
              controller.enqueue(value);
            }
          },
          cancel(reason) {
            isCancelled = true;
            return reader.cancel(reason);
          },
        },
        { highWaterMark: 0 },
      );
      return new Response(tapped, { status, headers });
    },
    get isCancelled() {
      return isCancelled;
    },
    get isReading() {
      return isReading;
    },
    get isReadAfterCancel() {
      return isReadAfterCancel;
    },
    get bytesRead() {
      return bytesRead;
    },
    get signal() {
      return signal;
    },
  };
}
