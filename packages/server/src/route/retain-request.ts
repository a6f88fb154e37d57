/**
 * Keeps a request in memory while its signal is in use. In Node, the signal of a `Request` hears of the abort only while
 * the `Request` itself is alive, and a route has no more use for it once the body is read: the client would leave and
 * nobody would be told.
 */
const requests = new WeakMap<object, Request>();

/** Keeps `request` for as long as `holder` is in memory. */
export function retainRequest(holder: object, request: Request): void {
  requests.set(holder, request);
}
