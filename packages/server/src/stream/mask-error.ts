/**
 * What the client is told when a source fails, and what the server's log says. The only place where an error of the
 * application could reach the wire.
 */
import { type ErrorChunk, StreamProtocolError } from "@kortyx/protocol";

/** What `onError` may answer: the text for the user, or more. */
export type ErrorDescription = string | Pick<ErrorChunk, "message" | "code" | "retryable">;

/** Turns the error of a source into what the client is told. Its answer goes on the wire: put no secret in it. */
export type OnStreamError = (error: unknown) => ErrorDescription | undefined;

/** How the error of a source is told. */
export interface FailureOptions {
  /** Decides what the client is told when the source fails. @defaultValue a generic text with a correlation id */
  onError?: OnStreamError | undefined;
  /**
   * Tells the client the text of the error itself where `onError` does not decide: which chunk is wrong and why, or what the
   * source threw. For development only: such a text may hold secrets.
   *
   * @defaultValue false
   */
  exposeErrors?: boolean | undefined;
}

/**
 * Makes the `error` chunk for a failed source.
 *
 * Without `onError` (or when it throws, or returns anything without a text) the client gets a generic text, or with
 * `exposeErrors` that of the error, and a `correlationId`; the error goes to `console.error` with the same id.
 */
export function maskError(error: unknown, { onError, exposeErrors }: FailureOptions = {}): ErrorChunk {
  let failure = error;
  if (onError !== undefined) {
    try {
      const answer = onError(error);
      const { message, code, retryable }: Partial<ErrorChunk> =
        typeof answer === "string" ? { message: answer } : (answer ?? {});
      // Anything else is no answer: an async onError, for example.
      if (typeof message === "string") {
        return {
          type: "error",
          message,
          ...(code !== undefined && { code: String(code) }),
          ...(retryable !== undefined && { retryable: Boolean(retryable) }),
        };
      }
    } catch (thrown) {
      failure = new AggregateError([error, thrown], "A stream failed, and so did its onError.");
    }
  }
  const chunk = maskFailure(failure, error instanceof StreamProtocolError ? "invalid-chunk" : "internal");
  if (exposeErrors !== true) return chunk;
  return { ...chunk, message: error instanceof Error ? error.message : String(error) };
}

/** Logs a failure, and makes the `error` chunk that names nothing but the id of that entry in the log. */
export function maskFailure(failure: unknown, code: string): ErrorChunk {
  const correlationId = crypto.randomUUID();
  console.error(`A stream ended with an error (${code}, correlationId ${correlationId}):`, failure);
  return { type: "error", message: "Something went wrong on the server.", code, correlationId };
}
