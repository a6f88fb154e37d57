/**
 * The beginning of a run, as far as the response to its request depends on it: what `onStart` or the agent throws on
 * purpose, before the agent has given anything, is that response. Writes nothing and ends nothing; the writer does.
 */
import type { ErrorChunk } from "@kortyx/protocol";
import { closeIterator, openSource, type StreamSource, toIterator } from "../stream/source.ts";
import { openingWindowMs } from "../stream/stream-options.ts";
import { isThrownOnPurpose } from "../stream/thrown-response.ts";

/** A run has begun when its agent is silent for {@link openingWindowMs}, or its `onStart` has taken this long. */
const maxOpeningMs = 1000;

/** How the run ends for those who follow it: only the request that began it has its response. */
const refused: ErrorChunk = { type: "error", message: "The request was refused.", code: "refused" };

export interface RunOpening {
  /** The source for the writer: calls `onStart`, then the agent. */
  source: StreamSource;
  /** Resolves when the run has begun. Rejects with what was thrown on purpose in place of a beginning. */
  readonly begun: Promise<void>;
}

/** Watches a source until it has begun. Costs a timer, and nothing from the second chunk on. */
export function watchOpening(source: StreamSource, onStart: () => unknown): RunOpening {
  let isOpening = true;
  let onBegun!: () => void;
  let onRefused!: (thrown: unknown) => void;
  const begun = new Promise<void>((resolve, reject) => {
    onBegun = resolve;
    onRefused = reject;
  });
  // Nobody may be waiting any more.
  begun.catch(() => {});
  let timer = setTimeout(begin, maxOpeningMs);

  function begin(): void {
    isOpening = false;
    clearTimeout(timer);
    onBegun();
  }

  /** @returns the chunks of a run that was refused. @throws what was not thrown on purpose, or too late. */
  function refuse(thrown: unknown): ErrorChunk[] {
    const isRefused = isOpening && isThrownOnPurpose(thrown);
    if (isRefused) onRefused(thrown);
    begin();
    if (!isRefused) throw thrown;
    return [refused];
  }

  return {
    begun,
    async source({ signal }) {
      try {
        await onStart();
        if (isOpening) {
          clearTimeout(timer);
          timer = setTimeout(begin, openingWindowMs);
        }
        const iterator = toIterator(await openSource(source, signal));
        let next = async (): Promise<IteratorResult<unknown>> => {
          next = () => iterator.next() as Promise<IteratorResult<unknown>>;
          try {
            const result = await iterator.next();
            begin();
            return result;
          } catch (thrown) {
            const chunks = refuse(thrown).values();
            next = async () => chunks.next();
            return chunks.next();
          }
        };
        return {
          [Symbol.asyncIterator]: () => ({ next: () => next(), return: () => closeIterator(iterator) }),
        } as unknown as AsyncIterable<never>;
      } catch (thrown) {
        return refuse(thrown);
      }
    },
  };
}
