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
  const parts: MessagePart[] = [];
  /** Indexes of parts that were made or copied since the last time the message was handed out. */
  const owned = new Set<number>();
  /** Index of the open text of each key, of each tool call, of each structured stream. */
  const openTexts = new Map<string, number>();
  const toolCalls = new Map<string, number>();
  const structuredParts = new Map<string, number>();
  /** Structured streams that have changed since the last time the message was handed out. */
  const changedStreams = new Set<string>();

  let lastStreamedText = -1;
  let head: Omit<AssistantMessage, "parts"> = { status: "streaming" };
  let snapshot: AssistantMessage | undefined;

  function add(part: MessagePart): number {
    owned.add(parts.length);
    return parts.push(part) - 1;
  }

  /** The part at `index`, free to be changed: a copy, if the one that is there was handed out. */
  function edit<Part extends MessagePart>(index: number): Mutable<Part> {
    if (!owned.has(index)) {
      parts[index] = { ...parts[index]! };
      owned.add(index);
    }
    return parts[index] as unknown as Mutable<Part>;
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
      edit<TextPart>(open).text += delta;
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
    }
    const part = edit<ToolCallPart>(index);
    if (tool !== undefined) part.tool = tool;
    if (node !== undefined) part.node = node;
    return part;
  }

  /** The legacy result names no call: it belongs to the last call of its tool that has no result, or stands alone. */
  function applyLegacyToolResult(tool: string | undefined, content: unknown, node: string | undefined): void {
    const index = parts.findLastIndex(
      (part) =>
        part.type === "tool-call" &&
        (part.state === "running" || part.state === "input-streaming") &&
        (tool === undefined || part.tool === tool),
    );
    const found = parts[index];
    const toolCallId = found?.type === "tool-call" ? found.toolCallId : `tool-result:${parts.length}`;
    Object.assign(toolCall(toolCallId, tool, node), { state: "done", content });
  }

  function removePart(index: number): void {
    parts.splice(index, 1);
    // Rare (an invalidated object), so the indexes behind it are simply moved.
    for (const map of [openTexts, toolCalls, structuredParts]) {
      for (const [key, at] of map) if (at > index) map.set(key, at - 1);
    }
    if (lastStreamedText > index) lastStreamedText--;
    const moved = [...owned].filter((at) => at !== index).map((at) => (at > index ? at - 1 : at));
    owned.clear();
    for (const at of moved) owned.add(at);
  }

  /** Closes what is open: nothing more will come for it. */
  function close(): void {
    for (const index of openTexts.values()) edit<TextPart>(index).state = "done";
    openTexts.clear();
    for (const index of toolCalls.values()) {
      const { state } = parts[index] as ToolCallPart;
      if (state === "running" || state === "input-streaming") edit<ToolCallPart>(index).state = "interrupted";
    }
  }

  function applyPart(chunk: StreamChunk): void {
    switch (chunk.type) {
      case "run-start":
        head = { ...head, id: chunk.runId };
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
      case "tool-call-start": {
        const part = toolCall(chunk.toolCallId, chunk.tool, chunk.node);
        if (chunk.input !== undefined) Object.assign(part, { state: "running", input: chunk.input });
        break;
      }
      case "tool-call-delta":
        toolCall(chunk.toolCallId, chunk.tool, chunk.node).inputText += chunk.delta;
        break;
      case "tool-call-ready":
        Object.assign(toolCall(chunk.toolCallId, chunk.tool, chunk.node), {
          state: "running",
          input: chunk.input,
        });
        break;
      case "tool-call-result": {
        const part = toolCall(chunk.toolCallId, chunk.tool, chunk.node);
        part.state = chunk.isError === true ? "error" : "done";
        part.content = chunk.content;
        if (chunk.structuredContent !== undefined) part.structuredContent = chunk.structuredContent;
        break;
      }
      case "tool-call-error": {
        const part = toolCall(chunk.toolCallId, chunk.tool, chunk.node);
        part.state = "error";
        part.errorMessage = chunk.message;
        break;
      }
      case "tool-result":
        applyLegacyToolResult(chunk.tool, chunk.content, chunk.node);
        break;
      case "structured-data":
      case "structured-data-invalidated": {
        const { streamId } = chunk;
        structured.apply(chunk);
        const index = structuredParts.get(streamId);
        if (structured.has(streamId)) {
          // The place in the message; the object itself is put there when the message is asked for.
          if (index === undefined)
            structuredParts.set(streamId, add({ type: "structured-data" } as StructuredDataPart));
          changedStreams.add(streamId);
        } else if (index !== undefined) {
          structuredParts.delete(streamId);
          changedStreams.delete(streamId);
          removePart(index);
        }
        break;
      }
      case "interrupt":
        add(chunk);
        head = { ...head, interrupt: chunk };
        break;
      case "source":
      case "file":
        add(chunk);
        break;
      case "done":
        head = { ...head, status: "done", ...(chunk.usage !== undefined && { usage: chunk.usage }) };
        break;
      case "abort":
        head = { ...head, status: "aborted", abortReason: chunk.reason };
        break;
    }
  }

  return {
    apply(chunk) {
      // Nothing may follow a terminal.
      if (head.status === "done" || head.status === "aborted") return;
      snapshot = undefined;
      if (chunk.type === "error") {
        head = { ...head, status: "error", error: chunk as ErrorChunk };
        return;
      }
      if (head.status === "error") {
        // More followed, so the error was not the outcome.
        const { error: _, ...rest } = head;
        head = { ...rest, status: "streaming" };
      }
      applyPart(chunk as StreamChunk);
      if (isTerminalChunk(chunk)) close();
    },
    finish(status = "done") {
      if (head.status !== "streaming" && head.status !== "error") return;
      snapshot = undefined;
      close();
      if (head.status === "streaming") head = { ...head, status };
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
        snapshot = { ...head, parts: parts.slice() };
      }
      return snapshot;
    },
  };
}
