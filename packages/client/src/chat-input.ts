/**
 * What the user says, as a message of the conversation. Refuses by name what is not a message.
 */
import type { InterruptChunk, InterruptOption } from "@kortyx/protocol";
import type { ChatInput } from "./chat.ts";
import { createId } from "./create-id.ts";
import { ChatStateError } from "./stream-errors.ts";
import type { UserUIMessage } from "./ui-message.ts";

/** @throws ChatStateError `empty-message` for what says nothing, `invalid-message` for what is not a message. */
export function toUserMessage(input: ChatInput): UserUIMessage {
  const said = typeof input === "string" ? { content: input } : input;
  if (typeof said?.content !== "string") {
    throw new ChatStateError(
      "invalid-message",
      `Cannot send ${typeof input}: expected a string, or an object whose \`content\` is a string. ` +
        "An event handler passes its event: write onClick={() => send(text)}.",
    );
  }
  const message: UserUIMessage = { ...said, role: "user", id: said.id ?? createId() };
  const { role, id, timestamp, content, ...rest } = message;
  if (content.trim() === "" && !Object.values(rest).some(isSomething)) {
    throw new ChatStateError("empty-message", "Cannot send an empty message: expected text or metadata.");
  }
  return message;
}

/** Whether a field beside the text holds anything. */
const isSomething = (value: unknown): boolean =>
  typeof value === "object" && value !== null
    ? Object.keys(value).length > 0
    : value !== undefined && value !== null;

/**
 * What the user says by answering a question: the labels of the options, or the text.
 *
 * @throws ChatStateError `invalid-message` for what is neither.
 */
export function toAnswerMessage(answer: string | string[], { input }: InterruptChunk): UserUIMessage {
  if (typeof answer !== "string" && !Array.isArray(answer)) {
    throw new ChatStateError(
      "invalid-message",
      `Cannot respond with ${typeof answer}: expected a string, or an array with the ids of options.`,
    );
  }
  const { options } = input as { options?: InterruptOption[] };
  const content = [answer]
    .flat()
    .map((said) => options?.find(({ id }) => id === said)?.label ?? said)
    .join(", ");
  return { role: "user", id: createId(), content };
}
