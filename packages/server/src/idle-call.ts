/**
 * Tells when no promise is ready any more, without leaving the macrotask: the moment at which a chunk that has waited
 * for company has to go.
 */

type NextTick = (callback: () => void) => void;

/**
 * Node, Bun and Deno run these callbacks when the promise queue is empty. Taken at load time, so that a test's fake
 * clock does not hold them back.
 */
const runtimeNextTick = (globalThis as { process?: { nextTick?: NextTick } }).process?.nextTick;

/** Elsewhere: after so many turns of the promise queue in which nothing came, none is taken to be ready. */
const maxIdleTurns = 32;
const settled = Promise.resolve();

/**
 * @returns A function to call whenever something has come. `callback` runs once, when nothing more does.
 */
export function createIdleCall(
  callback: () => void,
  nextTick: NextTick | null = runtimeNextTick ?? null,
): () => void {
  let isScheduled = false;
  let idleTurns = 0;

  function run(): void {
    isScheduled = false;
    callback();
  }

  function countTurn(): void {
    if (++idleTurns < maxIdleTurns) settled.then(countTurn);
    else run();
  }

  return () => {
    idleTurns = 0;
    if (isScheduled) return;
    isScheduled = true;
    if (nextTick !== null) nextTick(run);
    else settled.then(countTurn);
  };
}
