/**
 * Folds the chunks of one stream into the assistant message that a UI shows. Knows nothing of sessions, requests or
 * rendering; ignores chunks that are not part of a message (`session`, `status`, `transition`, …).
 *
 * Parts are in the order in which they began. A later piece of a known call, object or question begins no new part.
 * `answer-text.ts` decides which text a chunk belongs to, `tool-call-order.ts` which call; `fold-tool-call.ts` decides
 * what the chunk changes in that call.
 */
import { type AnswerText, AnswerTexts } from "./answer-text.ts";
import {
  type AssistantMessage,
  closePart,
  type InterruptPart,
  type MessagePart,
  type StepPart,
  type StructuredDataPart,
  type TextPart,
  type ToolCallPart,
} from "./assistant-message.ts";
import type { ChatTypes } from "./chat-types.ts";
import {
  type DoneChunk,
  type ErrorChunk,
  type InterruptChunk,
  type InterruptResolvedChunk,
  isTerminalChunk,
  type StepEndChunk,
  type StepStartChunk,
  type StreamChunk,
  type ToolResultChunk,
  type UnknownChunk,
} from "./chunks.ts";
import { foldStructured, type OwnedContainers, type StructuredStreamChunk } from "./fold-structured-data.ts";
import { answerAboutCall, askAboutCall, awaitClient, foldToolCall } from "./fold-tool-call.ts";
import { OpenInterrupts } from "./open-interrupts.ts";
import { reduceStreamError } from "./stream-outcome.ts";
import { createToolCallOrder, type OrderedCall, type ToolCallChunk } from "./tool-call-order.ts";

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
 * If `fields` has `parts`, it is an earlier message in which the stream continues: calls, questions, objects, data, files
 * and steps are found in it by their ids, and texts begin anew. Its status is `streaming` again. Takes time linear in the
 * number of its parts, once, and never changes it.
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
  /** In the order in which they began; a removed part leaves a hole, so that indices never shift. */
  readonly #parts: (MessagePart | undefined)[] = [];
  #hasHoles = false;
  readonly #texts = new AnswerTexts((text, added) => this.#showText(text, added));
  readonly #calls = createToolCallOrder();
  #legacyResults = 0;
  /** The index of each part that a later chunk can name: see {@link nameOf}. */
  readonly #named = new Map<string, number>();
  readonly #interrupts = new OpenInterrupts();
  /** The structured-data containers that no snapshot holds. */
  #owned: OwnedContainers = new WeakSet();
  /** The message without its parts and questions. */
  #head: Omit<AssistantMessage, "parts"> & Fields;
  #isOver = false;
  /** The snapshot that was handed out, until something changes. */
  #snapshot: (AssistantMessage & Fields) | undefined;

  constructor(fields: Fields | undefined) {
    const { parts, error, abortReason, finishReason, interrupt, interrupts, ...head } = (fields ??
      {}) as Partial<AssistantMessage>;
    this.#head = { ...head, status: "streaming" } as Omit<AssistantMessage, "parts"> & Fields;
    for (const part of parts ?? []) this.#resume(part);
  }

  get message(): AssistantMessage & Fields {
    if (!this.#snapshot) {
      this.#owned = new WeakSet();
      const parts = this.#hasHoles ? this.#parts.filter(Boolean) : this.#parts.slice();
      const { list: interrupts } = this.#interrupts;
      const questions = interrupts && { interrupt: interrupts.at(-1), interrupts };
      this.#snapshot = { ...this.#head, ...questions, parts: parts as MessagePart[] };
    }
    return this.#snapshot;
  }

  apply(chunk: StreamChunk | UnknownChunk): void {
    // Nothing may follow a terminal chunk.
    if (this.#isOver) return;
    this.#applyKnown(chunk as StreamChunk);
    const { error } = this.#head;
    if (error || chunk.type === "error") this.#setOutcome(reduceStreamError(error, chunk));
    if (isTerminalChunk(chunk)) this.#closeAll();
  }

  finish(status: "done" | "truncated" | "aborted" = "done"): void {
    if (this.#isOver) return;
    this.#closeAll();
    if (this.#head.status === "streaming") this.#setHead({ status });
  }

  /** Adds a part of the earlier message, after those before it. */
  #resume(given: MessagePart): void {
    // Nothing is added to a text of an earlier stream.
    const part = given.type === "text" || given.type === "reasoning" ? closePart(given) : given;
    const index = this.#begin(part);
    if (part.type === "tool-call") {
      this.#calls.resume(part, index);
      if (part.toolCallId.startsWith(legacyId)) this.#legacyResults++;
    } else if (part.type === "interrupt" && !part.resolution) {
      this.#interrupts.add(part);
    }
  }

  #applyKnown(chunk: StreamChunk): void {
    switch (chunk.type) {
      case "tool-call-start":
      case "tool-call-delta":
      case "tool-call-ready":
      case "tool-call-progress":
      case "tool-call-result":
      case "tool-call-error":
      case "tool-call-denied":
        this.#applyToolCall(chunk, this.#calls.callOf(chunk));
        break;
      case "tool-result":
        this.#applyToolCall(chunk, this.#calls.callOfLegacyResult(chunk) ?? {});
        break;
      case "structured-data":
      case "structured-data-invalidated":
        this.#applyStructured(chunk);
        break;
      case "interrupt":
        this.#applyInterrupt(chunk);
        break;
      case "interrupt-resolved":
        this.#applyResolution(chunk);
        break;
      case "source":
      case "file":
        this.#begin(chunk);
        break;
      case "step-start":
        this.#beginStep(chunk);
        break;
      case "step-end":
        this.#endStep(chunk);
        break;
      case "run-start":
        this.#setHead(
          chunk.continues === undefined ? { id: chunk.runId } : { id: chunk.continues, runId: chunk.runId },
        );
        break;
      case "done":
        this.#applyDone(chunk);
        break;
      case "abort":
        this.#setHead({ status: "aborted", abortReason: chunk.reason });
        break;
      default:
        this.#texts.apply(chunk);
    }
  }

  /** A text has begun, grown or ended. */
  #showText(whole: AnswerText, added: string): void {
    const { type, key, node, text, state, index } = whole;
    if (state === "done" && added === "") {
      if (index !== undefined) this.#close(index);
    } else if (index === undefined) {
      const part: TextPart = { type, key, text: added, state, node };
      const isContinuation = type === "text" && text.length > added.length;
      whole.index = this.#add(isContinuation ? { ...part, isContinuation } : part);
    } else {
      const part = this.#parts[index] as TextPart;
      this.#set(index, { ...part, text: part.text + added });
    }
  }

  /** A file or an object splits a text: what follows becomes another part. */
  #splitText(): void {
    const text = this.#texts.unkeyed;
    if (text?.index === undefined) return;
    this.#close(text.index);
    text.index = undefined;
  }

  #applyToolCall(chunk: ToolCallChunk | ToolResultChunk, call: OrderedCall): void {
    const toolCallId = "toolCallId" in chunk ? chunk.toolCallId : `${legacyId}${this.#legacyResults++}`;
    const part =
      call.index === undefined
        ? ({ type: "tool-call", toolCallId, tool: "", state: "input-streaming", inputText: "" } as const)
        : (this.#parts[call.index] as ToolCallPart);
    const changed = foldToolCall(part, chunk, this.#interrupts.isAbout(toolCallId));
    if (call.index === undefined) call.index = this.#begin(changed);
    else this.#set(call.index, changed);
  }

  /** Changes the part of a call, if the call has one. */
  #changeCall(call: OrderedCall | undefined, change: (part: ToolCallPart) => ToolCallPart): void {
    if (call?.index !== undefined) this.#set(call.index, change(this.#parts[call.index] as ToolCallPart));
  }

  #applyInterrupt(chunk: InterruptChunk): void {
    const { toolCallId } = chunk;
    this.#texts.endUnkeyed();
    this.#put(chunk);
    this.#interrupts.add(chunk);
    const call = this.#calls.ask(toolCallId);
    if (this.#interrupts.isAbout(toolCallId)) this.#changeCall(call, askAboutCall);
  }

  #applyResolution(chunk: InterruptResolvedChunk): void {
    const index = this.#named.get(`interrupt:${chunk.requestId}`);
    if (index === undefined) return;
    const question = this.#parts[index] as InterruptPart;
    const { toolCallId } = question;
    this.#set(index, { ...question, resolution: chunk });
    this.#interrupts.remove(chunk.requestId);
    const isAsked = this.#interrupts.isAbout(toolCallId);
    this.#changeCall(this.#calls.newestOf(toolCallId), (part) => answerAboutCall(part, isAsked));
  }

  /** Once a step has ended, the same id begins another one. */
  #beginStep({ stepId, name }: StepStartChunk): void {
    const index = this.#named.get(`step:${stepId}`);
    const known = index === undefined ? undefined : (this.#parts[index] as StepPart);
    this.#texts.endUnkeyed();
    if (known?.state === "running") this.#set(index!, { ...known, name: name ?? known.name });
    else this.#begin({ type: "step", stepId, name, state: "running" });
  }

  #endStep({ stepId, finishReason, usage, model }: StepEndChunk): void {
    const index = this.#named.get(`step:${stepId}`);
    if (index === undefined) return;
    const step = this.#parts[index] as StepPart;
    this.#set(index, { ...step, state: "done", finishReason, usage, model });
  }

  #applyDone({ pendingToolCallIds, finishReason, usage }: DoneChunk): void {
    for (const id of pendingToolCallIds ?? []) this.#changeCall(this.#calls.newestOf(id), awaitClient);
    this.#setHead({ status: "done", finishReason, usage });
  }

  #applyStructured(chunk: StructuredStreamChunk): void {
    const name = `structured-data:${chunk.streamId}`;
    const index = this.#named.get(name);
    const before = index === undefined ? undefined : (this.#parts[index] as StructuredDataPart);
    const after = foldStructured(before, chunk, this.#owned);
    if (after === before) return;
    const part = after && ({ ...after, type: "structured-data" } as StructuredDataPart);
    if (!part) this.#named.delete(name);
    if (index === undefined) this.#begin(part!);
    else this.#set(index, part);
  }

  /** Begins a part, or replaces the one that it names. */
  #put(part: MessagePart): void {
    const name = nameOf(part);
    const index = name === undefined ? undefined : this.#named.get(name);
    if (index === undefined) this.#begin(part);
    else this.#set(index, part);
  }

  /** A part other than a text begins. @returns its index. */
  #begin(part: MessagePart): number {
    if (part.type === "file" || part.type === "structured-data") this.#splitText();
    else if (part.type !== "source") this.#texts.endUnkeyed();
    return this.#add(part);
  }

  /** @returns the index of the part. */
  #add(part: MessagePart): number {
    const index = this.#parts.length;
    const name = nameOf(part);
    if (name !== undefined) this.#named.set(name, index);
    this.#set(index, part);
    return index;
  }

  #set(index: number, part: MessagePart | undefined): void {
    this.#snapshot = undefined;
    this.#parts[index] = part;
    if (part === undefined) this.#hasHoles = true;
  }

  #setHead(changes: Partial<AssistantMessage>): void {
    this.#snapshot = undefined;
    this.#head = { ...this.#head, ...changes };
  }

  /** @param error - The outcome if nothing more comes; undefined if the error was a warning. */
  #setOutcome(error: Readonly<ErrorChunk> | undefined): void {
    const { status: before, error: errorBefore } = this.#head;
    const status = error ? "error" : before === "error" ? "streaming" : before;
    if (error !== errorBefore || status !== before) this.#setHead({ error, status });
  }

  /** Closes a part. A text that was started but never received a delta is removed from the message. */
  #close(index: number): void {
    const part = this.#parts[index];
    const isEmpty = (part?.type === "text" || part?.type === "reasoning") && part.text === "";
    const closed = part && !isEmpty ? closePart(part, this.#head.finishReason) : undefined;
    if (closed !== part) this.#set(index, closed);
  }

  /** Nothing more comes. */
  #closeAll(): void {
    this.#isOver = true;
    for (let index = 0; index < this.#parts.length; index++) this.#close(index);
  }
}

/** What later chunks call the part by, together with its type; undefined if they cannot name it. */
function nameOf(part: MessagePart): string | undefined {
  switch (part.type) {
    case "structured-data":
      return `structured-data:${part.streamId}`;
    case "interrupt":
      return `interrupt:${part.requestId}`;
    case "step":
      return `step:${part.stepId}`;
    default:
      return undefined;
  }
}

/** Begins the id of a call that is known only by its legacy result. */
const legacyId = "tool-result:";
