/** The zod schemas of the contract, so that a backend installs one package. The root entry does not load them. */
export { chatMessageSchema, chatRequestBodySchema, streamChunkSchema } from "@kortyx/protocol/schemas";
