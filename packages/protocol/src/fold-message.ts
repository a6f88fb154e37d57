/**
 * Folds the chunks of one stream into the assistant message that a UI shows. Knows nothing of sessions, requests or
 * rendering; chunks that are not part of a message (`session`, `status`, `trace`, …) are passed over.
 *
 * Parts stand in the order in which they began. A text or reasoning with a key runs beside the others until its `-end`. One
 * without a key also ends where another part begins: a later piece of a known call or object begins nothing, and a source
 * stands beside the text.
 */
import {
  type AssistantMessage,
  closePart,
  type MessagePart,
  type StructuredDataPart,
  type TextPart,
  type ToolCallPart,
} from "./assistant-message.ts";
import {
  type ErrorChunk,
  isTerminalChunk,
  type MessageChunk,
  type StreamChunk,
  type StreamChunkOf,
  type ToolResultChunk,
  type UnknownChunk,
} from "./chunks.ts";
import { foldStructured, type OwnedContainers, type StructuredStreamChunk } from "./fold-structured-data.ts";
import { createSaidTexts } from "./said-texts.ts";
import { reduceStreamError } from "./stream-outcome.ts";
import { createToolCallOrder, type OrderedCall } from "./tool-call-order.ts";

/** @typeParam Fields - What the message has besides, from the beginning. */
export interface MessageAccumulator<Fields = unknown> {
  /**
   * Applies the next chunk. Costs what the chunk holds, not what the message holds.
   *
   * @throws StreamProtocolError `invalid-structured-data` for a `structured-data` chunk that cannot be applied; the
   * message is then what it was before.
   */
  apply(chunk: StreamChunk | UnknownChunk): void;
  /**
   * Tells that no more chunks come: closes what is open. `truncated` for a stream that was cut, `aborted` for one that
   * the user left. A terminal chunk or an `error` that was applied has the last word.
   */
  finish(status?: "done" | "truncated" | "aborted"): void;
  /** The message so far. The same object until something changes; what has not changed keeps its identity. */
  readonly message: AssistantMessage & Fields;
}

/**
 * Folds a whole stream that ended in order.
 *
 * @throws StreamProtocolError as {@link MessageAccumulator.apply} does.
 */
export function reduceMessage(chunks: Iterable<StreamChunk | UnknownChunk>): AssistantMessage {
  const accumulator = createMessageAccumulator();
  for (const chunk of chunks) accumulator.apply(chunk);
  accumulator.finish();
  return accumulator.message;
}

type TextChunk = StreamChunkOf<
  "text-start" | "text-delta" | "text-end" | "reasoning-start" | "reasoning-delta" | "reasoning-end"
>;

type ToolCallChunk = StreamChunkOf<
  "tool-call-start" | "tool-call-delta" | "tool-call-ready" | "tool-call-result" | "tool-call-error"
>;

/**
 * Creates a fold over the chunks of one stream.
 *
 * @param fields - What the message has besides; an `id` is that of the run as soon as a chunk tells it.
 */
