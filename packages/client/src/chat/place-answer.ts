/**
 * Places an answer in its conversation, using the `run-start` chunk of its run. Pure: knows nothing of streams, and
 * changes no messages.
 */
import type { ChatMessage, UIMessage } from "@kortyx/protocol";
import { createId } from "../route/create-id.ts";
import { toUIMessage } from "./stored-message.ts";

/** The messages around an answer. */
export interface AnswerPlace {
  readonly before: readonly UIMessage[];
  readonly after: readonly UIMessage[];
}

/** The place at the end of a conversation. */
export const placeLast = (messages: readonly UIMessage[]): AnswerPlace => ({ before: messages, after: [] });

/** The place of an existing answer, which is replaced or continued; undefined if there is none. */
export function placeById(messages: readonly UIMessage[], messageId: string): AnswerPlace | undefined {
  const shown = messages.findIndex(({ id }) => id === messageId);
  return shown === -1 ? undefined : placeBetween(messages, shown, shown + 1);
}

/**
 * The place after the user's message that a run answers. Earlier answers to that message are removed. A message missing
 * from this conversation, because it was sent in another tab, is appended.
 *
 * @param input - From a `run-start` chunk: the unchecked message that the agent received. It may have no id; its text
 * then identifies it.
 * @returns undefined if the input is not a message.
 */
export function placeByInput(messages: readonly UIMessage[], input: unknown): AnswerPlace | undefined {
  const said = (input ?? {}) as Partial<ChatMessage>;
  const { content } = said;
  if (typeof content !== "string") return undefined;
  const saidId = typeof said.id === "string" ? said.id : undefined;
  const isSaid = (message: UIMessage): boolean =>
    message.role === "user" && (saidId ? message.id === saidId : message.content === content);
  const asked = messages.findLastIndex(isSaid);
  if (asked === -1) {
    const message = toUIMessage(
      { ...said, content, role: "user", id: saidId ?? createId() },
      messages.length,
    );
    return placeLast([...messages, message]);
  }
  const from = asked + 1;
  let to = from;
  while (messages[to]?.role === "assistant") to++;
  return placeBetween(messages, from, to);
}

const placeBetween = (messages: readonly UIMessage[], from: number, to: number): AnswerPlace => ({
  before: messages.slice(0, from),
  after: messages.slice(to),
});
