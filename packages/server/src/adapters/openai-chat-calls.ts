/**
 * The tool calls of a streamed chat completion, put together from their pieces. Knows the ways in which servers that are
 * compatible with OpenAI name, or do not name, the call that a piece belongs to.
 */
import type { FinishReason, StreamChunk } from "@kortyx/protocol";
import { isRecord, textOf } from "./loose-values.ts";
import { invalidToolInput, type ModelToolCall, parseToolInput } from "./model-stream.ts";
import type { OpenAIChatFunctionDelta, OpenAIChatToolCallDelta } from "./openai-chat-events.ts";

interface Call {
  toolCallId: string;
  /** The provider's id; undefined where it sent none, and in the legacy form. */
  givenId: string | undefined;
  /** Undefined until a piece has it: then the call begins. */
  tool: string | undefined;
  inputFormat: "json" | "text";
  text: string;
  /** What the provider wants back. */
  openai: Record<string, unknown>;
  /** The event of its latest piece. */
  event: number;
}

/** A piece of a call, of either kind and in either form. */
interface Piece {
  index: number | undefined;
  id: string | undefined;
  name: string | undefined;
  text: string;
  inputFormat: "json" | "text";
  openai: Record<string, unknown>;
}

export class OpenAIChatCalls {
  readonly #calls: Call[] = [];
  readonly #byIndex = new Map<number, Call>();
  #legacy: Call | undefined;
  #event = 0;
  readonly #onUnknown: (event: unknown) => void;

  /** @param onUnknown - Receives calls of which the server has never sent the name. */
  constructor(onUnknown: (event: unknown) => void) {
    this.#onUnknown = onUnknown;
  }

  /** Whether the model has called a tool. */
  get hasCalls(): boolean {
    return this.#calls.some(({ tool }) => tool !== undefined);
  }

  /** @param responseId - Begins the ids of calls to which the server has given none. */
  read(pieces: readonly OpenAIChatToolCallDelta[], responseId: string): StreamChunk[] {
    this.#event++;
    return pieces.filter(isRecord).flatMap((given) => {
      const piece = toPiece(given);
      const call = this.#find(piece) ?? this.#begin(piece, responseId);
      return this.#add(call, piece);
    });
  }

  /** The form before `tool_calls`: one call, without an id. */
  readLegacy(given: OpenAIChatFunctionDelta, responseId: string): StreamChunk[] {
    const piece = toPiece({ function: given });
    this.#legacy ??= this.#keep({
      ...emptyCall,
      toolCallId: `${responseId}:function_call`,
      openai: { function_call: true },
    });
    return this.#add(this.#legacy, piece);
  }

  /** Every input is whole. */
  end(reason: FinishReason): { chunks: StreamChunk[]; toolCalls: ModelToolCall[] } {
    const toolCalls: ModelToolCall[] = [];
    const chunks = this.#calls.flatMap(({ tool, toolCallId, inputFormat, text, openai }): StreamChunk[] => {
      if (tool === undefined) {
        this.#onUnknown({ tool_calls: [{ id: toolCallId, function: { arguments: text } }] });
        return [];
      }
      const parsed = inputFormat === "text" ? { input: text } : this.#parse(text, reason);
      const providerMetadata = Object.keys(openai).length > 0 && { providerMetadata: { openai } };
      if (!parsed)
        return [{ ...invalidToolInput(tool, toolCallId, text), ...providerMetadata } as StreamChunk];
      toolCalls.push({ tool, toolCallId, ...parsed });
      return [{ type: "tool-call-ready", tool, toolCallId, ...parsed, ...providerMetadata }];
    });
    return { chunks, toolCalls };
  }

  /** Of a model that was stopped, a call without any input is not one without arguments. */
  #parse(text: string, reason: FinishReason): { input: unknown } | undefined {
    const isCut = reason === "length" || reason === "content-filter";
    return isCut && text.trim() === "" ? undefined : parseToolInput(text);
  }

  /** @returns the call that the piece continues. */
  #find({ index, id, name }: Piece): Call | undefined {
    const atIndex = index === undefined ? undefined : this.#byIndex.get(index);
    if (id !== undefined) {
      const named = this.#calls.find(({ givenId }) => givenId === id);
      if (index === undefined || named === atIndex) return named;
      // The id may come after the name. Otherwise the server gives the same index to several calls.
      return atIndex?.givenId === undefined && name === undefined ? atIndex : undefined;
    }
    const call = index === undefined ? this.#calls.at(-1) : atIndex;
    if (call?.tool === undefined || name === undefined) return call;
    // The call's own name once more, or another call without an id.
    const isOther = call.tool !== name || call.event === this.#event || isWhole(call.text);
    return isOther ? undefined : call;
  }

  #begin({ index, id, inputFormat }: Piece, responseId: string): Call {
    const isTaken = this.#calls.some(({ toolCallId }) => toolCallId === id);
    const call = this.#keep({
      ...emptyCall,
      toolCallId: id === undefined || isTaken ? `${responseId}:call-${this.#calls.length}` : id,
      givenId: id,
      inputFormat,
      openai: {},
    });
    if (index !== undefined) this.#byIndex.set(index, call);
    return call;
  }

  #keep(call: Call): Call {
    this.#calls.push(call);
    return call;
  }

  #add(call: Call, { name, text, inputFormat, openai }: Piece): StreamChunk[] {
    call.event = this.#event;
    call.text += text;
    Object.assign(call.openai, openai);
    const { toolCallId } = call;
    if (call.tool !== undefined)
      return text === "" ? [] : [{ type: "tool-call-delta", toolCallId, delta: text }];
    if (name === undefined) return [];
    call.tool = name;
    call.inputFormat = inputFormat;
    const start: StreamChunk = {
      type: "tool-call-start",
      tool: name,
      toolCallId,
      ...(inputFormat === "text" && { inputFormat }),
    };
    return call.text === "" ? [start] : [start, { type: "tool-call-delta", toolCallId, delta: call.text }];
  }
}

const emptyCall = { givenId: undefined, tool: undefined, inputFormat: "json", text: "", event: 0 } as const;

function toPiece(given: OpenAIChatToolCallDelta): Piece {
  const isCustom = given.type === "custom" || isRecord(given.custom);
  const call = isCustom ? given.custom : given.function;
  const input = isCustom ? given.custom?.input : given.function?.arguments;
  return {
    index: typeof given.index === "number" ? given.index : undefined,
    id: textOf(given.id),
    name: textOf(call?.name),
    text: typeof input === "string" ? input : isRecord(input) ? JSON.stringify(input) : "",
    inputFormat: isCustom ? "text" : "json",
    openai: isRecord(given.extra_content) ? { extra_content: given.extra_content } : {},
  };
}

/** Whether a text is a whole JSON object. */
function isWhole(text: string): boolean {
  return text.trimEnd().endsWith("}") && parseToolInput(text) !== undefined;
}
