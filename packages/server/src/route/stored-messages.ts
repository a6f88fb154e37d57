/**
 * Conversations as an application has stored them, in the form in which agents receive them. Stores nothing.
 */
import type { AssistantUIMessage, ChatMessage } from "@kortyx/protocol";
import { toChatMessage } from "@kortyx/protocol/internal";

/**
 * Turns a stored conversation into the messages that an agent receives: for agents that take only the newest message from
 * the client, because a client can invent the others.
 *
 * @param stored - What `onFinish` has received: the user's messages (`input`), and the answers (`message`).
 * @returns the answers with their `parts`, as a client sends them. An answer with nothing in it is left out.
 *
 * @example
 * ```ts
 * const answer = { id: "1", role: "assistant", status: "done", parts: [] } as const;
 * const text = { type: "text", key: "", text: "Hello", state: "done" } as const;
 * toChatMessages([{ ...answer, parts: [text] }]); // [{ role: "assistant", content: "Hello", id: "1" }]
 * ```
 */
export const toChatMessages = (stored: readonly (ChatMessage | AssistantUIMessage)[]): ChatMessage[] =>
  stored.flatMap((message) => ("content" in message ? message : (toChatMessage(message, "parts") ?? [])));
