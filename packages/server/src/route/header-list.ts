/**
 * Headers whose value is a list of names, such as `vary`. Merges two lists, so that neither replaces the other.
 */

/** @returns the names of both lists, each once; names are compared without case. */
export function joinHeaderLists(first: string, second: string): string {
  const names = new Map<string, string>();
  for (const name of `${first},${second}`.split(",").map((part) => part.trim())) {
    if (name !== "" && !names.has(name.toLowerCase())) names.set(name.toLowerCase(), name);
  }
  return [...names.values()].join(", ");
}
