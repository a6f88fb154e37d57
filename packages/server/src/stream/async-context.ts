/**
 * The async context of a call: what `AsyncLocalStorage` holds there, such as the request that a log line belongs to. Owns
 * how a callback keeps the context of its request, and how work that several requests share leaves it. The former needs
 * no API of any runtime: what is attached to a promise runs in the context in which it was attached.
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

interface AsyncLocalStorageClass {
  snapshot(): <Value>(callback: () => Value) => Value;
}

interface Runtime {
  AsyncLocalStorage?: AsyncLocalStorageClass;
  process?: { getBuiltinModule?(id: string): { AsyncLocalStorage: AsyncLocalStorageClass } };
}

/** Edge runtimes have it as a global; Node, Bun, Deno and Workers (`nodejs_compat`) as a module, without an import. */
function takeSnapshot(): (<Value>(callback: () => Value) => Value) | undefined {
  try {
    const { AsyncLocalStorage, process } = globalThis as Runtime;
    const found = AsyncLocalStorage ?? process?.getBuiltinModule?.("node:async_hooks").AsyncLocalStorage;
    return found?.snapshot();
  } catch {
    return undefined;
  }
}

/**
 * Calls `callback` in the context in which this package was loaded, which is no request's: for work that several requests
 * share. Whatever it starts, timers and promises included, stays there. Where a runtime has no `AsyncLocalStorage`, there
 * is no context to leave.
 */
export const outsideRequests: <Value>(callback: () => Value) => Value =
  takeSnapshot() ?? ((callback) => callback());
