import { createAISDKTranslator } from "@kortyx/protocol/ai-sdk";
import { describe, expect, test } from "vitest";
import { sampleSequences } from "../../../packages/protocol/test/chunk-sequences.ts";
import { isInstalled } from "../install.ts";
import { toFrames } from "./kit/provider-server.ts";

const { parseJsonEventStream, readUIMessageStream, uiMessageChunkSchema } = isInstalled()
  ? await import("ai")
  : ({} as never);

/** The events as `DefaultChatTransport` reads them from the wire: one that it refuses is an error of the stream. */
const streamOf = (events: unknown[]) =>
  parseJsonEventStream({
    stream: new Blob([...toFrames(events), "data: [DONE]\n\n"]).stream(),
    schema: uiMessageChunkSchema,
  }).pipeThrough(
    new TransformStream({
      transform(result, controller) {
        if (!result.success) throw result.error;
        controller.enqueue(result.value);
      },
    }),
  );

/** @returns the message, and the errors of the reader. */
async function read(events: unknown[]) {
  const errors: string[] = [];
  let message: unknown;
  const stream = readUIMessageStream({
    stream: streamOf(events),
    onError: (error) => errors.push(String(error)),
  });
  for await (const snapshot of stream) message = snapshot;
  return { message, errors };
}

describe.skipIf(!isInstalled())("any chunks", () => {
  test("become events that the reader of the AI SDK accepts, until one that ends them", async () => {
    for (const [index, chunks] of sampleSequences(1, Number(process.env.RUNS ?? 100)).entries()) {
      const translator = createAISDKTranslator({ messageId: "m" });
      const events = chunks.flatMap((chunk, at) => [
        ...translator.translate(chunk),
        ...(at % 3 === 0 ? translator.flush() : []),
      ]);
      events.push(...translator.end(index % 2 ? "complete" : "truncated"));
      const { errors } = await read(events);
      const last = events.at(-1)!;
      const expected = last.type === "error" ? [String(new Error(last.errorText))] : [];
      if (JSON.stringify(errors) !== JSON.stringify(expected))
        expect([chunks, errors]).toEqual([chunks, expected]);
      const ends = events.filter(({ type }) => ["error", "abort", "finish"].includes(type));
      expect(ends).toEqual([last]);
      expect(translator.translate({ type: "text-delta", delta: "late" })).toEqual([]);
      expect(translator.end("truncated")).toEqual([]);
    }
  });
});
