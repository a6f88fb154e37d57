/**
 * The async context of a call: what `AsyncLocalStorage` holds there, such as the request that a log line belongs to. Owns
 * how a callback keeps the context of a request. Needs no API of any runtime: what is attached to a promise runs in the
 * context in which it was attached.
 */

/**
 * @returns a function whose first call has `callback` called, in a later turn of the promise queue and in the async
 * context of now, whatever the context of that call is.
 */
export function bindContext(callback: () => void): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  void promise.then(callback);
  return resolve;
}
