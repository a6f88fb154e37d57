/**
 * One tool call as the AI SDK's reader knows it, and what its events have in common. Writes nothing.
 */
import type {
  AISDKJSON,
  AISDKToolInputError,
  AISDKToolOutputAvailable,
  AISDKToolOutputError,
} from "./ai-sdk-chunks.ts";
import { type AISDKDraft, compact, type OwnPartMetadata, toProviderMetadata } from "./ai-sdk-metadata.ts";
import { isRecord } from "./chunk-shape.ts";
import type { InterruptChunk, ProviderMetadata } from "./chunks.ts";

/** A call as the reader knows it. */
export interface ShownCall {
  id: string;
  tool: string;
  isDynamic: boolean;
  isProviderExecuted: boolean;
  state: "started" | "ready" | "over";
  /** The step that has the part; {@link earlier} for one that the continued message has. */
  step: number;
  title?: string | undefined;
  inputFormat?: string | undefined;
  input?: unknown;
  own: OwnPartMetadata;
  metadata: Readonly<ProviderMetadata> | undefined;
  resultMetadata: Readonly<ProviderMetadata> | undefined;
  /** The question that the reader shows with the call. */
  approvalId?: string;
  isApprovalOpen?: boolean;
  /** The latest result, to repeat it with what its provider wants back. */
  result?: { event: AISDKDraft<ResultEvent>; own: OwnPartMetadata };
}

/** The step of the parts of a continued message. */
export const earlier = -1;

/** An event that ends a call. */
export type ResultEvent = AISDKToolOutputAvailable | AISDKToolOutputError | AISDKToolInputError;

/** What the events of input and output repeat. */
export const kindOf = ({ isDynamic, isProviderExecuted }: ShownCall) => ({
  dynamic: isDynamic || undefined,
  providerExecuted: isProviderExecuted || undefined,
});

/** What the events of the input have besides it. */
export const describeCall = (call: ShownCall) => ({
  ...kindOf(call),
  title: call.title,
  toolMetadata: toolMetadataOf(call.metadata),
  providerMetadata: toProviderMetadata(call.metadata, call.own),
});

/** `fromAISDK` keeps the SDK's own field there. */
function toolMetadataOf(metadata: Readonly<ProviderMetadata> | undefined) {
  const given = metadata?.["ai-sdk"];
  const toolMetadata = isRecord(given) ? given.toolMetadata : undefined;
  return isRecord(toolMetadata) ? (toolMetadata as Record<string, AISDKJSON>) : undefined;
}

/** @returns what a page needs to ask more than approve or deny; undefined if that is all. */
export function descriptorOf(chunk: InterruptChunk): unknown {
  const { type, requestId, resumeToken, toolCallId, isAutomatic, node, id, opId, reason, ...rest } = chunk;
  const { input, ...more } = rest;
  const isPlain =
    (input.kind === "choice" &&
      Array.isArray(input.options) &&
      input.options.every((option) => option.id === "approve" || option.id === "deny") &&
      input.meta === undefined) ||
    (input.kind as string) === "approval";
  const isKnown = reason === undefined || reason === "tool-approval";
  if (isPlain && isKnown && Object.values(more).every((value) => value === undefined)) return undefined;
  return compact({ ...more, input, reason });
}
