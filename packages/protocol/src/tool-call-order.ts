/**
 * Decides which tool call a chunk belongs to. An id names one call until that call has its result; after that, the same
 * id names another call, because some providers reuse ids, use the tool's name as the id, or leave it empty. Keeps the
 * inputs of calls, to distinguish a repeated chunk from another call, but not their results.
 */

import { isFinishedCall, type ToolCallPart } from "./assistant-message.ts";
import type { InterruptChunk, InterruptResolvedChunk, StreamChunkOf, ToolResultChunk } from "./chunks.ts";
import { isSameJSON } from "./same-json.ts";

/** One tool call of a message. */
export interface OrderedCall {
  /** Its index among the parts of the message; undefined until it has one. */
  index?: number;
  tool?: string | undefined;
  /** Undefined until complete. */
  input?: unknown;
  /** A `tool-call-ready` has arrived, and no question since whose answer may change the input. */
  isReady?: boolean;
  /** It has a result, has failed, or was denied. */
  isOver?: boolean;
}

/** A chunk that names its call. */
export type ToolCallChunk = StreamChunkOf<
  | "tool-call-start"
  | "tool-call-delta"
  | "tool-call-ready"
  | "tool-call-progress"
  | "tool-call-result"
  | "tool-call-error"
  | "tool-call-denied"
>;

export interface ToolCallOrder {
  /** Adds a call of an earlier stream, after those before it, with the index of its part. */
  resume(part: ToolCallPart, index: number): void;
  /** @returns the call that the chunk belongs to; a new one, without an `index`, if the chunk begins another call. */
  callOf(chunk: ToolCallChunk): OrderedCall;
  /** @returns the newest open call of the tool, which the result ends; undefined if no call is open. */
  callOfLegacyResult(chunk: ToolResultChunk): OrderedCall | undefined;
  /** @returns the newest call with the id, finished or not. */
  newestOf(toolCallId: string | undefined): OrderedCall | undefined;
  /** @returns the newest call that the question is about: the next whole input replaces the earlier one. */
  ask(chunk: InterruptChunk): OrderedCall | undefined;
  /** @returns the newest call that the question was about, which a denial ends; undefined for an unknown question. */
  resolve(chunk: InterruptResolvedChunk): OrderedCall | undefined;
}

/** Creates the order of the calls of one message. */
export function createToolCallOrder(): ToolCallOrder {
  const newestOfId = new Map<string | undefined, OrderedCall>();
  /** By id, oldest first: calls that wait for their whole input, and for their result. */
  const unready = new Map<string, OrderedCall[]>();
  const open = new Map<string, OrderedCall[]>();
  /** The id of the call that each question is about. */
  const questions = new Map<string, string | undefined>();
  /** Calls for results without an id. Finished calls are dropped when encountered. */
  const stack: OrderedCall[] = [];

  function add({ type, toolCallId }: ToolCallChunk): OrderedCall {
    const call: OrderedCall = {};
    newestOfId.set(toolCallId, call);
    if (type !== "tool-call-ready") push(unready, toolCallId, call);
    addOpen(toolCallId, call);
    return call;
  }

  function addOpen(toolCallId: string, call: OrderedCall): void {
    push(open, toolCallId, call);
    stack.push(call);
  }

  /** @returns undefined if the chunk begins another call. */
  function find(chunk: ToolCallChunk): OrderedCall | undefined {
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
      case "tool-call-progress":
        return open.get(toolCallId)?.find((call) => isOpen(call) && isOf(tool, call)) ?? named;
      default:
        // A later result of the same call replaces the earlier one.
        return takeOldest(open.get(toolCallId), tool) ?? named;
    }
  }

  return {
    resume({ toolCallId, tool, input, state }, index) {
      const isOver = isFinishedCall(state);
      // Not ready: the rest of the answer may change the input of an open call.
      const call: OrderedCall = { index, tool: tool || undefined, input, isOver };
      newestOfId.set(toolCallId, call);
      if (input === undefined) push(unready, toolCallId, call);
      if (!isOver) addOpen(toolCallId, call);
    },
    callOf(chunk) {
      const call = find(chunk) ?? add(chunk);
      record(call, chunk);
      return call;
    },
    callOfLegacyResult({ tool }) {
      while (stack.at(-1)?.isOver) stack.pop();
      const call = stack.findLast((one) => isOpen(one) && (tool === undefined || one.tool === tool));
      if (call) call.isOver = true;
      return call;
    },
    newestOf: (toolCallId) => newestOfId.get(toolCallId),
    ask({ requestId, toolCallId }) {
      const call = newestOfId.get(toolCallId);
      if (call) call.isReady = false;
      questions.set(requestId, toolCallId);
      return call;
    },
    resolve(chunk) {
      const call = newestOfId.get(questions.get(chunk.requestId));
      if (call && isDenial(chunk)) call.isOver = true;
      return call;
    },
  };
}

/** The answer to a question about a call that refuses the call. */
export const denial = "deny";

export const isDenial = ({ outcome, answer }: InterruptResolvedChunk): boolean =>
  outcome === "answered" && [answer].flat()[0] === denial;

/** Keeps what distinguishes the call from the next one with the same id. */
function record(call: OrderedCall, chunk: ToolCallChunk): void {
  call.tool = chunk.tool ?? call.tool;
  switch (chunk.type) {
    case "tool-call-start":
    case "tool-call-ready":
      if (chunk.input !== undefined) call.input = chunk.input;
      if (chunk.type === "tool-call-ready") call.isReady = true;
      break;
    case "tool-call-result":
    case "tool-call-error":
    case "tool-call-denied":
      call.isOver = true;
  }
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
