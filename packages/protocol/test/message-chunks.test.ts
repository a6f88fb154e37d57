import { expect, test } from "vitest";
import type { MessagePart } from "../src/assistant-message.ts";
import type { StreamChunk } from "../src/chunks.ts";
import { reduceMessage } from "../src/fold-message.ts";
import { toMessageChunks } from "../src/message-chunks.ts";
import { transcripts } from "./transcripts.ts";

/** A part without what only the pieces of a stream show. */
function shownOf(part: MessagePart): unknown {
  switch (part.type) {
    case "text":
    case "reasoning": {
      const { key, isContinuation, ...shown } = part;
      return shown;
    }
    case "tool-call": {
      const { inputText, ...shown } = part;
      return shown;
    }
    case "structured-data": {
      const { type, streamId, dataType, data } = part;
      return { type, streamId, dataType, data };
    }
    case "step":
      return { type: part.type, stepId: part.stepId, name: part.name };
    default:
      return part;
  }
}

const whole = transcripts
  .map(({ name, entries }) => ({ name, chunks: entries.map(({ chunk }) => chunk) }))
  .filter(({ chunks }) => chunks.at(-1)?.type === "done");

test.each(whole)("the chunks of the message of $name are folded to the same message", ({ chunks }) => {
  const message = reduceMessage(chunks);
  const again = reduceMessage([...toMessageChunks(message), chunks.at(-1)!]);
  expect(again.parts.map(shownOf)).toEqual(message.parts.map(shownOf));
  expect(again.metadata).toEqual(message.metadata);
  expect(again.interrupts).toEqual(message.interrupts);
});

test("a failed, a refused and a running call are what they were", () => {
  const call = { tool: "pay", toolCallId: "1" };
  const ready: StreamChunk = { type: "tool-call-ready", ...call, input: { euros: 5 } };
  const ends: StreamChunk[] = [
    { type: "tool-call-error", ...call, message: "No.", code: "no-money" },
    { type: "tool-call-result", ...call, content: "Broken", isError: true },
    { type: "tool-call-denied", ...call, reason: "too dear" },
    { type: "tool-call-progress", ...call, content: "50 %" },
  ];
  for (const end of ends) {
    const { parts } = reduceMessage([ready, end]);
    expect(reduceMessage(toMessageChunks(reduceMessage([ready, end]))).parts.map(shownOf)).toEqual(
      parts.map(shownOf),
    );
  }
});

test("a text does not continue one before it that a file has split", () => {
  const said = (delta: string): StreamChunk => ({ type: "text-delta", delta });
  const file: StreamChunk = { type: "file", mediaType: "image/png", url: "https://files.example/1.png" };
  const message = reduceMessage([said("One"), file, said("Two"), { type: "done" }]);
  const texts = reduceMessage(toMessageChunks(message)).parts.map((part) =>
    part.type === "text" ? part.text : part.type,
  );
  expect(texts).toEqual(["One", "file", "Two"]);
});
