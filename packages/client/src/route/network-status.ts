/**
 * Whether there is a network, as far as the browser says so and can be believed. Waits for nothing.
 */

/** What a browser says: `undefined` outside of one, as in Node. */
const onLine = (): boolean | undefined => globalThis.navigator?.onLine;

/**
 * "Offline" is believed once the browser has said "online". It never does on a machine that has only itself, where a
 * server on it can be reached all the same.
 */
let isCredible = onLine() !== false;

/** A request cannot succeed before the browser is online again. */
export function isOffline(): boolean {
  if (onLine() === true) isCredible = true;
  return onLine() === false && isCredible;
}

/** A response has come: a browser that says that it is offline does not mean this server. */
export function noteResponse(): void {
  if (onLine() === false) isCredible = false;
}
