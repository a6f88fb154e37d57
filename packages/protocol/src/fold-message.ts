/**
 * Folds the chunks of one stream into the assistant message that a UI shows. Knows nothing of sessions, requests or
 * rendering; ignores chunks that are not part of a message (`session`, `status`, `trace`, …).
 *
 * Parts are in the order in which they began. A later piece of a known call or object begins no new part.
 * `answer-text.ts` decides which text a chunk belongs to, `tool-call-order.ts` which call.
 */
import { type AnswerText, AnswerTexts } from "./answer-text.ts";
import {
  type AssistantMessage,
  closePart,
  type MessagePart,
  type StructuredDataPart,
  type TextPart,
  type ToolCallPart,
} from "./assistant-message.ts";
import type { ChatTypes } from "./chat-types.ts";
import {
  type ErrorChunk,
  isTerminalChunk,
  type StreamChunk,
  type StreamChunkOf,
  type ToolResultChunk,
  type UnknownChunk,
} from "./chunks.ts";
import { foldStructured, type OwnedContainers, type StructuredStreamChunk } from "./fold-structured-data.ts";
import { reduceStreamError } from "./stream-outcome.ts";
import { createToolCallOrder, type OrderedCall } from "./tool-call-order.ts";

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

type ToolCallChunk = StreamChunkOf<
  "tool-call-start" | "tool-call-delta" | "tool-call-ready" | "tool-call-result" | "tool-call-error"
>;

/**
 * Creates a fold over the chunks of one stream.
 *
 * @param fields - Additional fields of the message; the run's id replaces `id` as soon as a chunk carries it.
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
  /** The index of each structured object among the parts. */
  readonly #objects = new Map<string, number>();
  /** The structured-data containers that no snapshot holds. */
  #owned: OwnedContainers = new WeakSet();
  /** The message without its parts. */
  #head: Omit<AssistantMessage, "parts"> & Fields;
  #isOver = false;
  /** The snapshot that was handed out, until something changes. */
  #snapshot: (AssistantMessage & Fields) | undefined;

  constructor(fields: Fields | undefined) {
    this.#head = { ...fields, status: "streaming" } as Omit<AssistantMessage, "parts"> & Fields;
  }

  get message(): AssistantMessage & Fields {
    if (!this.#snapshot) {
      this.#owned = new WeakSet();
      const parts = this.#hasHoles ? this.#parts.filter(Boolean) : this.#parts.slice();
      this.#snapshot = { ...this.#head, parts: parts as MessagePart[] };
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

  #applyKnown(chunk: StreamChunk): void {
    switch (chunk.type) {
      case "tool-call-start":
      case "tool-call-delta":
      case "tool-call-ready":
      case "tool-call-result":
      case "tool-call-error":
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
        this.#setHead({ interrupt: chunk });
        this.#begin(chunk);
        break;
      case "source":
      case "file":
        this.#begin(chunk);
        break;
      case "run-start":
        this.#setHead({ id: chunk.runId });
        break;
      case "done":
        this.#setHead({ status: "done", usage: chunk.usage });
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
    const toolCallId = "toolCallId" in chunk ? chunk.toolCallId : `tool-result:${this.#legacyResults++}`;
    const part =
      call.index === undefined
        ? ({ type: "tool-call", toolCallId, tool: "", state: "input-streaming", inputText: "" } as const)
        : (this.#parts[call.index] as ToolCallPart);
    const { tool = part.tool, node = part.node } = chunk;
    const changed: ToolCallPart = { ...part, tool, node, ...changesOf(chunk, part) };
    if (call.index === undefined) call.index = this.#begin(changed);
    else this.#set(call.index, changed);
  }

  #applyStructured(chunk: StructuredStreamChunk): void {
    const { streamId } = chunk;
    const index = this.#objects.get(streamId);
    const before = index === undefined ? undefined : (this.#parts[index] as StructuredDataPart);
    const after = foldStructured(before, chunk, this.#owned);
    if (after === before) return;
    const part = after && ({ ...after, type: "structured-data" } as StructuredDataPart);
    if (!part) this.#objects.delete(streamId);
    if (index !== undefined) this.#set(index, part);
    else this.#objects.set(streamId, this.#begin(part!));
  }

  /** A part other than a text begins. @returns its index. */
  #begin(part: MessagePart): number {
    if (part.type === "file" || part.type === "structured-data") this.#splitText();
    else if (part.type !== "source") this.#texts.endUnkeyed();
    return this.#add(part);
  }

  /** @returns the index of the part. */
  #add(part: MessagePart): number {
    this.#set(this.#parts.length, part);
    return this.#parts.length - 1;
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
    const closed = part && !isEmpty ? closePart(part) : undefined;
    if (closed !== part) this.#set(index, closed);
  }

  /** Nothing more comes. */
  #closeAll(): void {
    this.#isOver = true;
    for (let index = 0; index < this.#parts.length; index++) this.#close(index);
  }
}

/** What a chunk changes in its call. A finished call stays finished; its late input is added. */
function changesOf(
  chunk: ToolCallChunk | ToolResultChunk,
  { state, inputText }: ToolCallPart,
): Partial<ToolCallPart> {
  const isOver = state === "done" || state === "error";
  switch (chunk.type) {
    case "tool-call-start":
    case "tool-call-ready":
      return chunk.input === undefined ? {} : { input: chunk.input, state: isOver ? state : "running" };
    case "tool-call-delta":
      return { inputText: inputText + chunk.delta };
    case "tool-result":
      return { state: "done", content: chunk.content };
    case "tool-call-result": {
      const { content, structuredContent, isError } = chunk;
      return { state: isError === true ? "error" : "done", content, structuredContent };
    }
    case "tool-call-error":
      return { state: "error", errorMessage: chunk.message };
  }
}
