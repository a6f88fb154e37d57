/**
 * The messages that calls of `onFinish` may be saving, for requests that continue one of them. On `globalThis`, as the
 * open streams of the process are. Loads and saves nothing.
 */
import { setRealTimeout } from "./start-timer.ts";

/** How long a request waits for a message, after the end of its stream, in milliseconds. */
const maxSaveMs = 10_000;
const pollMs = 5;

const key = Symbol.for("@kortyx/server/saves");

/** The end of the newest stream of each message, on the clock of `performance.now()`. */
function messageSaves(): Map<string, { readonly endedAt: number }> {
  const holder = globalThis as { [key]?: ReturnType<typeof messageSaves> };
  holder[key] ??= new Map();
  return holder[key];
}

/** The name of a message here. A client chooses the id that it continues: it must not wait for another owner's. */
export const messageKeyOf = (owner: string | undefined, messageId: string): string =>
  JSON.stringify([owner ?? "", messageId]);

/**
 * To be called before a client can see the end of an answer, because its next request may come at once.
 *
 * @returns a function to call when `onFinish` has returned.
 */
export function registerSave(messageKey: string): () => void {
  const saves = messageSaves();
  const save = { endedAt: performance.now() };
  forgetBefore(save.endedAt - maxSaveMs);
  // Last, because the oldest come first.
  saves.delete(messageKey);
  saves.set(messageKey, save);
  return () => {
    if (saves.get(messageKey) === save) saves.delete(messageKey);
  };
}

/** No request waits for these any more: an `onFinish` that never returns must not keep its message here. */
function forgetBefore(time: number): void {
  for (const [messageKey, { endedAt }] of messageSaves()) {
    if (endedAt > time) return;
    messageSaves().delete(messageKey);
  }
}

/** Resolves when this process is not saving the message, or 10 s after the end of its stream. */
export async function whenSaved(messageKey: string): Promise<void> {
  const endedAt = () => messageSaves().get(messageKey)?.endedAt ?? Number.NEGATIVE_INFINITY;
  // On Workers, a request cannot wait for a promise of another one.
  while (performance.now() < endedAt() + maxSaveMs) {
    await new Promise((resolve) => setRealTimeout(resolve, pollMs));
  }
}
