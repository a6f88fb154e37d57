/** Hands out a text in pieces of a word each, as fast as a model would write it. */
import { setTimeout as sleep } from "node:timers/promises";

export interface PaceTextOptions {
  /** `0` hands out everything at once. */
  tokensPerSecond: number;
  signal?: AbortSignal | undefined;
}

/**
 * Yields the pieces of a text, the first one at once. Keeps to the rate, however late single timers are.
 *
 * @throws AbortError when the signal is aborted while it waits.
 */
export async function* paceText(text: string, options: PaceTextOptions): AsyncGenerator<string> {
  const { tokensPerSecond, signal } = options;
  const intervalMs = tokensPerSecond > 0 ? 1000 / tokensPerSecond : 0;
  const startedAt = Date.now();
  for (const [index, piece] of splitText(text).entries()) {
    const delayMs = startedAt + index * intervalMs - Date.now();
    if (delayMs >= 1) await sleep(delayMs, undefined, { signal });
    yield piece;
  }
}

/** Whitespace and up to eight characters of the word after it: about what a model calls a token. */
const piecePattern = /\s*\S{1,8}|\s+/gu;

/** Splits a text into pieces of about a word; joined, they are the text. */
export const splitText = (text: string): string[] => text.match(piecePattern) ?? [];
