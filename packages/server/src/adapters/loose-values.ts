/** Reads values of servers that follow a provider's format only roughly. */

/** Whether a value is an object with fields; an array is not. */
export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** @returns an object with fields; one without any in place of anything else. */
export const recordOf = (value: unknown): Record<string, unknown> => (isRecord(value) ? value : {});

/** @returns a text that is not empty. Many servers send `""` or `null` for a field that is not set. */
export const textOf = (value: unknown): string | undefined =>
  typeof value === "string" && value !== "" ? value : undefined;

/** @returns the items of a list; none of anything else. */
export const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
