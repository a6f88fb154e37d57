/**
 * The questions of a message that are open. Asks and answers nothing.
 */
import type { InterruptChunk } from "./chunks.ts";

interface OpenInterrupt {
  readonly question: Readonly<InterruptChunk>;
  /** The index of its part. */
  readonly index: number;
}

/** The open questions of one message. Each change takes constant time, except the end. */
export class OpenInterrupts {
  /** By `requestId`. */
  readonly #open = new Map<string, OpenInterrupt>();
  /** The `requestId`s of the open questions about each tool call. */
  readonly #ofCall = new Map<string | undefined, Set<string>>();
  #list: readonly Readonly<InterruptChunk>[] | undefined;

  /** In the order of their parts; the same array until something changes, undefined if no question is open. */
  get list(): readonly Readonly<InterruptChunk>[] | undefined {
    if (this.#open.size === 0) return undefined;
    this.#list ??= [...this.#open.values()]
      .sort((one, other) => one.index - other.index)
      .map(({ question }) => question);
    return this.#list;
  }

  /** @returns the `requestId`s of the open questions about the tool call. */
  about(toolCallId: string | undefined): ReadonlySet<string> {
    return this.#ofCall.get(toolCallId) ?? none;
  }

  /** A question is asked. The same `requestId` again replaces it. One that a policy answers is not open. */
  add(question: Readonly<InterruptChunk>, index: number): void {
    const { requestId, toolCallId, isAutomatic } = question;
    this.remove(requestId);
    if (isAutomatic) return;
    this.#list = undefined;
    this.#open.set(requestId, { question, index });
    const ofCall = this.#ofCall.get(toolCallId);
    if (ofCall) ofCall.add(requestId);
    else if (toolCallId !== undefined) this.#ofCall.set(toolCallId, new Set([requestId]));
  }

  /** A question is closed. */
  remove(requestId: string): void {
    this.#ofCall.get(this.#open.get(requestId)?.question.toolCallId)?.delete(requestId);
    if (this.#open.delete(requestId)) this.#list = undefined;
  }

  /** The answer has ended for a reason that lets no tool call wait. */
  removeAboutCalls(): void {
    for (const requestIds of this.#ofCall.values())
      for (const requestId of requestIds) this.remove(requestId);
  }

  /** The answer was cut off: nothing waits for an answer. */
  clear(): void {
    this.#open.clear();
    this.#ofCall.clear();
  }
}

const none: ReadonlySet<string> = new Set();
