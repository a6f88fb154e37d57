/**
 * What a chunk or a question changes in the part of a tool call. Knows nothing of other parts; `tool-call-order.ts`
 * finds the call.
 */
import { isFinishedCall, type ToolCallPart, type ToolCallState } from "./assistant-message.ts";
import type { InterruptResolvedChunk, ProviderFields, ToolResultChunk } from "./chunks.ts";
import { mergeProviderMetadata } from "./merge-metadata.ts";
import type { OwnedContainers } from "./owned-containers.ts";
import { denial, isDenial, type ToolCallChunk } from "./tool-call-order.ts";

/**
 * Applies a chunk to its call. A finished call stays finished; its late input is added.
 *
 * @param isAsked - An open question is about the call.
 * @returns the same object for a chunk that changes nothing.
 */
export function foldToolCall(
  part: ToolCallPart,
  chunk: ToolCallChunk | ToolResultChunk,
  isAsked: boolean,
): ToolCallPart {
  const isProgress = chunk.type === "tool-call-progress";
  if (isProgress && isFinishedCall(part.state)) return part;
  const { tool = part.tool, node = part.node } = chunk;
  const next: ToolCallPart = { ...part, tool, node, ...changesOf(chunk, part) };
  if (isFinishedCall(next.state)) return next;
  return withState(next, openState(next, isAsked, isProgress ? "running" : "input-streaming"));
}

/** A question about the call was asked. */
export const askAboutCall = (part: ToolCallPart): ToolCallPart =>
  isFinishedCall(part.state) ? part : withState(part, "awaiting-approval");

/**
 * A question about the call was closed. `"deny"` ends the call, any other answer lets it run, and without an answer
 * nothing runs it.
 *
 * @param isAsked - Another question about the call is open.
 */
export function answerAboutCall(
  part: ToolCallPart,
  resolution: InterruptResolvedChunk,
  isAsked: boolean,
): ToolCallPart {
  if (isFinishedCall(part.state)) return part;
  const { outcome, reason } = resolution;
  if (isDenial(resolution)) return { ...part, state: "denied", errorMessage: reason ?? part.errorMessage };
  if (isAsked) return withState(part, "awaiting-approval");
  if (outcome !== "answered") return withState(part, "interrupted");
  if (part.state === "awaiting-approval") return withState(part, openState(part, false, "running"));
  // Its stream ended before the answer.
  if (part.state === "interrupted") return withState(part, openState(part, false, "input-streaming"));
  return part;
}

/** @returns what became of an open question about the call, which has ended without an `interrupt-resolved`. */
export const resolutionOf = ({ state }: ToolCallPart, requestId: string): InterruptResolvedChunk => ({
  type: "interrupt-resolved",
  requestId,
  outcome: "answered",
  ...(state === "denied" && { answer: denial }),
});

/** Adds what the provider wants back with the call, or with its result. */
export function describeCall(
  part: ToolCallPart,
  { providerMetadata: added }: ProviderFields,
  isResult: boolean,
  owned: OwnedContainers,
): ToolCallPart {
  if (!added) return part;
  return isResult
    ? { ...part, resultProviderMetadata: mergeProviderMetadata(part.resultProviderMetadata, added, owned) }
    : { ...part, providerMetadata: mergeProviderMetadata(part.providerMetadata, added, owned) };
}

/** A `done` names the call as one that waits for the client. An open question comes first. */
export const awaitClient = (part: ToolCallPart): ToolCallPart =>
  isFinishedCall(part.state) || part.state === "awaiting-approval"
    ? part
    : withState(part, "awaiting-client");

const withState = (part: ToolCallPart, state: ToolCallState): ToolCallPart =>
  state === part.state ? part : { ...part, state };

function openState(
  { input, executor }: ToolCallPart,
  isAsked: boolean,
  withoutInput: ToolCallState,
): ToolCallState {
  if (isAsked) return "awaiting-approval";
  if (input === undefined) return withoutInput;
  return executor === "client" ? "awaiting-client" : "running";
}

function changesOf(chunk: ToolCallChunk | ToolResultChunk, part: ToolCallPart): Partial<ToolCallPart> {
  switch (chunk.type) {
    case "tool-call-start":
    case "tool-call-ready":
      return pickDefined(chunk, startFields);
    case "tool-call-delta":
      return { inputText: part.inputText + chunk.delta };
    case "tool-call-progress":
      return { content: chunk.content };
    case "tool-result":
      return { state: "done", content: chunk.content };
    case "tool-call-result": {
      const { content, structuredContent, isError } = chunk;
      return { state: isError === true ? "error" : "done", content, structuredContent };
    }
    case "tool-call-error": {
      const { message: errorMessage, code: errorCode = part.errorCode } = chunk;
      const input = part.input === undefined ? chunk.input : part.input;
      return { state: "error", errorMessage, errorCode, input };
    }
    case "tool-call-denied":
      return { state: "denied", errorMessage: chunk.reason ?? part.errorMessage };
  }
}

/** What a start and the whole input add to a call. */
const startFields = [
  "input",
  "executor",
  "title",
  "inputFormat",
  "parentSegmentId",
  "isDynamic",
  "resumeToken",
] as const;

/** Leaves out the fields that the chunk omits, so that the call keeps its own. */
function pickDefined<Name extends string>(
  chunk: { readonly [Field in Name]?: unknown },
  names: readonly Name[],
): { [Field in Name]?: never } {
  const picked: Record<string, unknown> = {};
  for (const name of names) if (chunk[name] !== undefined) picked[name] = chunk[name];
  return picked as { [Field in Name]?: never };
}
