/**
 * Random chunks, written from the table of the wire and from nothing in `src`, so that tests compare two sources.
 */
import fc from "fast-check";
import type { StreamChunk } from "../src/chunks.ts";

/** Any text: lone surrogates, NUL, line breaks, U+2028 and what SSE or JSON could trip over. */
export const anyText = fc.oneof(
  fc.string({ unit: "binary", maxLength: 12 }),
  fc.constantFrom(
    "\r",
    "\n",
    "\r\n",
    "\n\n",
    "\0",
    "\u2028",
    "\ud800",
    "\udc00x",
    "[DONE]",
    "data: x\n\n",
    "語\u{1f600}",
    "",
  ),
);

/** Any value that JSON can hold. JSON has no negative zero. */
export const anyJSON: fc.Arbitrary<unknown> = fc
  .jsonValue({ maxDepth: 3, stringUnit: "binary" })
  .map((value) => JSON.parse(JSON.stringify(value)));

const anyRecord = fc.dictionary(anyText, anyJSON, { maxKeys: 3 });
const anyTokens = fc.double({ noNaN: true, noDefaultInfinity: true, min: 0 }).map((value) => value + 0);

/** One shape of chunk: its literal fields, and an arbitrary for each other field. */
export interface Variant {
  literals: Record<string, string>;
  required: Record<string, fc.Arbitrary<unknown>>;
  optional: Record<string, fc.Arbitrary<unknown>>;
}

const origin = { node: anyText, id: anyText, opId: anyText };
const segment = { segmentId: anyText, ...origin };
const call = { tool: anyText, toolCallId: anyText };
const structured = { streamId: anyText, dataType: anyText };
const structuredOptional = { schemaId: anyText, schemaVersion: anyText, id: anyText, node: anyText };
const question = { id: anyText, schemaId: anyText, schemaVersion: anyText, meta: anyRecord };
const option = fc.record(
  { id: anyText, label: anyText, description: anyText },
  { requiredKeys: ["id", "label"] },
);
const choiceInput = (kind: string) =>
  fc.record(
    {
      kind: fc.constant(kind),
      multiple: fc.boolean(),
      question: anyText,
      options: fc.array(option, { maxLength: 3 }),
      ...question,
    },
    { requiredKeys: ["kind", "multiple", "question", "options"] },
  );
const textInput = fc.record(
  { kind: fc.constant("text"), multiple: fc.boolean(), question: anyText, ...question },
  { requiredKeys: ["kind", "multiple"] },
);
const interruptOptional = {
  workflow: anyText,
  schemaId: anyText,
  schemaVersion: anyText,
  meta: anyRecord,
  ...origin,
};
const usage = fc.record(
  { inputTokens: anyTokens, outputTokens: anyTokens, totalTokens: anyTokens },
  { requiredKeys: [] },
);

type Fields = Record<string, fc.Arbitrary<unknown>>;
const variant = (type: string, required: Fields = {}, optional: Fields = {}, kind?: string): Variant => ({
  literals: kind === undefined ? { type } : { type, kind },
  required,
  optional,
});

/** Every chunk of the wire, one entry for each shape. */
export const variants: Variant[] = [
  variant("session", { sessionId: anyText }),
  variant("run-start", { runId: anyText }, { sessionId: anyText, input: anyJSON }),
  variant("checkpoint", { id: anyText, sessionId: anyText, turnIndex: fc.maxSafeNat() }, { label: anyText }),
  variant("trace", { traceId: anyText, spanId: anyText, runId: anyText, rootSpanName: anyText }),
  variant("status", { message: anyText }, { node: anyText }),
  variant("message", { content: anyText }, { node: anyText }),
  variant("text-start", {}, segment),
  variant("text-delta", { delta: anyText }, segment),
  variant("text-end", {}, segment),
  variant("reasoning-start", {}, segment),
  variant("reasoning-delta", { delta: anyText }, segment),
  variant("reasoning-end", {}, segment),
  variant("tool-call-start", call, { ...origin, input: anyJSON }),
  variant("tool-call-delta", { toolCallId: anyText, delta: anyText }, { tool: anyText, ...origin }),
  variant("tool-call-ready", { ...call, input: anyJSON }, origin),
  variant(
    "tool-call-result",
    { ...call, content: anyJSON },
    { structuredContent: anyJSON, isError: fc.boolean(), ...origin },
  ),
  variant("tool-call-error", { ...call, message: anyText }, origin),
  variant("tool-result", { content: anyJSON }, { tool: anyText, node: anyText }),
  variant("structured-data", { ...structured, path: anyText, value: anyJSON }, structuredOptional, "set"),
  variant(
    "structured-data",
    { ...structured, path: anyText, items: fc.array(anyJSON, { maxLength: 3 }) },
    structuredOptional,
    "append",
  ),
  variant(
    "structured-data",
    { ...structured, path: anyText, delta: anyText },
    structuredOptional,
    "text-delta",
  ),
  variant("structured-data", { ...structured, data: anyJSON }, structuredOptional, "final"),
  variant("structured-data-invalidated", { streamId: anyText, checkpointId: anyText }),
  variant(
    "interrupt",
    {
      requestId: anyText,
      resumeToken: anyText,
      input: fc.oneof(textInput, choiceInput("choice"), choiceInput("multi-choice")),
    },
    interruptOptional,
  ),
  variant("source", { id: anyText }, { url: anyText, title: anyText, node: anyText }),
  variant("file", { mediaType: anyText, url: anyText }, { name: anyText, node: anyText }),
  variant("transition", { transitionTo: anyText }, { payload: anyJSON }),
  variant("error", { message: anyText }, { code: anyText, retryable: fc.boolean(), correlationId: anyText }),
  variant("abort", { reason: anyText }),
  variant("done", {}, { data: anyJSON, finishReason: anyText, usage }),
];

/** A valid chunk of one shape, with some of its optional fields and some that no version knows. */
export function chunkOf({ literals, required, optional }: Variant): fc.Arbitrary<StreamChunk> {
  const constants = Object.fromEntries(
    Object.entries(literals).map(([name, value]) => [name, fc.constant(value)]),
  );
  const known = fc.record(
    { ...constants, ...required, ...optional },
    { requiredKeys: [...Object.keys(constants), ...Object.keys(required)] },
  );
  const unknown = fc.dictionary(fc.constantFrom("x-new", "toString", "__proto__", "constructor"), anyJSON, {
    maxKeys: 2,
  });
  return fc.tuple(known, unknown).map(([fields, more]) => JSON.parse(JSON.stringify({ ...more, ...fields })));
}

/** A valid chunk of any shape. */
export const anyChunk: fc.Arbitrary<StreamChunk> = fc.oneof(...variants.map(chunkOf));

/** Texts with and without what JSON escapes. */
export const anyEscapedText = fc.oneof(
  fc.string({ maxLength: 6 }),
  fc.string({ unit: "binary", maxLength: 6 }),
  fc.constantFrom(
    "",
    "語",
    "é",
    "😀",
    "\ud800",
    "\udc00",
    '"',
    "\\",
    "\n",
    "\u0000",
    "\u001f",
    "\u007f",
    "\u2028",
    "\uffff",
  ),
);
