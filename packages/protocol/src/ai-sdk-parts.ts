/**
 * Sources, files and data as the AI SDK's parts. Each is one event; knows nothing of the rest of the stream.
 */
import type { AISDKCitedSource } from "./ai-sdk-chunks.ts";
import { type AISDKDraft, compact, toProviderMetadata } from "./ai-sdk-metadata.ts";
import type { DataChunk, FileChunk, SourceChunk } from "./chunks.ts";

/** @returns its event, and the source as citations repeat it. */
export function toSource(chunk: SourceChunk): { event: AISDKDraft; source: AISDKCitedSource } {
  const { id: sourceId, url, title, mediaType = "application/octet-stream", name, providerMetadata } = chunk;
  if (url !== undefined) {
    const own = { mediaType: chunk.mediaType, name };
    const page = { url, title, providerMetadata: toProviderMetadata(providerMetadata, own) };
    return {
      event: { type: "source-url", sourceId, ...page },
      source: cited({ type: "source", sourceType: "url", id: sourceId, ...page }),
    };
  }
  const names = { mediaType, title: title ?? name ?? sourceId, filename: name };
  const fields = { ...names, providerMetadata: toProviderMetadata(providerMetadata) };
  return {
    event: { type: "source-document", sourceId, ...fields },
    source: cited({ type: "source", sourceType: "document", id: sourceId, ...fields }),
  };
}

const cited = (source: AISDKDraft<AISDKCitedSource>) => compact(source) as AISDKCitedSource;

/** @returns the event of a file. */
export function toFile(chunk: FileChunk): AISDKDraft {
  const {
    url,
    mediaType,
    isReasoning,
    name,
    toolCallId: toolCall,
    providerReference,
    providerMetadata,
  } = chunk;
  const own = { name, toolCall, providerReference };
  const type = isReasoning ? "reasoning-file" : "file";
  return { type, url, mediaType, providerMetadata: toProviderMetadata(providerMetadata, own) };
}

/** What only one provider knows has no data, and a name with a dot: the SDK's `custom`. */
export function toData({ name, data, id, transient, providerMetadata }: DataChunk): AISDKDraft {
  const described = toProviderMetadata(providerMetadata);
  if (data === null && described && name.includes(".")) {
    return { type: "custom", kind: name as `${string}.${string}`, providerMetadata: described };
  }
  return { type: `data-${name}`, id, data, transient: transient || undefined };
}
