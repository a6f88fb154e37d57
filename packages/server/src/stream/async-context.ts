/**
 * The async context of a call: what `AsyncLocalStorage` holds there, such as the request that a log line belongs to.
 * Lets a callback keep the context of its request, and shared work leave it. The former needs no runtime API: a
 * callback attached to a promise runs in the context in which it was attached.
 */

/**
 * @returns a function whose first call schedules `callback` in a later microtask, in the current async context,
 * whatever the context of that call.
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

/**
 * Edge runtimes have it as a global; Node, Bun, Deno and Workers (`nodejs_compat`) as a built-in module, available
 * without an import.
 */
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
 * Calls `callback` in the context in which this package was loaded, which belongs to no request: for work that several
 * requests share. Everything it starts, including timers and promises, stays there. In a runtime without
 * `AsyncLocalStorage`, there is no context to leave.
 */
export const outsideRequests: <Value>(callback: () => Value) => Value =
  takeSnapshot() ?? ((callback) => callback());
