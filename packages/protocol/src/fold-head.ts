/**
 * What chunks change in a message apart from its parts: its id, metadata, status, usage and places in other systems.
 * Decides nothing about errors; `stream-outcome.ts` does.
 */
import type { AssistantMessage } from "./assistant-message.ts";
import type { ModelUsage, StreamChunk, TokenUsage } from "./chunks.ts";
import { mergeMetadata } from "./merge-metadata.ts";
import type { OwnedContainers } from "./owned-containers.ts";

/** A message without its parts and questions. */
export type MessageHead = Omit<AssistantMessage, "parts" | "interrupt" | "interrupts">;

/** @returns the fields that the chunk changes; undefined for a chunk that changes none. */
export function foldHead(
  head: MessageHead,
  chunk: StreamChunk,
  owned: OwnedContainers,
): Partial<MessageHead> | undefined {
  switch (chunk.type) {
    case "run-start":
      return chunk.continues === undefined
        ? { id: chunk.runId }
        : { id: chunk.continues, runId: chunk.runId };
    case "metadata":
      return { metadata: mergeMetadata(head.metadata, chunk.metadata, owned) };
    case "checkpoint":
      return { checkpoint: chunk };
    case "trace":
      return { trace: chunk };
    case "done":
      return {
        status: "done",
        finishReason: chunk.finishReason,
        usage: sumUsage(head.usage, chunk.usage),
        usageByModel: sumByModel(head.usageByModel, chunk.usageByModel),
      };
    case "abort":
      return { status: "aborted", abortReason: chunk.reason };
    default:
      return undefined;
  }
}

/** Adds two counts key by key; a key that one of them lacks keeps its value. */
function sumUsage<Usage extends TokenUsage>(
  one: Usage | undefined,
  other: Usage | undefined,
): Usage | undefined {
  if (!one || !other) return other ?? one;
  const sum: Record<string, unknown> = { ...(one as object) };
  for (const [key, value] of Object.entries(other)) {
    const known = sum[key];
    sum[key] = typeof known === "number" && typeof value === "number" ? known + value : (value ?? known);
  }
  return sum as Usage;
}

function sumByModel(
  one: readonly Readonly<ModelUsage>[] | undefined,
  other: readonly Readonly<ModelUsage>[] | undefined,
): readonly Readonly<ModelUsage>[] | undefined {
  if (!one || !other) return other ?? one;
  const byModel = new Map<string, Readonly<ModelUsage>>();
  for (const usage of [...one, ...other]) {
    const name = JSON.stringify([usage.provider, usage.model]);
    byModel.set(name, sumUsage(byModel.get(name), usage)!);
  }
  return [...byModel.values()];
}
