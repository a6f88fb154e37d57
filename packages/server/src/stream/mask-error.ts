/**
 * What the client receives when a source fails, and what the server logs. The only place where an application's error
 * could reach the wire.
 */
import { type ErrorChunk, StreamProtocolError } from "@kortyx/protocol";

/** What `onError` may return: the text for the user, or more fields. */
export type ErrorDescription = string | Pick<ErrorChunk, "message" | "code" | "retryable" | "retryAfterMs">;

/** Turns the error of a source into what the client receives. The result is sent as it is: put no secrets in it. */
export type OnStreamError = (error: unknown) => ErrorDescription | undefined;

/** How the error of a source is reported. */
export interface FailureOptions {
  /**
   * Decides what the client receives when the source fails; in a route also when `authorize`, `loadMessage`, a schema or
   * `onStart` throws.
   *
   * @defaultValue a generic text with a correlation id
   */
  onError?: OnStreamError | undefined;
  /**
   * Sends the client the message of the error itself unless `onError` decides: which chunk is wrong and why, or the
   * source's error. For development only: such a message may contain secrets.
   *
   * @defaultValue false
   */
  exposeErrors?: boolean | undefined;
}

/**
 * Makes the `error` chunk for a failed source.
 *
 * Without `onError` (or if it throws, or returns anything without a text) the client receives a generic text, or with
 * `exposeErrors` the error's message, and a `correlationId`; the error is logged with `console.error` under the same
 * id.
 */
export function maskError(error: unknown, { onError, exposeErrors }: FailureOptions = {}): ErrorChunk {
  let failure = error;
  if (onError !== undefined) {
    try {
      const answer = onError(error);
      const { message, code, retryable, retryAfterMs }: Partial<ErrorChunk> =
        typeof answer === "string" ? { message: answer } : (answer ?? {});
      // Anything else is not a valid result: that of an async onError, for example.
      if (typeof message === "string") {
        return {
          type: "error",
          message,
          ...(code !== undefined && { code: String(code) }),
          ...(retryable !== undefined && { retryable: Boolean(retryable) }),
          // A chunk holds no NaN and no Infinity.
          ...(Number.isFinite(retryAfterMs) && { retryAfterMs: retryAfterMs! }),
        };
      }
    } catch (thrown) {
      failure = new AggregateError([error, thrown], "A stream failed, and so did its onError.");
    }
  }
  const isInvalid = error instanceof StreamProtocolError && error.code !== "too-large";
  const chunk = maskFailure(failure, isInvalid ? "invalid-chunk" : "internal");
  if (exposeErrors !== true) return chunk;
  return { ...chunk, message: error instanceof Error ? error.message : String(error) };
}

/** Logs a failure, and creates the `error` chunk that reveals only the id of that log entry. */
export function maskFailure(failure: unknown, code: string): ErrorChunk {
  const correlationId = crypto.randomUUID();
  console.error(`A stream ended with an error (${code}, correlationId ${correlationId}):`, failure);
  return { type: "error", message: "Something went wrong on the server.", code, correlationId };
}
