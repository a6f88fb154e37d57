/**
 * Folds the chunks of one stream into the assistant message that a UI shows. Knows nothing of sessions, requests or
 * rendering; chunks that are not part of a message (`session`, `status`, `trace`, …) are passed over.
 */
import {
  type ErrorChunk,
  type FileChunk,
  type InterruptChunk,
  isTerminalChunk,
  type ReasoningDeltaChunk,
  type ReasoningEndChunk,
  type ReasoningStartChunk,
  type SourceChunk,
  type StreamChunk,
  type TextDeltaChunk,
  type TextEndChunk,
  type TextStartChunk,
  type TokenUsage,
  type ToolCallStartChunk,
  type UnknownChunk,
} from "./stream-chunk.ts";
import { foldStructured, type OwnedContainers, type StructuredStreamState } from "./structured-stream.ts";

/** A text, or a piece of the model's reasoning. */
export interface TextPart {
  readonly type: "text" | "reasoning";
  /** What tells parallel texts apart: `segmentId ?? opId ?? id ?? ""` of their chunks. */
  readonly key: string;
  readonly text: string;
  readonly state: "streaming" | "done";
  readonly node?: string | undefined;
}

/** A tool call, from the first piece of its input to its result. */
export interface ToolCallPart {
  readonly type: "tool-call";
  readonly toolCallId: string;
  /** `""` until a chunk names the tool. */
  readonly tool: string;
  /** `interrupted`: the stream ended before the tool had answered. */
  readonly state: "input-streaming" | "running" | "done" | "error" | "interrupted";
  /** The JSON text of the input so far; not parsed, because it is not whole. */
  readonly inputText: string;
  /** The input, once it is whole. */
  readonly input?: unknown;
  readonly content?: unknown;
  readonly structuredContent?: unknown;
  /** Why the call failed, from `tool-call-error`. */
  readonly errorMessage?: string | undefined;
  readonly node?: string | undefined;
}

/** A structured object that grows while it is streamed. */
export interface StructuredDataPart extends StructuredStreamState {
  readonly type: "structured-data";
}

/** One part of an assistant message. */
export type MessagePart =
  | TextPart
  | ToolCallPart
  | StructuredDataPart
  | Readonly<InterruptChunk>
  | Readonly<SourceChunk>
  | Readonly<FileChunk>;

/** One assistant message, as far as it has been streamed. Never changes once it was handed out. */
export interface AssistantMessage {
  /** The id of the run that produced it, where there is one. */
  readonly id?: string | undefined;
  readonly parts: readonly MessagePart[];
  /**
   * `aborted` after an `abort` chunk, `error` when the last chunk was an `error`, `truncated` when the stream was cut.
   */
  readonly status: "streaming" | "done" | "aborted" | "error" | "truncated";
  /** The reason of the `abort` chunk. */
  readonly abortReason?: string | undefined;
  /** The error that the stream ended on. */
  readonly error?: Readonly<ErrorChunk> | undefined;
  /** The question that waits for an answer. */
  readonly interrupt?: Readonly<InterruptChunk> | undefined;
  readonly usage?: Readonly<TokenUsage> | undefined;
}

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

type TextChunk =
  | TextStartChunk
  | TextDeltaChunk
  | TextEndChunk
  | ReasoningStartChunk
  | ReasoningDeltaChunk
  | ReasoningEndChunk;

type ToolCallChunk = Pick<ToolCallStartChunk, "toolCallId" | "node"> & { tool?: string | undefined };

/** @returns the part as it is when nothing more comes. */
export function closePart(part: MessagePart): MessagePart {
  if (part.type === "text" || part.type === "reasoning") return { ...part, state: "done" };
  const isOpen = part.type === "tool-call" && part.state !== "done" && part.state !== "error";
  return isOpen ? { ...part, state: "interrupted" } : part;
}

/**
 * Creates a fold over the chunks of one stream.
 *
 * @param fields - What the message has besides; an `id` is that of the run as soon as a chunk tells it.
 */
