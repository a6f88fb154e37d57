/**
 * Rejects options with unknown names. The types tell a compiler the same of literals.
 */

/**
 * A misspelt option would silently do nothing: a route with `autorize` would admit everyone.
 *
 * @param what - What has the options, for the error.
 * @param known - Every name that an option may have.
 * @throws TypeError that names the unknown option, and a known one if its name is similar.
 */
export function checkNames(what: string, options: object, known: Record<string, true>): void {
  const unknown = Object.keys(options).find((name) => !Object.hasOwn(known, name));
  if (unknown === undefined) return;
  const distanceTo = (name: string) => editDistance(unknown.toLowerCase(), name.toLowerCase());
  const [nearest = ""] = Object.keys(known).sort((one, other) => distanceTo(one) - distanceTo(other));
  const isSimilar = distanceTo(nearest) <= nearest.length / 3;
  throw new TypeError(`${what} has no option "${unknown}".${isSimilar ? ` Did you mean "${nearest}"?` : ""}`);
}

/** How many characters must be added, removed or replaced. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [index, letter] of [...from].entries()) {
    const next = [index + 1];
    for (let at = 0; at < to.length; at += 1) {
      const replaced = row[at]! + (letter === to[at] ? 0 : 1);
      next.push(Math.min(replaced, row[at + 1]! + 1, next[at]! + 1));
    }
    row = next;
  }
  return row.at(-1)!;
}
