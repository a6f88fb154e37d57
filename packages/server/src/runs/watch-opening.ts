/**
 * Watches the beginning of a run for the response to its request: what `onStart` or the agent throws on purpose, before
 * the agent has yielded anything, becomes that response. Writes and ends nothing; the writer does.
 */
import type { ErrorChunk } from "@kortyx/protocol";
import { closeIterator, openSource, type StreamSource, toIterator } from "../stream/source.ts";
import { openingWindowMs } from "../stream/stream-options.ts";
import { isThrownOnPurpose } from "../stream/thrown-response.ts";

/**
 * A run counts as begun when its agent was silent for {@link openingWindowMs}, or its `onStart` has taken this long, in
 * milliseconds.
 */
const maxOpeningMs = 1000;

/** How the run ends for its followers: only the request that began it receives the thrown response. */
const refused: ErrorChunk = { type: "error", message: "The request was refused.", code: "refused" };

export interface RunOpening {
  /** The source for the writer: calls `onStart`, then the agent. */
  source: StreamSource;
  /** Resolves when the run has begun. Rejects with the value thrown on purpose before it began. */
  readonly begun: Promise<void>;
  /** Resolves when `onStart` has returned. */
  readonly agentCalled: Promise<void>;
}

/** Watches a source until it has begun. Costs one timer, and nothing after the first chunk. */
export function watchOpening(source: StreamSource, onStart: () => unknown): RunOpening {
  let isOpening = true;
  let onBegun!: () => void;
  let onRefused!: (thrown: unknown) => void;
  const begun = new Promise<void>((resolve, reject) => {
    onBegun = resolve;
    onRefused = reject;
  });
  const { promise: agentCalled, resolve: onAgentCalled } = Promise.withResolvers<void>();
  // The request may no longer be waiting.
  begun.catch(() => {});
  let timer = setTimeout(begin, maxOpeningMs);

  function begin(): void {
    isOpening = false;
    clearTimeout(timer);
    onBegun();
  }

  /** @returns the chunks of a refused run. @throws an error that was not thrown on purpose, or was thrown too late. */
  function refuse(thrown: unknown): ErrorChunk[] {
    const isRefused = isOpening && isThrownOnPurpose(thrown);
    if (isRefused) onRefused(thrown);
    begin();
    if (!isRefused) throw thrown;
    return [refused];
  }

  return {
    begun,
    agentCalled,
    async source({ signal }) {
      try {
        await onStart();
        onAgentCalled();
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
