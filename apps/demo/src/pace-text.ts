/**
 * Hands out a text in pieces of a word each, at the speed at which a model would write it.
 */

/** Whitespace and up to eight characters of the word behind it: what a model calls a token, more or less. */
const piecePattern = /\s*\S{1,8}|\s+/gu;

/** Splits a text into word-sized pieces; joined, they are the text. */
export const splitText = (text: string): string[] => text.match(piecePattern) ?? [];

export interface PaceTextOptions {
  /** `0` hands out everything at once. */
  tokensPerSecond: number;
  /** Ends the iteration at once when aborted, without an error. */
  signal?: AbortSignal | undefined;
}

/** Yields the pieces of a text, the first one at once. Keeps to the rate, however late single timers are. */
export async function* paceText(text: string, options: PaceTextOptions): AsyncGenerator<string> {
  const { tokensPerSecond, signal } = options;
  const intervalMs = tokensPerSecond > 0 ? 1000 / tokensPerSecond : 0;
  const startedAt = Date.now();
  for (const [index, piece] of splitText(text).entries()) {
    const delayMs = startedAt + index * intervalMs - Date.now();
    if (intervalMs > 0 && delayMs >= 1) await sleep(delayMs, signal);
    if (signal?.aborted) return;
    yield piece;
  }
}

/** Resolves after the delay, or at once when the signal is aborted. */
function sleep(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const wake = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", wake);
      resolve();
    };
    const timer = setTimeout(wake, delayMs);
    signal?.addEventListener("abort", wake);
  });
}
