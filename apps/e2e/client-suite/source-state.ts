/**
 * The routes with live sources, as the cases see them.
 */

/** The state of the source of a case. */
export interface SourceState {
  /** The number of chunks taken from it. */
  produced: number;
  /** The number of sources that are running. */
  active: number;
  /** The number of sources that have reached their `finally`. */
  released: number;
}

/**
 * @param kind - `idle`: one chunk, and then nothing. `ticking`: a small chunk every 5 ms. `fast`: 4 KiB as often as
 * the server takes them.
 */
export const sourceUrl = (baseUrl: string, id: string, kind: "idle" | "ticking" | "fast"): string =>
  `${baseUrl}/source?${new URLSearchParams({ case: id, kind })}`;
