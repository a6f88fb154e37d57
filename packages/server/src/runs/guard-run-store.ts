/**
 * Distinguishes a failure of the run store from every other failure of a request, and creates its response. Does not
 * retry; the client does.
 */

import type { RunStore } from "../stores/run-store.ts";
import { errorResponse } from "../stream/error-response.ts";

/** The run store has failed; `cause` is its error. */
export class RunStoreError extends Error {
  override readonly name = "RunStoreError";

  constructor(cause: unknown) {
    super("The run store failed.", { cause });
  }
}

/** The methods of a store that a request uses. */
export type GuardedRunStore = Pick<RunStore, "end" | "read" | "latest" | "stopKey">;

/** Wraps a store, so that everything its methods throw becomes a {@link RunStoreError}. */
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

/** How long a client waits before it tries again, in seconds; clients spread their requests over as long again. */
const retryAfterSeconds = 3;

/** The response to a request that a failing store cannot serve. Logs the failure. */
export function storeUnavailable({ cause }: RunStoreError): Response {
  const correlationId = crypto.randomUUID();
  console.error(`The run store failed (store-unavailable, correlationId ${correlationId}):`, cause);
  return errorResponse({
    status: 503,
    error: "Answers are not available at the moment. Please try again.",
    code: "store-unavailable",
    correlationId,
    headers: { "retry-after": String(retryAfterSeconds) },
  });
}
