/**
 * Folds the chunks of one stream into the assistant message that a UI shows. Knows nothing of sessions, requests or
 * rendering; ignores chunks that are not part of a message (`session`, `status`, `transition`, …).
 *
 * Parts are in the order in which they began. A later piece of a known call, object or question begins no new part.
 * `text-parts.ts` writes texts, `call-parts.ts` tool calls and questions, `fold-head.ts` everything but the parts.
 */
import {
  type AssistantMessage,
  closePart,
  type MessagePart,
  type StepPart,
  type StructuredDataPart,
} from "./assistant-message.ts";
import { CallParts } from "./call-parts.ts";
import type { ChatTypes } from "./chat-types.ts";
import {
  type ErrorChunk,
  isTerminalChunk,
  type StepEndChunk,
  type StepStartChunk,
  type StreamChunk,
  type UnknownChunk,
} from "./chunks.ts";
import { foldHead, type MessageHead } from "./fold-head.ts";
import { foldStructured, type StructuredStreamChunk } from "./fold-structured-data.ts";
import { MessageParts, nameOf } from "./message-parts.ts";
import { OwnedContainers } from "./owned-containers.ts";
import { withSafeUrl } from "./safe-url.ts";
import { reduceStreamError } from "./stream-outcome.ts";
import { TextParts } from "./text-parts.ts";

/**
 * Folds the chunks of one stream into its message.
 *
 * @typeParam Fields - Additional fields of the message, present from the beginning.
 */
export interface MessageAccumulator<Types extends ChatTypes = ChatTypes, Fields = unknown> {
  /**
   * Applies the next chunk. The cost depends on the size of the chunk, not on that of the message.
   *
   * @throws StreamProtocolError `invalid-structured-data` for a `structured-data` chunk that cannot be applied; the
   * message is then unchanged.
   */
  apply(chunk: StreamChunk | UnknownChunk): void;
  /**
   * Ends the message: no more chunks come, and open parts are closed. `truncated` for a stream that was cut off,
   * `aborted` for one that the user left. An applied terminal chunk or final `error` takes precedence.
   */
  finish(status?: "done" | "truncated" | "aborted"): void;
  /** The message so far. The same object until something changes; unchanged parts keep their identity. */
  readonly message: AssistantMessage<Types> & Fields;
}

/**
 * Folds a whole stream that ended in order.
 *
 * @throws StreamProtocolError as {@link MessageAccumulator.apply} does.
 *
 * @example
 * ```ts
 * const message = reduceMessage([
 *   { type: "text-delta", delta: "Hello" },
 *   { type: "text-delta", delta: ", world" },
 *   { type: "done" },
 * ]);
 * message.status; // "done"
 * joinTextParts(message.parts); // "Hello, world"
 * ```
 */
export function reduceMessage<Types extends ChatTypes = ChatTypes>(
  chunks: Iterable<StreamChunk | UnknownChunk>,
): AssistantMessage<Types> {
  const accumulator = createMessageAccumulator<Types>();
  for (const chunk of chunks) accumulator.apply(chunk);
  accumulator.finish();
  return accumulator.message;
}

/**
 * Creates a fold over the chunks of one stream.
 *
 * If `fields` has `parts`, it is an earlier message in which the stream continues: calls, questions, objects, data and
 * files are found in it by their ids, while texts and steps begin anew. Its status is `streaming` again. Takes time
 * linear in the number of its parts, once, and never changes it.
 *
 * @param fields - Additional fields of the message; the run's id, or that of the message that the run continues, replaces
 * `id` as soon as a chunk carries it.
 *
 * @example
 * ```ts
 * const accumulator = createMessageAccumulator();
 * for await (const chunk of stream) {
 *   accumulator.apply(chunk);
 *   render(accumulator.message);
 * }
 * accumulator.finish();
 * ```
 */
export function createMessageAccumulator<Types extends ChatTypes = ChatTypes, Fields = unknown>(
  fields?: Fields,
): MessageAccumulator<Types, Fields> {
  return new MessageFold(fields) as unknown as MessageAccumulator<Types, Fields>;
}

class MessageFold<Fields> implements MessageAccumulator<ChatTypes, Fields> {
  /** The objects and arrays in parts and metadata that no snapshot holds. */
  readonly #owned = new OwnedContainers();
  readonly #parts = new MessageParts();
  readonly #texts = new TextParts(this.#parts, this.#owned);
  readonly #calls = new CallParts(this.#parts, this.#owned, (part) => this.#put(part));
  /** The index of each running step, by id. */
  readonly #steps = new Map<string, number[]>();
  /** The number of parts of the earlier message. */
  readonly #earlier: number;
  #head: MessageHead & Fields;
  #isOver = false;
  /** The snapshot that was handed out, until something changes. */
  #snapshot: (AssistantMessage & Fields) | undefined;

  constructor(fields: Fields | undefined) {
    const { parts, error, abortReason, finishReason, interrupt, interrupts, ...given } = (fields ??
      {}) as Partial<AssistantMessage>;
    this.#head = { ...given, status: "streaming" } as MessageHead & Fields;
    const earlier = parts?.filter(Boolean) ?? [];
    for (const part of earlier) this.#resume(given.status === "streaming" ? closePart(part) : part);
    this.#earlier = earlier.length;
    this.#calls.closeQuestions(given.status ?? "done", finishReason);
  }

