/** The likely culprits of a trouble among the hops that a response names. */
import { type Hop, hopsOf, type Trouble } from "./known-hops.ts";

/** The hops that can cause a trouble, the one that is nearest to the server first, with their settings. */
export function blame(
  headers: Record<string, string>,
  trouble: Trouble,
): { culprit: string; fixes: string[] } {
  const able = hopsOf(headers)
    .filter(({ fixes }) => fixes[trouble] !== undefined)
    .reverse();
  return {
    culprit: culpritOf(able, ""),
    fixes: able.map(({ name, fixes }) => `${name}: ${fixes[trouble]}`),
  };
}

export const culpritOf = (hops: Hop[], remark: string): string =>
  [
    hops.length === 0
      ? "No header names a proxy that is known for it; see what lies between this machine and the server."
      : `Likely ${hops.map(({ name }) => name).join(", or ")}, by the headers of the response.`,
    remark,
  ]
    .filter((text) => text !== "")
    .join(" ");
