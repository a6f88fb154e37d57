/**
 * The zod schemas of a request's body. Servers import them without the schemas of chunks and build them with their first
 * request, because zod takes milliseconds for that.
 *
 * Objects are loose: fields that a version does not know are kept.
 */
import { z } from "zod";
import type { ChatMessage, ChatMessagePart, chatRequestFields } from "./chat-request.ts";
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

/** An id of a question: required, and compared as it is. The id of a call has no limit, as providers write much into some. */
const createQuestionIdSchema = () => z.string().max(maxIdLength, idLength);

// These are checked as a whole: zod takes longer for one issue than for a thousand valid values.
const isText = (value: unknown) => typeof value === "string";
const isTextAnswer = (value: unknown) => (Array.isArray(value) ? value.every(isText) : isText(value));
const isRecordOfTexts = (value: unknown) =>
  typeof value === "object" && value !== null && !Array.isArray(value) && Object.values(value).every(isText);

/** A list without two entries for the same thing: an agent could not know which of them counts. */
const createUniqueSchema = <Key extends string, Item extends z.ZodType<Record<Key, unknown>>>(
  item: Item,
  key: Key,
) =>
  z.array(item).superRefine((items, { addIssue }) => {
    const seen = new Set<unknown>();
    for (const [index, { [key]: id }] of items.entries()) {
      const path = [index, key];
      if (seen.has(id)) addIssue({ code: "custom", path, message: "different from those before it" });
      seen.add(id);
    }
  });

/** The parts that a message of each role may have: only answers have reasoning, tool calls and steps. */
const partsOfRoles: Record<ChatMessage["role"], ChatMessagePart["type"][]> = {
  user: ["text", "file", "data"],
  assistant: ["text", "reasoning", "file", "tool-call", "data", "step"],
  system: ["text"],
};
const knownTypes: ReadonlySet<string> = new Set(partsOfRoles.assistant);

/** Builds the schema of one part of a message, of a type that this version knows. */
export const createKnownPartSchema = () =>
  z.discriminatedUnion("type", [
    z.looseObject({
      type: z.literal("text"),
      text: z.string(),
      providerMetadata: createProviderMetadataSchema(),
    }),
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
      providerReference: optional(z.custom<Record<string, string>>(isRecordOfTexts, "an object of strings")),
      providerMetadata: createProviderMetadataSchema(),
    }),
    z.looseObject({
      type: z.literal("tool-call"),
      toolCallId: z.string(),
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
      executor: optional(z.string()),
      inputFormat: optional(z.string()),
      isDynamic: optional(z.boolean()),
      providerMetadata: createProviderMetadataSchema(),
      resultProviderMetadata: createProviderMetadataSchema(),
    }),
    z.looseObject({
      type: z.literal("data"),
      name: z.string(),
      data: z.unknown().refine((value): boolean => value !== undefined, "a JSON value"),
      id: optional(z.string()),
      providerMetadata: createProviderMetadataSchema(),
    }),
    z.looseObject({ type: z.literal("step"), stepId: z.string(), name: optional(z.string()) }),
  ]);

/** A part of a type that this version does not know is kept as it is. */
function createPartSchema() {
  const known = createKnownPartSchema();
  return z.looseObject({ type: z.string() }).transform((part, { issues }) => {
    if (!knownTypes.has(part.type)) return part as never;
    const { error, data } = known.safeParse(part);
    if (error) issues.push(...(error.issues as z.core.$ZodRawIssue[]));
    return data ?? z.NEVER;
  });
}

/** Builds the schema of a message. */
export const createMessageSchema = () =>
  z
    .looseObject({
      role: z.enum(["user", "assistant", "system"]),
      content: z.string(),
      parts: optional(z.array(createPartSchema())),
      id: createIdSchema(),
      timestamp: optional(z.number()),
      metadata: optional(z.record(z.string(), z.unknown())),
    })
    .superRefine(({ role, parts = [] }, { addIssue }) => {
      const allowed = partsOfRoles[role];
      const expected = `one of ${allowed.map((type) => JSON.stringify(type)).join(", ")} in a message of role "${role}"`;
      for (const [index, { type }] of parts.entries()) {
        if (allowed.includes(type) || !knownTypes.has(type)) continue;
        addIssue({ code: "custom", path: ["parts", index, "type"], message: expected });
      }
    });

const createQuestionFields = () => ({
  requestId: createQuestionIdSchema(),
  resumeToken: z.string(),
  reason: optional(z.string()),
});

/** Answers in the form that suits an agent of texts and options. */
function createResumeSchema() {
  const question = createQuestionFields();
  const answer = z.custom<string | string[]>(isTextAnswer, "a string or an array of strings");
  return z.discriminatedUnion("outcome", [
    z.looseObject({ ...question, outcome: optional(z.literal("answered")), answer }),
    z.looseObject({ ...question, outcome: z.literal("cancelled"), answer: optional(answer) }),
  ]);
}

const createAnswerSchema = () =>
  z
    .looseObject({
      ...createQuestionFields(),
      toolCallId: optional(z.string()),
      outcome: optional(z.enum(["answered", "cancelled"])),
    })
    .superRefine(({ outcome, answer }, { addIssue }) => {
      if (outcome === "cancelled" || answer !== undefined) return;
      addIssue({ code: "custom", path: ["answer"], message: 'a JSON value unless outcome is "cancelled"' });
    });

const createToolResultSchema = () =>
  z.looseObject({
    toolCallId: z.string(),
    tool: z.string(),
    resumeToken: optional(z.string()),
    errorMessage: optional(z.string()),
  });

const createToolSchema = () =>
  z.looseObject({
    name: z
      .string()
      .refine(({ length }) => length >= 1 && length <= maxIdLength, `1 to ${maxIdLength} characters`),
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
    resumes: optional(createUniqueSchema(createAnswerSchema(), "requestId")),
    toolResults: optional(z.array(createToolResultSchema())),
    tools: optional(createUniqueSchema(createToolSchema(), "name")),
    trigger: optional(z.enum(["send", "regenerate", "continue"])),
    messageId: createIdSchema(),
  } satisfies Record<keyof typeof chatRequestFields, z.ZodType>;
  return z.looseObject(fields);
}
