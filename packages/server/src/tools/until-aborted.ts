/**
 * Waiting that ends at once when it is no longer needed. Stops no work: pass the signal to the work, too.
 */

/** @returns the promise's value. @throws the reason of the signal, if that is aborted first. */
export function untilAborted<Value>(value: PromiseLike<Value> | Value, signal: AbortSignal): Promise<Value> {
  return new Promise((resolve, reject) => {
    const leave = () => reject(signal.reason);
    if (signal.aborted) leave();
    signal.addEventListener("abort", leave, { once: true });
    const stopListening = () => signal.removeEventListener("abort", leave);
    Promise.resolve(value).then(resolve, reject).finally(stopListening);
  });
}
