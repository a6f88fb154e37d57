/**
 * Compares JSON values.
 */

/** Whether two values print the same JSON. Costs what both hold. */
export function isSameJSON(one: unknown, other: unknown): boolean {
  try {
    return one === other || JSON.stringify(one) === JSON.stringify(other);
  } catch {
    // Nested too deeply for the stack, or not JSON: such values cannot be compared and do not count as equal.
    return false;
  }
}
