/** How long a provider asks to wait, from the headers of its response. */

/**
 * @param headers - `Headers`, or a plain object.
 * @returns milliseconds; undefined if the response names no delay.
 */
export function readRetryAfterMs(headers: unknown): number | undefined {
  const exact = readNumber(readHeader(headers, "retry-after-ms"));
  if (exact !== undefined) return Math.ceil(exact);
  const value = readHeader(headers, "retry-after");
  const seconds = readNumber(value);
  if (seconds !== undefined) return Math.ceil(seconds * 1000);
  // RFC 9110, 10.2.3: or a date.
  const at = value === undefined ? Number.NaN : Date.parse(value);
  return Number.isNaN(at) ? undefined : Math.max(0, at - Date.now());
}

function readNumber(value: string | undefined): number | undefined {
  return value !== undefined && /^\d+(?:\.\d+)?$/.test(value) ? Number(value) : undefined;
}

function readHeader(headers: unknown, name: string): string | undefined {
  if (typeof headers !== "object" || headers === null) return undefined;
  const value: unknown =
    "get" in headers && typeof headers.get === "function"
      ? headers.get(name)
      : Object.entries(headers).find(([key]) => key.toLowerCase() === name)?.[1];
  return typeof value === "string" || typeof value === "number" ? String(value).trim() : undefined;
}
