/**
 * What the AI SDK's parts carry besides their own fields: the providers' metadata, and ours under `kortyx`, which makes the
 * way back exact.
 */
import type { AISDKChunk, AISDKFinish, AISDKProviderMetadata } from "./ai-sdk-chunks.ts";
import { isRecord } from "./chunk-shape.ts";
import type { FinishReason } from "./chunks.ts";

/** The key of our own metadata, of parts and of messages. */
export const ownKey = "kortyx";

/** What we say about a part. */
export interface OwnPartMetadata {
  /** Of a text: it continues the text before it, without a blank line between them. */
  isContinuation?: true | undefined;
  /** Of a call: the id that the agent knows it by, where the SDK needed another one. */
  toolCallId?: string | undefined;
  /** Of a call: who runs it, if that is neither the server nor the model's provider. */
  executor?: string | undefined;
  /** Of a call: the agent's token, sent back with the result of the client's tool. */
  resumeToken?: string | undefined;
  /** Of a call: the text that it belongs to. */
  parentSegmentId?: string | undefined;
  /** Of a call: the question that is closed, so that its answer is not sent again. */
  resolved?: string | undefined;
  /** Of a result: the tool returned both, so the output is `{ content, structuredContent }`. */
  isPair?: true | undefined;
  /** Of a failure: the result that the tool itself reported as one. */
  content?: unknown;
  /** Of a failure: the same as data for a program. */
  structuredContent?: unknown;
  /** Of a failure: its code. */
  code?: string | undefined;
  /** Of a file or a source: what has no field of its own. */
  name?: string | undefined;
  mediaType?: string | undefined;
  toolCall?: string | undefined;
  providerReference?: unknown;
}

/**
 * @returns the metadata as the SDK accepts it, an object for each provider, with our own; undefined if it is empty.
 */
export function toProviderMetadata(
  given: Readonly<Record<string, unknown>> | undefined,
  own: OwnPartMetadata = {},
): AISDKProviderMetadata | undefined {
  const entries = Object.entries(given ?? {}).filter(
    ([provider, value]) => provider !== ownKey && isRecord(value),
  );
  const ownEntries = Object.entries(own).filter(([, value]) => value !== undefined);
  if (ownEntries.length > 0) entries.push([ownKey, Object.fromEntries(ownEntries)]);
  return entries.length > 0 ? (Object.fromEntries(entries) as AISDKProviderMetadata) : undefined;
}

/** @returns what we said about a part, as a client sends it back: any value of any type. */
export function ownMetadataOf(metadata: unknown): Readonly<Record<string, unknown>> {
  const own = isRecord(metadata) && Object.hasOwn(metadata, ownKey) ? metadata[ownKey] : undefined;
  return isRecord(own) ? own : {};
}

/** @returns the metadata without ours; undefined if nothing is left. Anything else than an object as it is. */
export function withoutOwn(metadata: unknown): unknown {
  if (!isRecord(metadata)) return metadata ?? undefined;
  if (!Object.hasOwn(metadata, ownKey)) return metadata;
  const { [ownKey]: _, ...rest } = metadata;
  return Object.keys(rest).length > 0 ? rest : undefined;
}

/** A chunk of which optional fields may be undefined. */
export type AISDKDraft<Chunk = AISDKChunk> = Chunk extends unknown
  ? { [Name in keyof Chunk]: object extends Pick<Chunk, Name> ? Chunk[Name] | undefined : Chunk[Name] }
  : never;

/** @returns the object without fields that are undefined; the same one if it has none. */
export function compact<Fields extends object>(
  fields: Fields,
): { [Name in keyof Fields]: Exclude<Fields[Name], undefined> } {
  const entries = Object.entries(fields);
  const defined = entries.filter(([, value]) => value !== undefined);
  return (defined.length === entries.length ? fields : Object.fromEntries(defined)) as never;
}

const finishReasons: ReadonlySet<string> = new Set(["stop", "length", "content-filter", "tool-calls"]);

/** @returns the SDK's word for it. */
export function toFinishReason(reason: FinishReason | undefined): AISDKFinish["finishReason"] | undefined {
  if (reason === undefined) return undefined;
  if (reason === "interrupt") return "tool-calls";
  return finishReasons.has(reason) ? (reason as AISDKFinish["finishReason"]) : "other";
}
