/**
 * A failure that a provider reports inside its stream, where no SDK has thrown it. Its message is the provider's: it never
 * becomes a chunk.
 */
import { isRecord, textOf } from "./loose-values.ts";

/** Has the fields of the SDKs' errors, so that `describeProviderError` reads it as one of them. */
export class ProviderError extends Error {
  override readonly name = "ProviderError";
  /** The provider's name. */
  readonly provider: string;
  /** What the provider sent. */
  readonly error: unknown;
  /** The provider's word for the kind of the failure, such as `overloaded_error`. */
  readonly type: string | undefined;
  /** The provider's code, such as `rate_limit_exceeded`. */
  readonly code: string | undefined;
  /** The status that the response would have had; servers that are compatible with OpenAI send it as the code. */
  readonly status: number | undefined;

  /** @param error - `{ message, type, code }`, or whatever else came. */
  constructor(provider: string, error: unknown) {
    const { message, type, code, status } = isRecord(error) ? error : { message: error };
    super(`${provider} reports a failure: ${textOf(message) ?? JSON.stringify(error ?? null)}`);
    this.provider = provider;
    this.error = error;
    this.type = textOf(type);
    this.code = textOf(code);
    this.status = [status, code].find((value) => typeof value === "number");
  }
}
