/**
 * Decides which tool call a chunk belongs to. An id names one call until that call has its result; after that, the same
 * id names another call, because some providers reuse ids, use the tool's name as the id, or leave it empty. Keeps the
 * inputs of calls, to distinguish a repeated chunk from another call, but not their results.
 */

import type { StreamChunkOf, ToolResultChunk } from "./chunks.ts";
import { isSameJSON } from "./same-json.ts";

/** One tool call of a message. */
export interface OrderedCall {
  /** Its index among the parts of the message; undefined until it has one. */
  index?: number;
  tool?: string | undefined;
  /** Undefined until complete. */
  input?: unknown;
  /** A `tool-call-ready` has arrived. */
  isReady?: boolean;
  /** It has a result, or has failed. */
  isOver?: boolean;
}

type CallChunk = StreamChunkOf<
  "tool-call-start" | "tool-call-delta" | "tool-call-ready" | "tool-call-result" | "tool-call-error"
>;

export interface ToolCallOrder {
  /** @returns the call that the chunk belongs to; a new one, without an `index`, if the chunk begins another call. */
  callOf(chunk: CallChunk): OrderedCall;
  /** @returns the newest open call of the tool, which the result ends; undefined if no call is open. */
  callOfLegacyResult(chunk: ToolResultChunk): OrderedCall | undefined;
}

/** Creates the order of the calls of one message. */
export function createToolCallOrder(): ToolCallOrder {
  const newestOfId = new Map<string, OrderedCall>();
  /** By id, oldest first: calls that wait for their whole input, and for their result. */
  const unready = new Map<string, OrderedCall[]>();
  const open = new Map<string, OrderedCall[]>();
  /** Calls for results without an id. Finished calls are dropped when encountered. */
  const stack: OrderedCall[] = [];

  function add({ type, toolCallId }: CallChunk): OrderedCall {
    const call: OrderedCall = {};
    newestOfId.set(toolCallId, call);
    if (type !== "tool-call-ready") push(unready, toolCallId, call);
    push(open, toolCallId, call);
    stack.push(call);
    return call;
  }

  /** @returns undefined if the chunk begins another call. */
  function find(chunk: CallChunk): OrderedCall | undefined {
    const { toolCallId, tool } = chunk;
    const newest = newestOfId.get(toolCallId);
    /** An empty id names no call: only one that still waits for this chunk can match. */
    const named = toolCallId ? newest : undefined;
    switch (chunk.type) {
      case "tool-call-start":
        // A start may be repeated, or bring the input later, but does not contradict itself.
        return isOpen(named) && isOf(tool, named) && agree(named.input, chunk.input) ? named : undefined;
      case "tool-call-delta":
        if (!isOpen(newest)) return undefined;
        return named ?? (newest.input === undefined && isOf(tool, newest) ? newest : undefined);
      case "tool-call-ready": {
        const waiting = takeOldest(unready.get(toolCallId), tool);
        if (waiting || !named) return waiting;
        // An error may name its tool differently, come after the result, or be repeated.
        return (isOpen(named) && !named.isReady) || agree(named.input, chunk.input) ? named : undefined;
      }
      default:
        // A later result of the same call replaces the earlier one.
        return takeOldest(open.get(toolCallId), tool) ?? named;
    }
  }

  return {
    callOf(chunk) {
      const call = find(chunk) ?? add(chunk);
      call.tool = chunk.tool ?? call.tool;
      if ("input" in chunk && chunk.input !== undefined) call.input = chunk.input;
      if (chunk.type === "tool-call-ready") call.isReady = true;
      if (chunk.type === "tool-call-result" || chunk.type === "tool-call-error") call.isOver = true;
      return call;
    },
    callOfLegacyResult({ tool }) {
      while (stack.at(-1)?.isOver) stack.pop();
      const call = stack.findLast((one) => isOpen(one) && (tool === undefined || one.tool === tool));
      if (call) call.isOver = true;
      return call;
    },
  };
}

const isOpen = (call: OrderedCall | undefined): call is OrderedCall => call !== undefined && !call.isOver;

/** An unknown value contradicts nothing. */
const agree = (one: unknown, other: unknown): boolean =>
  one === undefined || other === undefined || isSameJSON(one, other);
const isOf = (tool: string | undefined, call: OrderedCall): boolean =>
  tool === undefined || call.tool === undefined || call.tool === tool;

function push(queues: Map<string, OrderedCall[]>, toolCallId: string, call: OrderedCall): void {
  const calls = queues.get(toolCallId);
  if (calls) calls.push(call);
  else queues.set(toolCallId, [call]);
}

/** Parallel calls that share an id receive their inputs and results in the order in which they began. */
function takeOldest(calls: OrderedCall[] = [], tool?: string): OrderedCall | undefined {
  const at = calls.findIndex((call) => isOpen(call) && isOf(tool, call));
  return at === -1 ? undefined : calls.splice(at, 1)[0];
}
