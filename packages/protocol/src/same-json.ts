/**
 * Compares JSON values.
 */

/** Whether two values print the same JSON. The cost is linear in the size of both. */
export function isSameJSON(one: unknown, other: unknown): boolean {
  try {
    return one === other || JSON.stringify(one) === JSON.stringify(other);
  } catch {
    // Nested too deeply for the stack, or not JSON: such values cannot be compared and do not count as equal.
    return false;
  }
}
