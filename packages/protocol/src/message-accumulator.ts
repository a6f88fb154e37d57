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
  type StructuredDataChunk,
  type StructuredDataInvalidatedChunk,
  type TextDeltaChunk,
  type TextEndChunk,
  type TextStartChunk,
  type TokenUsage,
  type ToolCallReadyChunk,
  type ToolCallResultChunk,
  type ToolCallStartChunk,
  type ToolResultChunk,
  type UnknownChunk,
} from "./stream-chunk.ts";
import { createStructuredStreamAccumulator, type StructuredStreamState } from "./structured-stream.ts";

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

export interface MessageAccumulator {
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
  readonly message: AssistantMessage;
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

type Mutable<Part> = { -readonly [Key in keyof Part]: Part[Key] };
type TextChunk =
  | TextStartChunk
  | TextDeltaChunk
  | TextEndChunk
  | ReasoningStartChunk
  | ReasoningDeltaChunk
  | ReasoningEndChunk;

/** Creates a fold over the chunks of one stream. */
export function createMessageAccumulator(): MessageAccumulator {
  const structured = createStructuredStreamAccumulator();
  /** In order of their beginning; a part that was invalidated leaves a hole, so that no index ever moves. */
  const parts: (MessagePart | undefined)[] = [];
  /** Indexes of parts that were made or copied since the last time the message was handed out. */
  const owned = new Set<number>();
  /** Index of each text that is open, each tool call, each tool call without a result, each structured stream. */
  const openTexts = new Map<string, number>();
  const toolCalls = new Map<string, number>();
  const openToolCalls = new Map<string, number>();
  const structuredParts = new Map<string, number>();
  /** Structured streams that have changed since the last time the message was handed out. */
  const changedStreams = new Set<string>();
  const finalStreams = new Set<string>();

  let lastStreamedText = -1;
  let legacyResults = 0;
  let head: Omit<AssistantMessage, "parts"> = { status: "streaming" };
  let isOver = false;
  /** What was handed out, for as long as nothing changes. */
  let snapshot: AssistantMessage | undefined;

  function add(part: MessagePart): number {
    snapshot = undefined;
    owned.add(parts.length);
    return parts.push(part) - 1;
  }

  /** The part at `index`, free to be changed: a copy, if the one that is there was handed out. */
  function edit<Part extends MessagePart>(index: number): Mutable<Part> {
    snapshot = undefined;
    if (!owned.has(index)) {
      parts[index] = { ...parts[index]! };
      owned.add(index);
    }
    return parts[index] as unknown as Mutable<Part>;
  }

  function setHead(next: Omit<AssistantMessage, "parts">): void {
    snapshot = undefined;
    head = next;
  }

  function applyText(type: TextPart["type"], chunk: TextChunk): void {
    const key = chunk.segmentId ?? chunk.opId ?? chunk.id ?? "";
    const name = `${type}:${key}`;
    const open = openTexts.get(name);
    if (chunk.type === "text-end" || chunk.type === "reasoning-end") {
      if (open !== undefined) edit<TextPart>(open).state = "done";
      openTexts.delete(name);
      return;
    }
    const delta = "delta" in chunk ? chunk.delta : "";
    if (open !== undefined) {
      if (delta !== "") edit<TextPart>(open).text += delta;
      return;
    }
    const part: TextPart = { type, key, text: delta, state: "streaming" };
    const index = add(chunk.node === undefined ? part : { ...part, node: chunk.node });
    openTexts.set(name, index);
    if (type === "text") lastStreamedText = index;
  }

  function toolCall(toolCallId: string, tool: string | undefined, node: string | undefined) {
    let index = toolCalls.get(toolCallId);
    if (index === undefined) {
      index = add({ type: "tool-call", toolCallId, tool: "", state: "input-streaming", inputText: "" });
      toolCalls.set(toolCallId, index);
      openToolCalls.set(toolCallId, index);
    }
    const part = edit<ToolCallPart>(index);
    if (tool !== undefined) part.tool = tool;
    if (node !== undefined) part.node = node;
    return part;
  }

  /** Its input is whole. A call that has its result already stays as it is. */
  function runToolCall(chunk: ToolCallStartChunk | ToolCallReadyChunk): void {
    const part = toolCall(chunk.toolCallId, chunk.tool, chunk.node);
    if (chunk.input === undefined || !openToolCalls.has(chunk.toolCallId)) return;
    part.input = chunk.input;
    part.state = "running";
  }

  function endToolCall(
    chunk: Pick<ToolCallResultChunk, "toolCallId" | "tool" | "node">,
    result: Partial<ToolCallPart>,
  ): void {
    Object.assign(toolCall(chunk.toolCallId, chunk.tool, chunk.node), result);
    openToolCalls.delete(chunk.toolCallId);
  }

  /** The legacy result names no call: it belongs to the last call of its tool that has no result, or stands alone. */
  function applyLegacyToolResult({ tool, content, node }: ToolResultChunk): void {
    const matching = [...openToolCalls].findLast(
      ([, index]) => tool === undefined || (parts[index] as ToolCallPart).tool === tool,
    );
    const toolCallId = matching?.[0] ?? `tool-result:${legacyResults++}`;
    endToolCall({ toolCallId, tool: tool as string, node }, { state: "done", content });
  }

  function applyStructured(chunk: StructuredDataChunk | StructuredDataInvalidatedChunk): void {
    const { streamId } = chunk;
    structured.apply(chunk);
    const index = structuredParts.get(streamId);
    if (chunk.type === "structured-data-invalidated") {
      if (index === undefined) return;
      snapshot = undefined;
      parts[index] = undefined;
      structuredParts.delete(streamId);
      changedStreams.delete(streamId);
      finalStreams.delete(streamId);
      return;
    }
    // Behind a `final` only the same one passes, which changes nothing.
    if (finalStreams.has(streamId)) return;
    if (chunk.kind === "final") finalStreams.add(streamId);
    snapshot = undefined;
    changedStreams.add(streamId);
    // The place in the message; the object itself is put there when the message is asked for.
    if (index === undefined)
      structuredParts.set(streamId, add({ type: "structured-data" } as StructuredDataPart));
  }

  /** Closes what is open: nothing more will come for it. */
  function close(): void {
    isOver = true;
    for (const index of openTexts.values()) edit<TextPart>(index).state = "done";
    openTexts.clear();
    for (const index of openToolCalls.values()) edit<ToolCallPart>(index).state = "interrupted";
    openToolCalls.clear();
  }

  function applyPart(chunk: StreamChunk): void {
    switch (chunk.type) {
      case "run-start":
        setHead({ ...head, id: chunk.runId });
        break;
      case "message": {
        // Some agents stream a text and then repeat it whole.
        const streamed = parts[lastStreamedText];
        if (streamed?.type === "text" && streamed.text === chunk.content) break;
        const part: TextPart = { type: "text", key: "", text: chunk.content, state: "done" };
        add(chunk.node === undefined ? part : { ...part, node: chunk.node });
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
      case "tool-call-ready":
        runToolCall(chunk);
        break;
      case "tool-call-delta":
        toolCall(chunk.toolCallId, chunk.tool, chunk.node).inputText += chunk.delta;
        break;
      case "tool-call-result": {
        const { content, structuredContent } = chunk;
        endToolCall(chunk, {
          state: chunk.isError === true ? "error" : "done",
          content,
          ...(structuredContent !== undefined && { structuredContent }),
        });
        break;
      }
      case "tool-call-error":
        endToolCall(chunk, { state: "error", errorMessage: chunk.message });
        break;
      case "tool-result":
        applyLegacyToolResult(chunk);
        break;
      case "structured-data":
      case "structured-data-invalidated":
        applyStructured(chunk);
        break;
      case "interrupt":
        add(chunk);
        setHead({ ...head, interrupt: chunk });
        break;
      case "source":
      case "file":
        add(chunk);
        break;
      case "done":
        setHead({ ...head, status: "done", ...(chunk.usage !== undefined && { usage: chunk.usage }) });
        break;
      case "abort":
        setHead({ ...head, status: "aborted", abortReason: chunk.reason });
        break;
      case "error":
        setHead({ ...head, status: "error", error: chunk });
        break;
    }
  }

  return {
    apply(chunk) {
      // Nothing may follow a terminal.
      if (isOver) return;
      const { error } = head;
      applyPart(chunk as StreamChunk);
      if (error !== undefined && chunk.type !== "error") {
        // More followed, so the error was not the outcome.
        const { error: _, status, ...rest } = head;
        setHead({ ...rest, status: status === "error" ? "streaming" : status });
      }
      if (isTerminalChunk(chunk)) close();
    },
    finish(status = "done") {
      if (isOver) return;
      close();
      if (head.status === "streaming") setHead({ ...head, status });
    },
    get message() {
      if (snapshot === undefined) {
        for (const streamId of changedStreams) {
          parts[structuredParts.get(streamId)!] = {
            type: "structured-data",
            ...structured.get(streamId)!,
          };
        }
        changedStreams.clear();
        owned.clear();
        snapshot = { ...head, parts: parts.filter((part) => part !== undefined) };
      }
      return snapshot;
    },
  };
}
