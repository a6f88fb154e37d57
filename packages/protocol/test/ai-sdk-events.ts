/** Streams as the AI SDK's events, for tests. */
import type { AISDKChunk } from "../src/ai-sdk-chunks.ts";
import { type AISDKTranslatorOptions, createAISDKTranslator } from "../src/ai-sdk-translator.ts";
import type { StreamChunk, UnknownChunk } from "../src/chunks.ts";

/** @returns the events of a whole stream of which no chunk was ready before the one before it was read. */
export function translate(
  chunks: (StreamChunk | UnknownChunk)[],
  options?: AISDKTranslatorOptions,
  end: "complete" | "truncated" = "complete",
): AISDKChunk[] {
  const translator = createAISDKTranslator(options);
  const events = chunks.flatMap((chunk) => [...translator.translate(chunk), ...translator.flush()]);
  return [...events, ...translator.end(end)];
}

export const typesOf = (events: AISDKChunk[]): string[] => events.map(({ type }) => type);

const frame = /^(start|start-step|finish-step|finish)$/;

/** @returns the events without those of the message and its steps. */
export const contentOf = (events: AISDKChunk[]): AISDKChunk[] =>
  events.filter(({ type }) => !frame.test(type));
