/**
 * Rejects invalid options from untyped code in the call that receives them, instead of at the first request. Shared by
 * client and server; knows no particular option.
 */
import { describeValue } from "./describe-value.ts";

/** @throws TypeError that names the option, what was expected and what was received. */
export function checkOption(name: string, isValid: boolean, expected: string, value: unknown): void {
  if (!isValid) throw new TypeError(`${name} must be ${expected}; got ${describeValue(value)}.`);
}

/** @throws TypeError for an option that is not an object. */
export const checkObjectOption = (name: string, value: unknown, expected: string): void =>
  checkOption(name, typeof value === "object" && value !== null, expected, value);

/** @throws TypeError for an option that is set and is not a function. */
export const checkFunctionOption = (name: string, value: unknown): void =>
  checkOption(name, value === undefined || typeof value === "function", "a function", value);

/** @throws TypeError for an option that is set and is not a boolean. */
export const checkBooleanOption = (name: string, value: unknown): void =>
  checkOption(name, value === undefined || typeof value === "boolean", "a boolean", value);

/**
 * @throws RangeError for an option that is set and is not a number, is NaN, or is negative. `Infinity` means no limit.
 */
export function checkLimitOption(name: string, value: unknown): void {
  if (value === undefined || (typeof value === "number" && value >= 0)) return;
  throw new RangeError(`${name} must be a number, 0 or more; got ${describeValue(value)}.`);
}
