/**
 * The head of an event stream: default headers, overridden by the caller's, and the status. Knows nothing about bodies
 * or sockets.
 */
import { describeValue } from "@kortyx/protocol/internal";

type HeaderValue = string | number | readonly string[];

/** Headers from a caller, also as `res.getHeaders()` returns them; `null` removes a default. */
export type CustomHeaders = RequestInit["headers"] | Record<string, HeaderValue | null | undefined>;

/** `x-accel-buffering` makes nginx pass on each event at once. */
export const defaultHeaders = {
  "content-type": "text/event-stream",
  "cache-control": "no-cache",
  connection: "keep-alive",
  "x-accel-buffering": "no",
};

/** Fetch Standard, "null body status". */
const bodilessStatuses = [204, 205, 304];

export interface EventStreamHead {
  status: number;
  headers: Headers | typeof defaultHeaders;
}

/** @throws TypeError for malformed headers, RangeError for a status that a response with a body cannot have. */
export function createEventStreamHead(options: {
  status?: number | undefined;
  headers?: CustomHeaders | undefined;
}): EventStreamHead {
  const { status = 200, headers } = options;
  // The usual case, without a `Headers` for each stream.
  if (status === 200 && headers === undefined) return { status, headers: defaultHeaders };
  if (!Number.isInteger(status) || status < 200 || status > 599 || bodilessStatuses.includes(status)) {
    throw new RangeError(
      `status must be a whole number from 200 to 599 that allows a body, so not 204, 205 or 304; got ${describeValue(status)}.`,
    );
  }
  return { status, headers: mergeHeaders(headers) };
}

/** The default headers, overridden by the caller's. @throws TypeError for a malformed header. */
function mergeHeaders(custom: CustomHeaders | undefined): Headers {
  const headers = new Headers(defaultHeaders);
  const entries: Iterable<[string, HeaderValue | null | undefined]> =
    custom !== undefined && Symbol.iterator in custom
      ? (custom as Iterable<[string, string]>)
      : Object.entries(custom ?? {});
  const replaced = new Set<string>();
  for (const [name, value] of entries) {
    if (value === undefined) continue;
    // The caller's first value replaces the default; a name may occur more than once, such as `set-cookie`.
    if (!replaced.has(name.toLowerCase())) headers.delete(name);
    replaced.add(name.toLowerCase());
    if (value === null) continue;
    for (const one of [value].flat()) headers.append(name, String(one));
  }
  return headers;
}
