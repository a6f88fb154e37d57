/**
 * The error for a request whose body was already read: a mistake in the program, not in the request. Reads nothing.
 */

/** The code of the response, with status 500. */
export const usedBodyCode = "body-already-read";

/** The text of the response. */
export const usedBodyText = "The body of the request was read before the route could read it.";

/** The bytes of a body were requested after they had been consumed. */
export class UsedBodyError extends Error {
  override readonly name = "UsedBodyError";
  readonly code = usedBodyCode;

  /** @param remedy - What to change in the program. */
  constructor(remedy: string) {
    super(`${usedBodyText} ${remedy}`);
  }
}

/** Also recognises the error of another copy of this package. */
export const isUsedBodyError = (error: unknown): error is UsedBodyError =>
  error instanceof Error && (error as { code?: unknown }).code === usedBodyCode;
