/**
 * Puts together the tool calls of one answer of a model, which come in pieces and side by side. Runs none of them.
 */
import type { StreamChunk } from "@kortyx/server";
import type { ToolCallPiece } from "./completion-piece.ts";

export interface ModelToolCall {
  /** Ours: the ids of some endpoints begin again with each answer. */
  toolCallId: string;
  /** The endpoint's, if it gave one. */
  id?: string | undefined;
  /** `""` until a piece names it: there is nothing to be called before. */
  tool: string;
  /** The JSON text of its input, as far as it has come. */
  inputText: string;
}

export interface ToolCallAssembler {
  /** The calls that have a name, in the order in which they got it. */
  readonly calls: readonly ModelToolCall[];
  /** Takes the next piece, and gives what it means on our stream. */
  apply(piece: ToolCallPiece): StreamChunk[];
}

export function createToolCallAssembler(): ToolCallAssembler {
  const calls: ModelToolCall[] = [];
  const callsByIndex = new Map<number | undefined, ModelToolCall>();

  /** The call that a piece belongs to. Some endpoints number all calls 0, or none; then a new id is a new call. */
  function findCall({ index, id }: ToolCallPiece): ModelToolCall {
    const known = callsByIndex.get(index);
    if (known !== undefined && (id === undefined || known.id === undefined || known.id === id)) return known;
    const call: ModelToolCall = { toolCallId: crypto.randomUUID(), tool: "", inputText: "" };
    callsByIndex.set(index, call);
    return call;
  }

  return {
    calls,
    apply(piece) {
      const call = findCall(piece);
      const { toolCallId } = call;
      const chunks: StreamChunk[] = [];
      let delta = piece.inputText;
      call.id ??= piece.id;
      call.inputText += delta;
      if (call.tool === "" && piece.tool !== undefined) {
        call.tool = piece.tool;
        calls.push(call);
        chunks.push({ type: "tool-call-start", tool: call.tool, toolCallId });
        // With what came before the name.
        delta = call.inputText;
      }
      if (call.tool !== "" && delta !== "") chunks.push({ type: "tool-call-delta", toolCallId, delta });
      return chunks;
    },
  };
}
