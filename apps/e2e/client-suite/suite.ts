/**
 * The whole suite, and what its cases are given. Runs nothing.
 */
import type * as client from "@kortyx/client";
import { endingRows } from "./endings.ts";
import { everyByteCases } from "./every-byte.ts";
import { leavingCases } from "./leaving.ts";
import { toCase } from "./read-ending.ts";
import { reconnectingCases } from "./reconnecting.ts";
import { slowConsumerCases } from "./slow-consumers.ts";
import type { SuiteContext, SuiteGroup } from "./suite-case.ts";

export const suite: SuiteGroup[] = [
  { name: "endings", cases: [...endingRows.map(toCase), ...everyByteCases] },
  { name: "leaving", cases: leavingCases },
  { name: "slow consumers", cases: slowConsumerCases },
  { name: "reconnecting", cases: reconnectingCases },
];

/** What the cases are given, for the suite server at `baseUrl`. */
export async function createContext(
  clientModule: typeof client,
  { baseUrl, randomCuts }: Pick<SuiteContext, "baseUrl" | "randomCuts">,
): Promise<SuiteContext> {
  const addresses = await (await fetch(`${baseUrl}/addresses`)).json();
  return { client: clientModule, baseUrl, randomCuts, ...addresses };
}

/**
 * Takes the chance out of the back-off: until it is called off, reconnects wait only for what the server asks for.
 *
 * @returns a function that calls it off.
 */
export function stopJitter(): () => void {
  const { random } = Math;
  Math.random = () => 0;
  return () => {
    Math.random = random;
  };
}
