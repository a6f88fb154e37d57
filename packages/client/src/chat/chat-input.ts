/**
 * What the user says, as a message of the conversation, with the answer to a question that it gives. Refuses by name what
 * is not a message.
 */
import {
  type ChatMessage,
  type ChatResume,
  type InterruptChunk,
  type InterruptOption,
  parseMessageResume,
  toMessageResume,
} from "@kortyx/protocol";
import { createId } from "../route/create-id.ts";
import { ChatStateError } from "../stream/errors.ts";
import type { ChatAnswer, ChatInput } from "./chat.ts";
import type { AssistantUIMessage, UIMessage, UserUIMessage } from "./messages.ts";

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
 * A message that takes the place of another. With other words it does not answer the question that the other has answered,
 * although an application may copy its metadata.
 */
export function replaceMessage(message: UserUIMessage, replaced: UIMessage): UserUIMessage {
  const { content, metadata: { resume, ...metadata } = {} } = message;
  const before = replaced as Partial<UserUIMessage>;
  const isCopied = resume && JSON.stringify(resume) === JSON.stringify(before.metadata?.resume);
  return isCopied && content !== before.content ? { ...message, metadata } : message;
}

/**
 * What the agent gets for the answer to its question.
 *
 * @throws ChatStateError `invalid-message` for what is no answer.
 */
export function toResume({ requestId, resumeToken }: InterruptChunk, answer: ChatAnswer): ChatResume {
  const question = { requestId, resumeToken };
  if (typeof answer === "string") return { ...question, answer };
  if (Array.isArray(answer) && answer.every((id) => typeof id === "string")) return { ...question, answer };
  const { outcome, reason } = (answer ?? {}) as Exclude<ChatAnswer, string | string[]>;
  if (outcome === "cancelled" && ["string", "undefined"].includes(typeof reason)) {
    return { ...question, outcome, ...(reason && { reason }) };
  }
  throw new ChatStateError(
    "invalid-message",
    `Cannot respond with ${typeof answer}: expected a string, an array with the ids of options, or { outcome: "cancelled" }.`,
  );
}

/** What the user says by answering a question: the labels of the options, the text, or why it is cancelled. */
export function toAnswerMessage(resume: ChatResume, { input }: InterruptChunk): UserUIMessage {
  const { options } = input as { options?: InterruptOption[] };
  const content =
    resume.outcome === "cancelled"
      ? (resume.reason ?? "")
      : [resume.answer]
          .flat()
          .map((said) => options?.find(({ id }) => id === said)?.label ?? said)
          .join(", ");
  return withResume({ role: "user", id: createId(), content }, resume);
}

/** Adds what the agent gets to the message that says it, unless it has it. */
function withResume<Message extends ChatMessage>(message: Message, resume: ChatResume): Message {
  const { metadata } = message;
  return { ...message, metadata: { ...metadata, resume: metadata?.resume ?? toMessageResume(resume) } };
}

/** The messages that the agent is sent, the last of which carries the answer even where `selectMessages` has made it anew. */
export function carryResume(messages: ChatMessage[], resume: ChatResume | undefined): ChatMessage[] {
  const last = messages.at(-1);
  return resume && last?.role === "user" ? [...messages.slice(0, -1), withResume(last, resume)] : messages;
}

/**
 * What the agent gets for the last message of a conversation that has been stored.
 *
 * @returns undefined when that message answers no question.
 */
export function findResume(messages: readonly UIMessage[]): ChatResume | undefined {
  const last = messages.at(-1) as UserUIMessage;
  const resume = parseMessageResume(last);
  if (!resume) return undefined;
  if (resume.outcome === "cancelled") return last.content ? { ...resume, reason: last.content } : resume;
  const asked = messages.map((message) => (message as AssistantUIMessage).interrupt);
  const { kind, multiple } = asked.find((each) => each?.requestId === resume.requestId)?.input ?? {};
  const isList = multiple || kind === "multi-choice";
  return isList ? { ...resume, answer: [resume.answer].flat() } : resume;
}
