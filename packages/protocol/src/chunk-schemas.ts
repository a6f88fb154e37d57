/**
 * The zod schemas of chunks. The checker's table is generated from them, and a type test keeps them equal to the
 * interfaces. Readers and servers never import this file; the checker does the same at a fraction of the cost.
 *
 * Objects are loose: fields that a version does not know survive a round trip.
 */
import { z } from "zod";

const providerMetadata = z.record(z.string(), z.unknown()).optional();
const origin = { node: z.string().optional(), id: z.string().optional(), opId: z.string().optional() };
const segment = { segmentId: z.string().optional(), providerMetadata, ...origin };
const toolCall = { tool: z.string(), toolCallId: z.string(), ...origin };
const describedCall = {
  ...toolCall,
  executor: z.string().optional(),
  title: z.string().optional(),
  inputFormat: z.string().optional(),
  parentSegmentId: z.string().optional(),
  isDynamic: z.boolean().optional(),
  providerMetadata,
};
const tokenUsage = {
  inputTokens: z.number().optional(),
  outputTokens: z.number().optional(),
  totalTokens: z.number().optional(),
  reasoningTokens: z.number().optional(),
  cachedInputTokens: z.number().optional(),
  cacheWriteInputTokens: z.number().optional(),
};

/** Any JSON value, but required: JSON omits values that it cannot represent. */
const present = z
  .unknown()
  .refine((value): boolean => !["undefined", "function", "symbol"].includes(typeof value), {
    error: "expected a JSON value",
  });
const meta = z.record(z.string(), z.unknown()).optional();

const structured = {
  type: z.literal("structured-data"),
  streamId: z.string(),
  dataType: z.string(),
  schemaId: z.string().optional(),
  schemaVersion: z.string().optional(),
  id: z.string().optional(),
  node: z.string().optional(),
};

const structuredDataChunkSchema = z.discriminatedUnion("kind", [
  z.looseObject({ ...structured, kind: z.literal("set"), path: z.string(), value: present }),
  z.looseObject({ ...structured, kind: z.literal("append"), path: z.string(), items: z.array(present) }),
  z.looseObject({ ...structured, kind: z.literal("text-delta"), path: z.string(), delta: z.string() }),
  z.looseObject({ ...structured, kind: z.literal("final"), data: present }),
]);

const interruptInput = {
  id: z.string().optional(),
  schemaId: z.string().optional(),
  schemaVersion: z.string().optional(),
  meta,
};

const knownKinds = new Set(["text", "choice", "multi-choice", "json"]);

const knownInterruptInputSchema = z.discriminatedUnion("kind", [
  z.looseObject({
    ...interruptInput,
    kind: z.literal("text"),
    multiple: z.boolean(),
    question: z.string().optional(),
  }),
  z.looseObject({
    ...interruptInput,
    kind: z.literal("json"),
    multiple: z.boolean().optional(),
    question: z.string().optional(),
    schema: z.record(z.string(), z.unknown()).optional(),
  }),
  z.looseObject({
    ...interruptInput,
    kind: z.enum(["choice", "multi-choice"]),
    multiple: z.boolean(),
    question: z.string(),
    options: z.array(
      z.looseObject({ id: z.string(), label: z.string(), description: z.string().optional() }),
    ),
  }),
]);

/** A question of a kind that this version does not know passes unchanged, and is not among the types. */
const otherInterruptInputSchema = z.looseObject({
  kind: z.string().refine((kind) => !knownKinds.has(kind)),
}) as unknown as z.ZodType<never>;

const interruptInputSchema = z.union([knownInterruptInputSchema, otherInterruptInputSchema]);

/**
 * Every chunk that may travel on a stream, discriminated by `type`.
 *
 * @example
 * ```ts
 * streamChunkSchema.safeParse({ type: "text-delta", delta: 1 }).success; // false
 * ```
 */
