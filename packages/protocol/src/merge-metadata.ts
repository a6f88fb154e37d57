/**
 * Merges the metadata of messages and of their parts. Its cost depends on the size of what is added.
 */
import { isRecord } from "./chunk-shape.ts";
import type { OwnedContainers } from "./owned-containers.ts";

type Fields = Readonly<Record<string, unknown>>;

/** Adds the fields of a `metadata` chunk, key by key. `null` removes a key. */
export const mergeMetadata = (before: Fields | undefined, added: Fields, owned: OwnedContainers): Fields =>
  merge(before, added, owned, (value) => value ?? undefined);

/** Adds what a provider wants back: by provider and, where both values are objects, key by key. */
export const mergeProviderMetadata = (
  before: Fields | undefined,
  added: Fields,
  owned: OwnedContainers,
): Fields =>
  merge(before, added, owned, (value, known) =>
    isRecord(value) && isRecord(known) ? merge(known, value, owned, (inner) => inner) : value,
  );

/** @param toValue - Returns the value of a key; undefined to remove it. */
function merge(
  before: Fields = {},
  added: Fields,
  owned: OwnedContainers,
  toValue: (value: unknown, known: unknown) => unknown,
): Fields {
  const merged = owned.own(before);
  for (const [key, given] of Object.entries(added)) {
    // Assigned, it would become the prototype.
    if (key === "__proto__") continue;
    const value = toValue(given, merged[key]);
    if (value === undefined) delete merged[key];
    else merged[key] = value;
  }
  return merged;
}