  get message(): AssistantMessage & Fields {
    const { list: parts } = this.#parts;
    const { interrupts } = this.#calls;
    if (this.#snapshot?.parts !== parts || this.#snapshot.interrupts !== interrupts) {
      this.#owned.release();
      const questions = interrupts && { interrupt: interrupts.at(-1), interrupts };
      this.#snapshot = { ...this.#head, ...questions, parts };
    }
    return this.#snapshot;
  }

  apply(chunk: StreamChunk | UnknownChunk): void {
    // Nothing may follow a terminal chunk.
    if (this.#isOver) return;
    this.#applyKnown(chunk as StreamChunk);
    const { error } = this.#head;
    if (error || chunk.type === "error") this.#setOutcome(reduceStreamError(error, chunk));
    if (isTerminalChunk(chunk)) this.#end();
  }

  finish(status: "done" | "truncated" | "aborted" = "done"): void {
    if (this.#isOver) return;
    if (this.#head.status === "streaming") this.#setHead({ status });
    this.#end();
  }

  /** Adds a part of the earlier message, after those before it. */
  #resume(given: MessagePart): void {
    if (given.type === "text" || given.type === "reasoning") {
      this.#texts.resume(given);
      return;
    }
    const part = withSafeUrl(given);
    this.#calls.resume(part, this.#parts.add(part));
  }

  #applyKnown(chunk: StreamChunk): void {
    switch (chunk.type) {
      case "text-delta":
      case "reasoning-delta":
      case "text-start":
      case "text-end":
      case "reasoning-start":
      case "reasoning-end":
      case "message":
        this.#texts.apply(chunk);
        break;
      case "tool-call-start":
      case "tool-call-delta":
      case "tool-call-ready":
      case "tool-call-progress":
      case "tool-call-result":
      case "tool-call-error":
      case "tool-call-denied":
      case "tool-result":
        this.#calls.apply(chunk);
        break;
      case "structured-data":
      case "structured-data-invalidated":
        this.#applyStructured(chunk);
        break;
      case "data":
        if (!chunk.transient) this.#put(chunk);
        break;
      case "source":
      case "file":
        this.#put(withSafeUrl(chunk));
        break;
      case "part-metadata":
        if (chunk.toolCallId === undefined) this.#texts.applyMetadata(chunk);
        else this.#calls.applyMetadata(chunk);
        break;
      case "interrupt":
        this.#texts.endUnkeyed();
        this.#calls.ask(chunk);
        break;
      case "interrupt-resolved":
        this.#calls.resolve(chunk);
        break;
      case "step-start":
        this.#beginStep(chunk);
        break;
      case "step-end":
        this.#endStep(chunk);
        break;
      default:
        this.#applyToHead(chunk);
    }
  }

  #applyToHead(chunk: StreamChunk): void {
    if (chunk.type === "done") this.#calls.awaitClient(chunk.pendingToolCallIds ?? []);
    const changes = foldHead(this.#head, chunk, this.#owned);
    if (changes) this.#setHead(changes);
  }

  #beginStep({ stepId, name }: StepStartChunk): void {
    const index = this.#begin({ type: "step", stepId, name, state: "running" });
    const running = this.#steps.get(stepId);
    if (running) running.push(index);
    else this.#steps.set(stepId, [index]);
  }

  #endStep({ stepId, finishReason, usage, model }: StepEndChunk): void {
    const index = this.#steps.get(stepId)?.pop();
    if (index === undefined) return;
    const step = this.#parts.at(index) as StepPart;
    this.#parts.set(index, { ...step, state: "done", finishReason, usage, model });
  }

  #applyStructured(chunk: StructuredStreamChunk): void {
    const known = this.#parts.indexOf("structured-data", chunk.streamId);
    const object = known === undefined ? undefined : (this.#parts.at(known) as StructuredDataPart);
    // An object that was finished before this stream is changed by none of its chunks, only removed.
    const isEarlier = known !== undefined && known < this.#earlier && object?.status === "done";
    const isNew = isEarlier && chunk.type === "structured-data";
    const [index, before] = isNew ? [] : [known, object];
    const after = foldStructured(before, chunk, this.#owned);
    if (after === before) return;
    const part = after && ({ ...after, type: "structured-data" } as StructuredDataPart);
    if (index === undefined) this.#begin(part!);
    else if (part) this.#parts.set(index, part);
    else this.#parts.remove(index);
  }

  /** Begins a part, or replaces the one with the same name. @returns its index. */
  #put(part: MessagePart): number {
    const index = this.#parts.indexOf(part.type, nameOf(part));
    if (index === undefined) return this.#begin(part);
    this.#parts.set(index, part);
    return index;
  }

  /** A part other than a text begins. @returns its index. */
  #begin(part: MessagePart): number {
    if (splitters.has(part.type)) this.#texts.splitUnkeyed();
    else if (part.type !== "source") this.#texts.endUnkeyed();
    return this.#parts.add(part);
  }

  #setHead(changes: Partial<MessageHead>): void {
    this.#snapshot = undefined;
    this.#head = { ...this.#head, ...changes };
  }

  /** @param error - The outcome if nothing more comes; undefined if the error was a warning. */
  #setOutcome(error: Readonly<ErrorChunk> | undefined): void {
    const { status: before, error: errorBefore } = this.#head;
    const status = error ? "error" : before === "error" ? "streaming" : before;
    if (error !== errorBefore || status !== before) this.#setHead({ error, status });
  }

  /** Nothing more comes. */
  #end(): void {
    this.#isOver = true;
    this.#calls.end(this.#head);
  }
}

/** Parts that split a text without ending it. */
const splitters = new Set<MessagePart["type"]>(["file", "data", "structured-data"]);