export const streamChunkSchema = z.discriminatedUnion("type", [
  z.looseObject({ type: z.literal("session"), sessionId: z.string() }),
  z.looseObject({
    type: z.literal("run-start"),
    runId: z.string(),
    sessionId: z.string().optional(),
    input: z.unknown().optional(),
    continues: z.string().optional(),
    acceptsParts: z.boolean().optional(),
  }),
  z.looseObject({
    type: z.literal("checkpoint"),
    id: z.string(),
    sessionId: z.string(),
    turnIndex: z.int().min(0),
    label: z.string().optional(),
  }),
  z.looseObject({
    type: z.literal("trace"),
    traceId: z.string(),
    spanId: z.string(),
    runId: z.string(),
    rootSpanName: z.string(),
  }),
  z.looseObject({ type: z.literal("status"), message: z.string(), node: z.string().optional() }),
  z.looseObject({ type: z.literal("message"), content: z.string(), node: z.string().optional() }),
  z.looseObject({ type: z.literal("text-start"), ...segment }),
  z.looseObject({ type: z.literal("text-delta"), delta: z.string(), ...segment }),
  z.looseObject({
    type: z.literal("text-end"),
    ...segment,
    citations: z
      .array(
        z.looseObject({
          sourceId: z.string(),
          start: z.int().min(0).optional(),
          end: z.int().min(0).optional(),
          quote: z.string().optional(),
          providerMetadata,
        }),
      )
      .optional(),
  }),
  z.looseObject({ type: z.literal("reasoning-start"), ...segment }),
  z.looseObject({ type: z.literal("reasoning-delta"), delta: z.string(), ...segment }),
  z.looseObject({ type: z.literal("reasoning-end"), ...segment }),
  z.looseObject({ type: z.literal("tool-call-start"), ...describedCall, input: z.unknown().optional() }),
  z.looseObject({
    type: z.literal("tool-call-delta"),
    toolCallId: z.string(),
    delta: z.string(),
    tool: z.string().optional(),
    ...origin,
  }),
  z.looseObject({
    type: z.literal("tool-call-ready"),
    ...describedCall,
    input: present,
    resumeToken: z.string().optional(),
  }),
  z.looseObject({ type: z.literal("tool-call-progress"), ...toolCall, content: present }),
  z.looseObject({
    type: z.literal("tool-call-result"),
    ...toolCall,
    providerMetadata,
    content: present,
    structuredContent: z.unknown().optional(),
    isError: z.boolean().optional(),
  }),
  z.looseObject({
    type: z.literal("tool-call-error"),
    ...toolCall,
    message: z.string(),
    code: z.string().optional(),
    input: z.unknown().optional(),
    providerMetadata,
  }),
  z.looseObject({ type: z.literal("tool-call-denied"), ...toolCall, reason: z.string().optional() }),
  z.looseObject({
    type: z.literal("tool-result"),
    content: present,
    tool: z.string().optional(),
    node: z.string().optional(),
  }),
  structuredDataChunkSchema,
  z.looseObject({
    type: z.literal("structured-data-invalidated"),
    streamId: z.string(),
    checkpointId: z.string(),
  }),
  z.looseObject({
    type: z.literal("interrupt"),
    requestId: z.string(),
    resumeToken: z.string(),
    input: interruptInputSchema,
    workflow: z.string().optional(),
    schemaId: z.string().optional(),
    schemaVersion: z.string().optional(),
    meta,
    toolCallId: z.string().optional(),
    reason: z.string().optional(),
    expiresAt: z.number().optional(),
    isAutomatic: z.boolean().optional(),
    ...origin,
  }),
  z.looseObject({
    type: z.literal("interrupt-resolved"),
    requestId: z.string(),
    outcome: z.string(),
    answer: z.unknown().optional(),
    isAutomatic: z.boolean().optional(),
    reason: z.string().optional(),
  }),
  z.looseObject({
    type: z.literal("source"),
    id: z.string(),
    url: z.string().optional(),
    title: z.string().optional(),
    mediaType: z.string().optional(),
    name: z.string().optional(),
    providerMetadata,
    node: z.string().optional(),
  }),
  z.looseObject({
    type: z.literal("file"),
    mediaType: z.string(),
    url: z.string(),
    name: z.string().optional(),
    id: z.string().optional(),
    toolCallId: z.string().optional(),
    isReasoning: z.boolean().optional(),
    providerReference: z.record(z.string(), z.unknown()).optional(),
    providerMetadata,
    node: z.string().optional(),
  }),
  z.looseObject({
    type: z.literal("data"),
    name: z.string(),
    data: present,
    id: z.string().optional(),
    transient: z.boolean().optional(),
    providerMetadata,
    node: z.string().optional(),
  }),
  z.looseObject({ type: z.literal("metadata"), metadata: z.record(z.string(), z.unknown()) }),
  z.looseObject({
    type: z.literal("part-metadata"),
    segmentId: z.string().optional(),
    toolCallId: z.string().optional(),
    isResult: z.boolean().optional(),
    providerMetadata: z.record(z.string(), z.unknown()),
  }),
  z.looseObject({
    type: z.literal("step-start"),
    stepId: z.string(),
    name: z.string().optional(),
    ...origin,
  }),
  z.looseObject({
    type: z.literal("step-end"),
    stepId: z.string(),
    finishReason: z.string().optional(),
    usage: z.looseObject(tokenUsage).optional(),
    model: z.string().optional(),
    ...origin,
  }),
  z.looseObject({ type: z.literal("transition"), transitionTo: z.string(), payload: z.unknown().optional() }),
  z.looseObject({
    type: z.literal("error"),
    message: z.string(),
    code: z.string().optional(),
    retryable: z.boolean().optional(),
    retryAfterMs: z.number().optional(),
    correlationId: z.string().optional(),
  }),
  z.looseObject({ type: z.literal("abort"), reason: z.string() }),
  z.looseObject({
    type: z.literal("done"),
    data: z.unknown().optional(),
    finishReason: z.string().optional(),
    usage: z.looseObject(tokenUsage).optional(),
    usageByModel: z
      .array(z.looseObject({ ...tokenUsage, provider: z.string().optional(), model: z.string().optional() }))
      .optional(),
    pendingToolCallIds: z.array(z.string()).optional(),
  }),
]);