export function createMessageAccumulator<Fields extends object>(fields?: Fields): MessageAccumulator<Fields> {
  /** In order of their beginning; a part that was invalidated leaves a hole, so that no index ever moves. */
  const parts: (MessagePart | undefined)[] = [];
  /** Index of each text that is open, each tool call, each tool call without a result, each structured stream. */
  const openTexts = new Map<string, number>();
  const toolCalls = new Map<string, number>();
  const openToolCalls = new Set<number>();
  const structured = new Map<string, number>();
  /** The containers of structured data that nobody else holds. */
  let owned: OwnedContainers = new WeakSet();

  let lastStreamedText = -1;
  let legacyResults = 0;
  let head = { ...fields, status: "streaming" } as Omit<AssistantMessage, "parts"> & Fields;
  let isOver = false;
  /** What was handed out, for as long as nothing changes. */
  let snapshot: (AssistantMessage & Fields) | undefined;

  function set(index: number, part: MessagePart | undefined): number {
    snapshot = undefined;
    parts[index] = part;
    return index;
  }

  const add = (part: MessagePart): number => set(parts.length, part);

  /** What was handed out never changes: the part becomes another. */
  const change = (index: number, changes: Partial<TextPart | ToolCallPart>) =>
    set(index, { ...parts[index], ...changes } as MessagePart);

  function setHead(changes: Partial<AssistantMessage>): void {
    snapshot = undefined;
    head = { ...head, ...changes };
  }

  function applyText(type: TextPart["type"], chunk: TextChunk): void {
    const key = chunk.segmentId ?? chunk.opId ?? chunk.id ?? "";
    const name = type + key;
    const open = openTexts.get(name);
    const delta = "delta" in chunk ? chunk.delta : "";
    if (chunk.type.endsWith("-end")) {
      if (open !== undefined) change(open, { state: "done" });
      openTexts.delete(name);
    } else if (open === undefined) {
      const index = add({ type, key, text: delta, state: "streaming", node: chunk.node });
      openTexts.set(name, index);
      if (type === "text") lastStreamedText = index;
    } else if (delta) {
      change(open, { text: (parts[open] as TextPart).text + delta });
    }
  }

  const toolCallAt = (index: number): ToolCallPart => parts[index] as ToolCallPart;
  function applyToolCall(
    { toolCallId, tool, node }: ToolCallChunk,
    changes: Partial<ToolCallPart>,
    inputDelta = "",
  ): void {
    let index = toolCalls.get(toolCallId);
    if (index === undefined) {
      index = add({ type: "tool-call", toolCallId, tool: "", state: "input-streaming", inputText: "" });
      toolCalls.set(toolCallId, index);
      openToolCalls.add(index);
    }
    const part = toolCallAt(index);
    if (changes.state === "done" || changes.state === "error") openToolCalls.delete(index);
    const inputText = part.inputText + inputDelta;
    change(index, { tool: tool ?? part.tool, node: node ?? part.node, inputText, ...changes });
  }

  function applyPart(chunk: StreamChunk): void {
    switch (chunk.type) {
      case "run-start":
        setHead({ id: chunk.runId });
        break;
      case "message": {
        const { content: text, node } = chunk;
        const streamed = parts[lastStreamedText];
        // Some agents stream a text and then repeat it whole.
        if (streamed?.type !== "text" || streamed.text !== text) {
          add({ type: "text", key: "", text, state: "done", node });
        }
        break;
      }
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
      case "tool-call-ready": {
        const { input } = chunk;
        const index = toolCalls.get(chunk.toolCallId);
        // A call that has its result already stays as it is.
        const isRunning = input !== undefined && (index === undefined || openToolCalls.has(index));
        applyToolCall(chunk, isRunning ? { input, state: "running" } : {});
        break;
      }
      case "tool-call-delta":
        applyToolCall(chunk, {}, chunk.delta);
        break;
      case "tool-call-result": {
        const { content, structuredContent, isError } = chunk;
        applyToolCall(chunk, { state: isError === true ? "error" : "done", content, structuredContent });
        break;
      }
      case "tool-call-error":
        applyToolCall(chunk, { state: "error", errorMessage: chunk.message });
        break;
      case "tool-result": {
        // It names no call: it belongs to the last call of its tool that has no result, or stands alone.
        const { tool, content, node } = chunk;
        const index = [...openToolCalls].findLast(
          (open) => tool === undefined || toolCallAt(open).tool === tool,
        );
        const toolCallId =
          index === undefined ? `tool-result:${legacyResults++}` : toolCallAt(index).toolCallId;
        applyToolCall({ toolCallId, tool, node }, { state: "done", content });
        break;
      }
      case "structured-data":
      case "structured-data-invalidated": {
        const { streamId } = chunk;
        const index = structured.get(streamId) ?? parts.length;
        const before = parts[index] as StructuredDataPart | undefined;
        const after = foldStructured(before, chunk, owned);
        if (after === before) break;
        set(index, after && { ...after, type: "structured-data" });
        if (after) structured.set(streamId, index);
        else structured.delete(streamId);
        break;
      }
      case "interrupt":
        setHead({ interrupt: chunk });
        add(chunk);
        break;
      case "source":
      case "file":
        add(chunk);
        break;
      case "done":
        setHead({ status: "done", usage: chunk.usage });
        break;
      case "abort":
        setHead({ status: "aborted", abortReason: chunk.reason });
        break;
      case "error":
        setHead({ status: "error", error: chunk });
        break;
    }
  }

  /** Closes what is open: nothing more will come for it. */
  function close(): void {
    isOver = true;
    for (const index of [...openTexts.values(), ...openToolCalls]) set(index, closePart(parts[index]!));
  }

  return {
    apply(chunk) {
      // Nothing may follow a terminal.
      if (isOver) return;
      const { error } = head;
      applyPart(chunk as StreamChunk);
      if (error && chunk.type !== "error") {
        // More followed, so the error was not the outcome.
        setHead({ error: undefined, status: head.status === "error" ? "streaming" : head.status });
      }
      if (isTerminalChunk(chunk)) close();
    },
    finish(status = "done") {
      if (isOver) return;
      close();
      if (head.status === "streaming") setHead({ status });
    },
    get message() {
      if (!snapshot) {
        owned = new WeakSet();
        snapshot = { ...head, parts: parts.filter(Boolean) as MessagePart[] };
      }
      return snapshot;
    },
  };
}
