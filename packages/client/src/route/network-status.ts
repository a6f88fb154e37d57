/**
 * Whether the browser is online, as far as its report can be trusted. Waits for nothing.
 */

/** What the browser reports; `undefined` outside a browser, as in Node. */
const onLine = (): boolean | undefined => globalThis.navigator?.onLine;

/**
 * "Offline" counts only after the browser has reported "online". A machine without any network never does, but can
 * still reach a server on itself.
 */
let isCredible = onLine() !== false;

/** A request cannot succeed before the browser is online again. */
export function isOffline(): boolean {
  if (onLine() === true) isCredible = true;
  return onLine() === false && isCredible;
}

/** A response has arrived: if the browser reports offline, that does not apply to this server. */
export function noteResponse(): void {
  if (onLine() === false) isCredible = false;
}
