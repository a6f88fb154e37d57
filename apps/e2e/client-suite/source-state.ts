/**
 * The routes with live sources, as the cases see them.
 */

/** What the server tells about the source of a case. */
export interface SourceState {
  /** How many chunks were taken from it. */
  produced: number;
  /** It is running. */
  active: number;
  /** It has come to its `finally`. */
  released: number;
}

/**
 * @param kind - `idle`: one chunk, and then nothing. `ticking`: a small chunk every 5 ms. `fast`: 4 KiB as often as
 * the server takes them.
 */
export const sourceUrl = (baseUrl: string, id: string, kind: "idle" | "ticking" | "fast"): string =>
  `${baseUrl}/source?${new URLSearchParams({ case: id, kind })}`;
