/**
 * The zod schemas of a request's body, apart from those of chunks, which a server would build at its start and never
 * use.
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
const id = z
  .string()
  .nullable()
  .transform((value) => value?.trim() || undefined)
  .refine((value) => value === undefined || value.length <= maxIdLength, idLength)
  .optional();

/**
 * One message of the conversation. Unknown keys are kept; `null` in an optional field counts as absent.
 *
 * @example
 * ```ts
 * chatMessageSchema.parse({ role: "user", content: "Hello", id: null }); // { role: "user", content: "Hello" }
 * ```
 */
export const chatMessageSchema = z.looseObject({
  role: z.enum(["user", "assistant", "system"]),
  content: z.string(),
  id,
  timestamp: optional(z.number()),
  metadata: optional(z.record(z.string(), z.unknown())),
});

const answer = z.union([z.string(), z.array(z.string())]);
const resume = { requestId: z.string().max(maxIdLength, idLength), resumeToken: z.string() };

const chatRequestFieldSchemas = {
  messages: z.array(chatMessageSchema),
  sessionId: id,
  workflowId: id,
  context: optional(z.record(z.string(), z.unknown())),
  stream: optional(z.boolean()),
  idempotencyKey: optional(z.string().refine(isVisibleAscii, visibleAsciiRule)),
  resume: optional(
    z.discriminatedUnion("outcome", [
      z.looseObject({ ...resume, outcome: optional(z.literal("answered")), answer }),
      z.looseObject({
        ...resume,
        outcome: z.literal("cancelled"),
        answer: optional(answer),
        reason: optional(z.string()),
      }),
    ]),
  ),
} satisfies Record<keyof typeof chatRequestFields, z.ZodType>;

/**
 * The body of a POST to a chat route. Unknown keys are kept; ids have at most 256 characters and are trimmed, and an empty
 * one counts as absent, as `null` does in every optional field.
 *
 * @example
 * ```ts
 * const { messages, sessionId } = chatRequestBodySchema.parse(await request.json());
 * ```
 */
export const chatRequestBodySchema = z.looseObject(chatRequestFieldSchemas);
