/**
 * Folds the chunks of one stream into the assistant message that a UI shows. Knows nothing of sessions, requests or
 * rendering; ignores chunks that are not part of a message (`session`, `status`, `transition`, …).
 *
 * Parts are in the order in which they began. A later piece of a known call, object or question begins no new part.
 * `answer-text.ts` decides which text a chunk belongs to, `tool-call-order.ts` which call; `fold-tool-call.ts` decides
 * what the chunk changes in that call.
 */
import type {
  AssistantMessage,
  InterruptPart,
  MessagePart,
  StepPart,
  StructuredDataPart,
  ToolCallPart,
} from "./assistant-message.ts";
import type { ChatTypes } from "./chat-types.ts";
import {
  type ErrorChunk,
  type InterruptChunk,
  type InterruptResolvedChunk,
  isTerminalChunk,
  type PartMetadataChunk,
  type ProviderFields,
  type StepEndChunk,
  type StepStartChunk,
  type StreamChunk,
  type ToolResultChunk,
  type UnknownChunk,
} from "./chunks.ts";
import { foldHead, type MessageHead } from "./fold-head.ts";
import { foldStructured, type StructuredStreamChunk } from "./fold-structured-data.ts";
import { answerAboutCall, askAboutCall, awaitClient, foldToolCall } from "./fold-tool-call.ts";
import { withProviderMetadata } from "./merge-metadata.ts";
import { MessageParts, nameOf } from "./message-parts.ts";
import { OpenInterrupts } from "./open-interrupts.ts";
import { OwnedContainers } from "./owned-containers.ts";
import { withSafeUrl } from "./safe-url.ts";
import { reduceStreamError } from "./stream-outcome.ts";
import { TextParts } from "./text-parts.ts";
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
  /** The objects and arrays in parts and metadata that no snapshot holds. */
  readonly #owned = new OwnedContainers();
  readonly #parts = new MessageParts();
  readonly #texts = new TextParts(this.#parts, this.#owned);
  readonly #calls = createToolCallOrder();
  readonly #interrupts = new OpenInterrupts();
  #legacyResults = 0;
  #head: MessageHead & Fields;
  #isOver = false;
  /** The snapshot that was handed out, until something changes. */
  #snapshot: (AssistantMessage & Fields) | undefined;

  constructor(fields: Fields | undefined) {
    const { parts, error, abortReason, finishReason, interrupt, interrupts, ...head } = (fields ??
      {}) as Partial<AssistantMessage>;
    this.#head = { ...head, status: "streaming" } as MessageHead & Fields;
    for (const part of parts ?? []) this.#resume(part);
  }

  get message(): AssistantMessage & Fields {
    const { list: parts } = this.#parts;
    // Questions change only together with parts.
    if (this.#snapshot?.parts !== parts) {
      this.#owned.release();
      const { list: interrupts } = this.#interrupts;
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
    this.#end();
    if (this.#head.status === "streaming") this.#setHead({ status });
  }

  /** Adds a part of the earlier message, after those before it. */
  #resume(given: MessagePart): void {
    if (given.type === "text" || given.type === "reasoning") {
      this.#texts.resume(given);
      return;
    }
    const part = withSafeUrl(given);
    const index = this.#parts.add(part);
    if (part.type === "tool-call") {
      this.#calls.resume(part, index);
      if (part.toolCallId.startsWith(legacyId)) this.#legacyResults++;
    } else if (part.type === "interrupt" && !part.resolution) {
      this.#interrupts.add(part);
    }
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
        this.#applyToolCall(chunk, this.#calls.callOf(chunk));
        break;
      case "tool-result":
        this.#applyToolCall(chunk, this.#calls.callOfLegacyResult(chunk) ?? {});
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
        this.#applyPartMetadata(chunk);
        break;
      case "interrupt":
        this.#applyInterrupt(chunk);
        break;
      case "interrupt-resolved":
        this.#applyResolution(chunk);
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
    const pending = (chunk.type === "done" && chunk.pendingToolCallIds) || [];
    for (const toolCallId of pending) this.#changeCall(this.#calls.newestOf(toolCallId), awaitClient);
    const changes = foldHead(this.#head, chunk, this.#owned);
    if (changes) this.#setHead(changes);
  }

  #applyToolCall(chunk: ToolCallChunk | ToolResultChunk, call: OrderedCall): void {
    const toolCallId = "toolCallId" in chunk ? chunk.toolCallId : `${legacyId}${this.#legacyResults++}`;
    const part =
      call.index === undefined
        ? ({ type: "tool-call", toolCallId, tool: "", state: "input-streaming", inputText: "" } as const)
        : (this.#parts.at(call.index) as ToolCallPart);
    const folded = foldToolCall(part, chunk, this.#interrupts.isAbout(toolCallId));
    const changed = withProviderMetadata(folded, chunk as ProviderFields, this.#owned);
    if (call.index === undefined) call.index = this.#begin(changed);
    else this.#parts.set(call.index, changed);
  }

  /** Changes the part of a call, if there is one. */
  #changeCall(call: OrderedCall | undefined, change: (part: ToolCallPart) => ToolCallPart): void {
    if (call?.index !== undefined)
      this.#parts.set(call.index, change(this.#parts.at(call.index) as ToolCallPart));
  }

  #applyPartMetadata(chunk: PartMetadataChunk): void {
    const { toolCallId } = chunk;
    if (toolCallId === undefined) this.#texts.applyMetadata(chunk);
    else
      this.#changeCall(this.#calls.newestOf(toolCallId), (part) =>
        withProviderMetadata(part, chunk, this.#owned),
      );
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
    const index = this.#parts.indexOf(`interrupt:${chunk.requestId}`);
    if (index === undefined) return;
    const question = this.#parts.at(index) as InterruptPart;
    const { toolCallId } = question;
    this.#parts.set(index, { ...question, resolution: chunk });
    this.#interrupts.remove(chunk.requestId);
    const isAsked = this.#interrupts.isAbout(toolCallId);
    this.#changeCall(this.#calls.newestOf(toolCallId), (part) => answerAboutCall(part, isAsked));
  }

  /** Once a step has ended, the same id begins another one. */
  #beginStep({ stepId, name }: StepStartChunk): void {
    const index = this.#parts.indexOf(`step:${stepId}`);
    const known = index === undefined ? undefined : (this.#parts.at(index) as StepPart);
    this.#texts.endUnkeyed();
    if (known?.state === "running") this.#parts.set(index!, { ...known, name: name ?? known.name });
    else this.#begin({ type: "step", stepId, name, state: "running" });
  }

  #endStep({ stepId, finishReason, usage, model }: StepEndChunk): void {
    const index = this.#parts.indexOf(`step:${stepId}`);
    if (index === undefined) return;
    const step = this.#parts.at(index) as StepPart;
    this.#parts.set(index, { ...step, state: "done", finishReason, usage, model });
  }

  #applyStructured(chunk: StructuredStreamChunk): void {
    const index = this.#parts.indexOf(`structured-data:${chunk.streamId}`);
    const before = index === undefined ? undefined : (this.#parts.at(index) as StructuredDataPart);
    const after = foldStructured(before, chunk, this.#owned);
    if (after === before) return;
    const part = after && ({ ...after, type: "structured-data" } as StructuredDataPart);
    if (index === undefined) this.#begin(part!);
    else if (part) this.#parts.set(index, part);
    else this.#parts.remove(index);
  }

  /** Begins a part, or replaces the one with the same name. */
  #put(part: MessagePart): void {
    const index = this.#parts.indexOf(nameOf(part));
    if (index === undefined) this.#begin(part);
    else this.#parts.set(index, part);
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
    this.#parts.closeAll(this.#head.finishReason);
  }
}

/** Parts that split a text without ending it. */
const splitters = new Set<MessagePart["type"]>(["file", "data", "structured-data"]);

/** Begins the id of a call that is known only by its legacy result. */
const legacyId = "tool-result:";
