/**
 * Keeps a request in memory while its signal is in use. In Node, the signal of a `Request` is aborted only while the
 * `Request` itself is alive, and a route no longer needs it once the body is read: the client's departure would go
 * unnoticed.
 */
const requests = new WeakMap<object, Request>();

/** Keeps `request` as long as `holder` is in memory. */
export function retainRequest(holder: object, request: Request): void {
  requests.set(holder, request);
}
