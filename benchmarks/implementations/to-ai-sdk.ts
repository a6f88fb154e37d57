/** `toAISDK`, beside the writer of the AI SDK that makes the same events of its own parts. */
import { toAISDK } from "../../packages/server/dist/ai-sdk.js";
import { answerChunks, iterate } from "../workloads/answer.ts";
import { parts, writeParts } from "./ai-sdk-parts.ts";
import type { Implementation } from "./implementation.ts";

export const implementation: Implementation = {
  title: "`toAISDK`",
  packages: ["ai"],
  form: "`toAISDK(chunks)`, beside `toUIMessageStream({ stream })`",

  compare: () => ({
    bare: () => writeParts(iterate(parts)) as unknown as AsyncIterable<unknown>,
    ours: () => toAISDK(iterate(answerChunks)),
    units: answerChunks.length,
  }),
};
