/**
 * The zod schemas of a request's body. Servers import them without the schemas of chunks and build them with their first
 * request, because zod takes milliseconds for that.
 *
 * Objects are loose: fields that a version does not know are kept.
 */
import { z } from "zod";
import type { chatRequestFields } from "./chat-request.ts";
import { isVisibleAscii, maxIdLength, visibleAsciiRule } from "./id-rules.ts";

/** A field that a client may leave out, or send as `null`, as many languages do: both are absent in the output. */
const optional = <Schema extends z.ZodType>(schema: Schema) =>
  schema
    .nullable()
    .transform((value) => value ?? undefined)
    .optional();

/** Ids are written to stores and logs, and read with every request. */
const idLength = `at most ${maxIdLength} characters`;

/** An id from a client: trimmed; an empty one counts as absent. */
const createIdSchema = () =>
  z
    .string()
    .nullable()
    .transform((value) => value?.trim() || undefined)
    .refine((value) => value === undefined || value.length <= maxIdLength, idLength)
    .optional();

const createProviderMetadataSchema = () => optional(z.record(z.string(), z.unknown()));

/** An id of a call or a question: required, and compared as it is. */
const createCallIdSchema = () => z.string().max(maxIdLength, idLength);

/** Builds the schema of one part of a message. */
export const createPartSchema = () =>
  z.discriminatedUnion("type", [
    z.looseObject({ type: z.literal("text"), text: z.string() }),
    z.looseObject({
      type: z.literal("reasoning"),
      text: z.string(),
      providerMetadata: createProviderMetadataSchema(),
    }),
    z.looseObject({
      type: z.literal("file"),
      mediaType: z.string(),
      url: z.string(),
      name: optional(z.string()),
      providerReference: optional(z.record(z.string(), z.string())),
    }),
    z.looseObject({
      type: z.literal("tool-call"),
      toolCallId: createCallIdSchema(),
      tool: z.string(),
      state: z.enum([
        "running",
        "awaiting-approval",
        "awaiting-client",
        "done",
        "error",
        "denied",
        "interrupted",
      ]),
      errorMessage: optional(z.string()),
      providerMetadata: createProviderMetadataSchema(),
    }),
    z.looseObject({
      type: z.literal("data"),
      name: z.string(),
      data: z.unknown(),
      id: optional(z.string()),
    }),
  ]);

/** Builds the schema of a message. */
export const createMessageSchema = () =>
  z.looseObject({
    role: z.enum(["user", "assistant", "system"]),
    content: z.string(),
    parts: optional(z.array(createPartSchema())),
    id: createIdSchema(),
    timestamp: optional(z.number()),
    metadata: optional(z.record(z.string(), z.unknown())),
  });

function createResumeSchema() {
  const question = { requestId: createCallIdSchema(), resumeToken: z.string() };
  const answer = z.union([z.string(), z.array(z.string())]);
  return z.discriminatedUnion("outcome", [
    z.looseObject({ ...question, outcome: optional(z.literal("answered")), answer }),
    z.looseObject({
      ...question,
      outcome: z.literal("cancelled"),
      answer: optional(answer),
      reason: optional(z.string()),
    }),
  ]);
}

const createAnswerSchema = () =>
  z.looseObject({
    requestId: createCallIdSchema(),
    resumeToken: z.string(),
    outcome: optional(z.enum(["answered", "cancelled"])),
    reason: optional(z.string()),
  });

const createToolResultSchema = () =>
  z.looseObject({
    toolCallId: createCallIdSchema(),
    tool: z.string(),
    resumeToken: optional(z.string()),
    errorMessage: optional(z.string()),
  });

const createToolSchema = () =>
  z.looseObject({
    name: z.string().min(1).max(maxIdLength, idLength),
    description: z.string(),
    inputSchema: optional(z.record(z.string(), z.unknown())),
  });

/** Builds the schema of the body of a POST to a chat route. */
export function createBodySchema() {
  const fields = {
    messages: z.array(createMessageSchema()),
    sessionId: createIdSchema(),
    workflowId: createIdSchema(),
    context: optional(z.record(z.string(), z.unknown())),
    stream: optional(z.boolean()),
    idempotencyKey: optional(z.string().refine(isVisibleAscii, visibleAsciiRule)),
    resume: optional(createResumeSchema()),
    resumes: optional(z.array(createAnswerSchema())),
    toolResults: optional(z.array(createToolResultSchema())),
    tools: optional(z.array(createToolSchema())),
    trigger: optional(z.enum(["send", "regenerate", "continue"])),
    messageId: createIdSchema(),
  } satisfies Record<keyof typeof chatRequestFields, z.ZodType>;
  return z.looseObject(fields);
}