export function createMessageAccumulator<Fields extends object>(fields?: Fields): MessageAccumulator<Fields> {
  /** In order of their beginning; a part that was taken back leaves a hole, so that no index ever moves. */
  const parts: (MessagePart | undefined)[] = [];
  let hasHoles = false;
  /** The open texts with a key, by type and key. */
  const keyedTexts = new Map<string, number>();
  /** The open text without a key: there is at most one. */
  let unkeyedText: number | undefined;
  /** A file or an object has ended a text, and nothing else has begun since. */
  let isTextSplit = false;
  const saidTexts = createSaidTexts((index) => textAt(index)?.text ?? "");
  const toolCalls = createToolCallOrder();
  let legacyResults = 0;
  const objects = new Map<string, number>();
  /** The containers of structured data that nobody else holds. */
  let owned: OwnedContainers = new WeakSet();

  let head = { ...fields, status: "streaming" } as Omit<AssistantMessage, "parts"> & Fields;
  let isOver = false;
  /** What was handed out, for as long as nothing changes. */
  let snapshot: (AssistantMessage & Fields) | undefined;

  const textAt = (index: number) => parts[index] as TextPart | undefined;

  function set(index: number, part: MessagePart | undefined): void {
    snapshot = undefined;
    parts[index] = part;
    if (part === undefined) hasHoles = true;
  }

  function setHead(changes: Partial<AssistantMessage>): void {
    snapshot = undefined;
    head = { ...head, ...changes };
  }

  /** Another part begins. @returns its index. */
  function begin(part: MessagePart): number {
    if (part.type !== "source") endUnkeyed(part.type === "file" || part.type === "structured-data");
    set(parts.length, part);
    return parts.length - 1;
  }

  /** @param isInline - The text may go on after what has ended it. */
  function endUnkeyed(isInline = false): void {
    const part = unkeyedText === undefined ? undefined : textAt(unkeyedText);
    if (part || !isInline) isTextSplit = isInline && part?.type === "text" && part.text !== "";
    if (part) close(unkeyedText!);
    unkeyedText = undefined;
  }

  /** Nothing more comes for a part. A text that was begun and never said is not part of the message. */
  function close(index: number): void {
    const part = parts[index];
    const isEmpty = (part?.type === "text" || part?.type === "reasoning") && part.text === "";
    const closed = part && !isEmpty ? closePart(part) : undefined;
    if (closed !== part) set(index, closed);
  }

  function applyText(type: TextPart["type"], chunk: TextChunk): void {
    const { segmentId, opId, id, node } = chunk;
    const key = segmentId ?? opId ?? id ?? "";
    const name = type + key;
    const unkeyed = unkeyedText !== undefined && parts[unkeyedText]!.type === type ? unkeyedText : undefined;
    const open = key ? keyedTexts.get(name) : unkeyed;
    const delta = "delta" in chunk ? chunk.delta : undefined;
    if (chunk.type.endsWith("-end")) {
      if (key) keyedTexts.delete(name);
      else if (type === "text") isTextSplit = false;
      if (open === undefined) return;
      if (key && type === "text") saidTexts.endKeyed(open);
      if (key) close(open);
      else endUnkeyed();
      return;
    }
    // No part is made for nothing: many providers begin with an empty delta.
    if (delta === "") return;
    if (open !== undefined && (key || delta !== undefined)) {
      if (delta === undefined) return;
      const part = textAt(open)!;
      if (part.text === "" && type === "text") saidTexts.beginStreamed(open, key !== "", false);
      set(open, { ...part, text: part.text + delta });
      return;
    }
    const isContinuation = isTextSplit && name === "text" && delta !== undefined;
    const begun: TextPart = { type, key, text: delta ?? "", state: "streaming", node };
    const index = begin(isContinuation ? { ...begun, isContinuation } : begun);
    if (key) keyedTexts.set(name, index);
    else unkeyedText = index;
    if (delta !== undefined && type === "text") saidTexts.beginStreamed(index, key !== "", isContinuation);
  }

  function applyMessage({ content: text, node }: MessageChunk): void {
    if (text === "") return;
    if (saidTexts.isRepeated(text)) endUnkeyed();
    else saidTexts.addWhole(begin({ type: "text", key: "", text, state: "done", node }));
  }

  function applyToolCall(chunk: ToolCallChunk | ToolResultChunk, call: OrderedCall): void {
    const toolCallId = "toolCallId" in chunk ? chunk.toolCallId : `tool-result:${legacyResults++}`;
    const part =
      call.index === undefined
        ? ({ type: "tool-call", toolCallId, tool: "", state: "input-streaming", inputText: "" } as const)
        : (parts[call.index] as ToolCallPart);
    const { tool = part.tool, node = part.node } = chunk;
    const changed: ToolCallPart = { ...part, tool, node, ...changesOf(chunk, part) };
    if (call.index === undefined) call.index = begin(changed);
    else set(call.index, changed);
  }

  function applyStructured(chunk: StructuredStreamChunk): void {
    const { streamId } = chunk;
    const index = objects.get(streamId);
    const before = index === undefined ? undefined : (parts[index] as StructuredDataPart);
    const after = foldStructured(before, chunk, owned);
    if (after === before) return;
    const part = after && ({ ...after, type: "structured-data" } as const);
    if (!part) objects.delete(streamId);
    if (index !== undefined) set(index, part);
    else objects.set(streamId, begin(part!));
  }

  function applyPart(chunk: StreamChunk): void {
    switch (chunk.type) {
      case "run-start":
        setHead({ id: chunk.runId });
        break;
      case "message":
        applyMessage(chunk);
        break;
      case "text-start":
      case "text-delta":
      case "text-end":
        applyText("text", chunk);
        break;
      case "reasoning-start":
      case "reasoning-delta":
      case "reasoning-end":
        applyText("reasoning", chunk);
        break;
      case "tool-call-start":
      case "tool-call-delta":
      case "tool-call-ready":
      case "tool-call-result":
      case "tool-call-error":
        applyToolCall(chunk, toolCalls.callOf(chunk));
        break;
      case "tool-result":
        applyToolCall(chunk, toolCalls.callOfLegacyResult(chunk) ?? {});
        break;
      case "structured-data":
      case "structured-data-invalidated":
        applyStructured(chunk);
        break;
      case "interrupt":
        setHead({ interrupt: chunk });
        begin(chunk);
        break;
      case "source":
      case "file":
        begin(chunk);
        break;
      case "done":
        setHead({ status: "done", usage: chunk.usage });
        break;
      case "abort":
        setHead({ status: "aborted", abortReason: chunk.reason });
        break;
    }
  }

  /** @param error - The outcome, if nothing more comes; undefined where the error was a warning. */
  function applyOutcome(error: Readonly<ErrorChunk> | undefined): void {
    const status = error ? "error" : head.status === "error" ? "streaming" : head.status;
    if (error !== head.error || status !== head.status) setHead({ error, status });
  }

  /** Nothing more comes. */
  function closeAll(): void {
    isOver = true;
    for (let index = 0; index < parts.length; index++) close(index);
  }

  return {
    apply(chunk) {
      // Nothing may follow a terminal.
      if (isOver) return;
      applyPart(chunk as StreamChunk);
      if (head.error || chunk.type === "error") applyOutcome(reduceStreamError(head.error, chunk));
      if (isTerminalChunk(chunk)) closeAll();
    },
    finish(status = "done") {
      if (isOver) return;
      closeAll();
      if (head.status === "streaming") setHead({ status });
    },
    get message() {
      if (!snapshot) {
        owned = new WeakSet();
        snapshot = { ...head, parts: (hasHoles ? parts.filter(Boolean) : parts.slice()) as MessagePart[] };
      }
      return snapshot;
    },
  };
}

/** What a chunk changes in its call. A call that is over stays so, and its late input is added. */
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
