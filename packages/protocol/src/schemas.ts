/** The zod schemas of the contract, for backends and for authors of other clients. Readers never import this file. */
export { streamChunkSchema } from "./chunk-schemas.ts";
export { chatMessageSchema, chatRequestBodySchema } from "./request-schemas.ts";
