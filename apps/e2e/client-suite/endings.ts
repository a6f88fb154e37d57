/**
 * The table of endings: every way in which a stream can end, and the client's result. One row, one ending.
 */
import { abortedEndings, endingsWithoutAnswer, silentEndings, truncatedEndings } from "./endings-cut-off.ts";
import { endingsInOrder } from "./endings-in-order.ts";
import { resumedEndings } from "./endings-of-runs.ts";
import { brokenEndings, refusedEndings, unsentEndings } from "./endings-refused.ts";
import { bufferedEndings, refusedByState } from "./endings-without-stream.ts";
import type { EndingRow } from "./read-ending.ts";

export const endingRows: EndingRow[] = [
  ...endingsInOrder,
  ...truncatedEndings,
  ...endingsWithoutAnswer,
  ...silentEndings,
  ...abortedEndings,
  ...refusedEndings,
  ...unsentEndings,
  ...brokenEndings,
  ...resumedEndings,
  ...bufferedEndings,
  ...refusedByState,
];
