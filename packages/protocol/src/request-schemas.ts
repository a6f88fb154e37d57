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

/** Builds the schema of a message. */
export const createMessageSchema = () =>
  z.looseObject({
    role: z.enum(["user", "assistant", "system"]),
    content: z.string(),
    id: createIdSchema(),
    timestamp: optional(z.number()),
    metadata: optional(z.record(z.string(), z.unknown())),
  });

function createResumeSchema() {
  const question = { requestId: z.string().max(maxIdLength, idLength), resumeToken: z.string() };
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
  } satisfies Record<keyof typeof chatRequestFields, z.ZodType>;
  return z.looseObject(fields);
}
