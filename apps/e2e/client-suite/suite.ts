/**
 * The whole suite, and the context of its cases. Runs nothing.
 */
import type * as client from "@kortyx/client";
import { cancellationCases } from "./cancellation.ts";
import { endingRows } from "./endings.ts";
import { everyByteCases } from "./every-byte.ts";
import { toCase } from "./read-ending.ts";
import { reconnectingCases } from "./reconnecting.ts";
import { slowConsumerCases } from "./slow-consumers.ts";
import type { SuiteContext, SuiteGroup } from "./suite-case.ts";

export const suite: SuiteGroup[] = [
  { name: "endings", cases: [...endingRows.map(toCase), ...everyByteCases] },
  { name: "cancellation", cases: cancellationCases },
  { name: "slow consumers", cases: slowConsumerCases },
  { name: "reconnecting", cases: reconnectingCases },
];

/** The context of the cases, for the suite server at `baseUrl`. */
export async function createContext(
  clientModule: typeof client,
  { baseUrl, randomCuts }: Pick<SuiteContext, "baseUrl" | "randomCuts">,
): Promise<SuiteContext> {
  const addresses = await (await fetch(`${baseUrl}/addresses`)).json();
  return { client: clientModule, baseUrl, randomCuts, ...addresses };
}

/**
 * Removes the randomness from the delays: until restored, reconnects wait only as long as the server requests.
 *
 * @returns a function that restores it.
 */
export function stopJitter(): () => void {
  const { random } = Math;
  Math.random = () => 0;
  return () => {
    Math.random = random;
  };
}
