/**
 * What the client is told when a source fails, and what the server's log says. The only place where an error of the
 * application could reach the wire.
 */
import { type ErrorChunk, StreamProtocolError } from "@kortyx/protocol";

/** What `onError` may answer: the text for the user, or more. */
export type ErrorDescription = string | Pick<ErrorChunk, "message" | "code" | "retryable">;

/** Turns the error of a source into what the client is told. Its answer goes on the wire: put no secret in it. */
export type OnStreamError = (error: unknown) => ErrorDescription | undefined;

/**
 * Makes the `error` chunk for a failed source.
 *
 * Without `onError` (or when it throws, or answers anything without a text) the client gets a generic text and a `correlationId`,
 * and the real error goes to `console.error` with the same id.
 */
export function describeFailure(error: unknown, onError: OnStreamError | undefined): ErrorChunk {
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
  return maskFailure(failure, error instanceof StreamProtocolError ? "invalid-chunk" : "internal");
}

/** Logs a failure, and makes the `error` chunk that names nothing but the id of that entry in the log. */
export function maskFailure(failure: unknown, code: string): ErrorChunk {
  const correlationId = crypto.randomUUID();
  console.error(`A stream ended with an error (${code}, correlationId ${correlationId}):`, failure);
  return { type: "error", message: "Something went wrong on the server.", code, correlationId };
}
