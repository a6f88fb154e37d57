/**
 * Parses `content-type` headers. Knows no particular media type.
 */

const token = "[\\w!#$%&'*+.^`|~-]+";

/** One value of the header: a type, a subtype and any parameters. */
const mediaTypePattern = new RegExp(`^[\\t\\n\\r ]*(${token}/${token})[\\t\\n\\r ]*(?:;|$)`);

/** The values of a repeated header: separated by commas, except within quoted strings. */
const valuePattern = /(?:[^",]|"(?:\\.|[^"\\])*(?:"|\\?$))+/g;

/**
 * Fetch Standard, "extract a MIME type": of several values, the last valid one counts.
 *
 * @param header - The `content-type`, with several header lines joined by commas, as `Headers` gives it.
 * @returns the media type in lower case, without parameters; `""` if there is none.
 *
 * @example
 * ```ts
 * parseMediaType("text/event-stream; charset=utf-8"); // "text/event-stream"
 * ```
 */
export function parseMediaType(header: string | null | undefined): string {
  const types = header?.match(valuePattern)?.map((value) => mediaTypePattern.exec(value)?.[1]) ?? [];
  return types.findLast((type) => type && type !== "*/*")?.toLowerCase() ?? "";
}
