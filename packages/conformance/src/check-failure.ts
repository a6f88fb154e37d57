/** How a check ends that does not hold, and what it compares. */
import { isDeepStrictEqual } from "node:util";

/** The server or the reader did something else than the protocol requires. */
export class CheckFailure extends Error {
  readonly expected: string;
  readonly received: string;

  constructor(expected: string, received: string) {
    super(`expected ${expected}; received ${received}`);
    this.expected = expected;
    this.received = received;
  }
}

/** There was no occasion to check it; the message is the reason. */
export class NotTried extends Error {}

/** @throws CheckFailure unless the condition holds. */
export function check(holds: boolean, expected: string, received: unknown): asserts holds {
  if (!holds) throw new CheckFailure(expected, typeof received === "string" ? received : show(received));
}

/** Compares two values that JSON can print. The order of fields means nothing: some languages and databases sort them. */
export function checkSame(received: unknown, expected: unknown, what: string): void {
  check(isDeepStrictEqual(received, expected), `${what}: ${show(expected)}`, received);
}

export const show = (value: unknown): string => JSON.stringify(value) ?? "undefined";
