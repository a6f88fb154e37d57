/**
 * What an adapter adds to the SDK that it adapts: `adapter in` (an SDK's stream as chunks), `adapter out` (chunks as the
 * events of another protocol) and `adapter route` (a request in another wire, and its whole answer). Both sides take turns
 * in one process, over the answer of `answer.ts`.
 */
import { comparePasses, type Pass } from "../harness/compare-passes.ts";
import type { Job, Measures } from "../harness/run-rounds.ts";
import type { Side } from "../implementations/implementation.ts";
import { answer, calls } from "./answer.ts";

export async function measure({ budgetMs, load }: Job): Promise<Measures> {
  const { bare, ours, ownWire, units } = await (await load()).compare!();
  for (const side of [bare, ours, ownWire]) if (side) await check(side);
  const pass =
    (side: Side): Pass =>
    async () => {
      for await (const _ of await side());
      return units;
    };
  const compare = async (base: Side) => {
    // The first time is slower: the engine still compiles.
    await comparePasses(pass(ours), pass(base), budgetMs / 16);
    return comparePasses(pass(ours), pass(base), budgetMs / 8);
  };
  const { ratio, first: ns, second: bareNs } = await compare(bare);
  if (ownWire === undefined) return { ratio, ns, bareNs };
  const { ratio: ownRatio, second: ownNs } = await compare(ownWire);
  return { ratio, ns, bareNs, ownRatio, ownNs };
}

/** @throws if a side leaves something of the answer out. */
async function check(side: Side): Promise<void> {
  const items: unknown[] = [];
  for await (const item of await side()) items.push(item);
  const decoder = new TextDecoder();
  const printed = items
    .map((item) =>
      item instanceof Uint8Array ? decoder.decode(item, { stream: true }) : JSON.stringify(item),
    )
    .join("");
  const missing = [answer.text.at(-1)!, answer.reasoning.at(-1)!, ...calls.map(({ id }) => id)].filter(
    (piece) => !printed.includes(JSON.stringify(piece).slice(1, -1)),
  );
  if (missing.length > 0) throw new Error(`Without ${missing.join(", ")}.`);
}
