/** The zod schemas of the contract, for backends and for authors of other clients. Readers never import this file. */
import { createBodySchema, createMessageSchema } from "./request-schemas.ts";

export { streamChunkSchema } from "./chunk-schemas.ts";

/**
 * One message of the conversation. Unknown keys are kept; `null` in an optional field counts as absent.
 *
 * @example
 * ```ts
 * chatMessageSchema.parse({ role: "user", content: "Hello", id: null }); // { role: "user", content: "Hello" }
 * ```
 */
export const chatMessageSchema = createMessageSchema();

/**
 * The body of a POST to a chat route. Unknown keys are kept. The ids of sessions, workflows and messages have at most 256
 * characters and are trimmed, and an empty one counts as absent, as `null` does in every optional field.
 *
 * @example
 * ```ts
 * const { messages, sessionId } = chatRequestBodySchema.parse(await request.json());
 * ```
 */
export const chatRequestBodySchema = createBodySchema();
