/**
 * Tells a failure of the store of runs from every other one that a request may meet, and how it is answered. Does not
 * retry: the client does.
 */

import type { RunStore } from "../stores/run-store.ts";
import { errorResponse } from "../stream/error-response.ts";

/** A store of runs has failed; `cause` is what it threw. */
export class RunStoreError extends Error {
  override readonly name = "RunStoreError";

  constructor(cause: unknown) {
    super("A store of runs failed.", { cause });
  }
}

/** What a request asks of a store. */
export type GuardedRunStore = Pick<RunStore, "end" | "read" | "latest" | "stopKey">;

/** The store, with methods that reject with a {@link RunStoreError} whatever it throws. */
export function guardRunStore(store: RunStore): GuardedRunStore {
  const guard =
    <Values extends unknown[], Result>(ask: (...values: Values) => Promise<Result>) =>
    async (...values: Values): Promise<Result> => {
      try {
        return await ask(...values);
      } catch (cause) {
        throw new RunStoreError(cause);
      }
    };
  return {
    end: guard((runId, terminal) => store.end(runId, terminal)),
    read: guard((runId, after, limit) => store.read(runId, after, limit)),
    latest: guard((owner, sessionId) => store.latest(owner, sessionId)),
    stopKey: guard((owner, key) => store.stopKey(owner, key)),
  };
}

/** How long a client waits before it asks again, in seconds; clients spread theirs over as long again. */
const retryAfterSeconds = 3;

/** The response to a request that a failing store cannot serve. Logs the failure. */
export function storeUnavailable({ cause }: RunStoreError): Response {
  const correlationId = crypto.randomUUID();
  console.error(`A store of runs failed (store-unavailable, correlationId ${correlationId}):`, cause);
  return errorResponse({
    status: 503,
    error: "Answers are not available at the moment. Please try again.",
    code: "store-unavailable",
    correlationId,
    headers: { "retry-after": String(retryAfterSeconds) },
  });
}
