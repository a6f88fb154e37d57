/**
 * What chunks have and AG-UI has no field for. It travels in two places that clients send back: the `metadata` of events,
 * under `kortyx`, and the encrypted value of a message or a call, for what a provider wants back.
 */
import { isRecord } from "./chunk-shape.ts";
import type { ProviderMetadata } from "./chunks.ts";

/** The key of event metadata that is ours. */
export const ownKey = "kortyx";

/** What the provider metadata of a chunk means for AG-UI. */
export interface AGUIFields {
  /** The metadata of the event that the chunk was made of. */
  metadata: Record<string, unknown> | undefined;
  /** Who speaks, or the id of a result's message. */
  message: Record<string, unknown>;
  /** What a provider wants back, that of an AG-UI agent included. */
  encrypted: ProviderMetadata | undefined;
}

const noFields: AGUIFields = { metadata: undefined, message: {}, encrypted: undefined };

/** Separates what an AG-UI agent has sent from what providers want back. */
export function splitProviderMetadata(given: ProviderMetadata | undefined): AGUIFields {
  if (!isRecord(given)) return noFields;
  const { agui, "agui-message": message, ...others } = given;
  return {
    metadata: isRecord(agui) ? agui : undefined,
    message: isRecord(message) ? message : {},
    encrypted: Object.keys(others).length > 0 ? others : undefined,
  };
}

/** @returns the `metadata` of an event, to be spread; nothing without any. */
export function toEventMetadata(
  metadata: Record<string, unknown> | undefined,
  own: Record<string, unknown>,
): { metadata?: Record<string, unknown> } {
  const present = Object.entries(own).filter(([, value]) => value !== undefined);
  if (metadata === undefined && present.length === 0) return {};
  return {
    metadata: { ...metadata, ...(present.length > 0 && { [ownKey]: Object.fromEntries(present) }) },
  };
}

/** @returns the fields under our key; none of another application's metadata. */
export function ownFieldsOf(metadata: unknown): Record<string, unknown> {
  const own = isRecord(metadata) ? metadata[ownKey] : undefined;
  return isRecord(own) ? own : {};
}

/** TanStack keeps the metadata of calls in that of their message. */
export function ownFieldsOfCall(
  call: Record<string, unknown>,
  message: Record<string, unknown>,
): Record<string, unknown> {
  const { tanstack } = isRecord(message.metadata) ? message.metadata : {};
  const ofCalls = isRecord(tanstack) && isRecord(tanstack.toolCallMetadata) ? tanstack.toolCallMetadata : {};
  const ofCall = ofCalls[String(call.id)];
  return ownFieldsOf(call.metadata ?? ofCall);
}

/** @returns the id of the assistant message as the server names it. */
export function messageIdOf(message: Record<string, unknown>): string | undefined {
  const calls = Array.isArray(message.toolCalls) ? message.toolCalls.filter(isRecord) : [];
  const own = [ownFieldsOf(message.metadata), ...calls.map((call) => ownFieldsOfCall(call, message))];
  return own.map(({ messageId }) => messageId).find((id): id is string => typeof id === "string");
}

/** A value that an AG-UI agent has encrypted stays as it is; anything else becomes JSON. */
export function encryptMetadata(metadata: ProviderMetadata): string {
  const { "agui-encrypted": encrypted, ...others } = metadata;
  const value = isRecord(encrypted) ? encrypted.value : undefined;
  if (typeof value === "string" && Object.keys(others).length === 0) return value;
  return JSON.stringify({ [ownKey]: metadata });
}

/** The reverse of {@link encryptMetadata}, for what a client has sent. */
export function decryptMetadata(value: string): ProviderMetadata {
  try {
    const { [ownKey]: metadata } = JSON.parse(value) as Record<string, unknown>;
    if (isRecord(metadata)) return metadata;
  } catch {
    // Not ours.
  }
  return { "agui-encrypted": { value } };
}
