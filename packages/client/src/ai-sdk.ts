/** The AI SDK's `useChat` on a route of ours: its transport, and the mapping that it uses. */
export type { ChunkTranslator } from "@kortyx/protocol/ai-sdk";
