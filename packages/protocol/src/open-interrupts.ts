/**
 * The questions of a message that are open. Asks and answers nothing.
 */
import type { InterruptChunk } from "./chunks.ts";

/** The open questions of one message. Each change takes constant time. */
export class OpenInterrupts {
  /** By `requestId`, oldest first. */
  readonly #open = new Map<string, Readonly<InterruptChunk>>();
  /** The number of open questions about each tool call. */
  readonly #countOfCall = new Map<string | undefined, number>();
  #list: readonly Readonly<InterruptChunk>[] | undefined;

  /** Oldest first; the same array until something changes, undefined if no question is open. */
  get list(): readonly Readonly<InterruptChunk>[] | undefined {
    if (this.#open.size === 0) return undefined;
    this.#list ??= [...this.#open.values()];
    return this.#list;
  }

  /** Whether an open question is about the tool call. */
  isAbout(toolCallId: string | undefined): boolean {
    return (this.#countOfCall.get(toolCallId) ?? 0) > 0;
  }

  /** A question is asked. The same `requestId` again replaces it. One that a policy answers is not open. */
  add(question: Readonly<InterruptChunk>): void {
    const { requestId } = question;
    if (question.isAutomatic) {
      this.remove(requestId);
      return;
    }
    this.#count(this.#open.get(requestId), -1);
    this.#open.set(requestId, question);
    this.#count(question, 1);
  }

  /** A question is closed. */
  remove(requestId: string): void {
    this.#count(this.#open.get(requestId), -1);
    this.#open.delete(requestId);
  }

  #count(question: Readonly<InterruptChunk> | undefined, change: number): void {
    this.#list = undefined;
    const toolCallId = question?.toolCallId ?? undefined;
    if (toolCallId === undefined) return;
    this.#countOfCall.set(toolCallId, (this.#countOfCall.get(toolCallId) ?? 0) + change);
  }
}
