/**
 * Turns the user's input into a message of the conversation, including its answer to a question. Rejects input that is
 * not a message, naming the problem.
 */
import {
  type ChatMessage,
  type ChatResume,
  type InterruptAnswer,
  type InterruptChunk,
  type InterruptOption,
  type MessagePart,
  parseMessageResume,
  toMessageResume,
} from "@kortyx/protocol";
import { describeKind } from "@kortyx/protocol/internal";
import { createId } from "../route/create-id.ts";
import { ChatStateError } from "../stream/errors.ts";
import type { ChatAnswer, ChatInput, InterruptResponse } from "./chat.ts";
import type { AssistantUIMessage, UIMessage, UserUIMessage } from "./messages.ts";

/**
 * @throws ChatStateError `empty-message` for input without content, `invalid-message` for a value that is not a
 * message.
 */
export function toUserMessage(input: ChatInput): UserUIMessage {
  const said: Exclude<ChatInput, string> = typeof input === "string" ? { content: input } : input;
  if (typeof said?.content !== "string") {
    throw new ChatStateError(
      "invalid-message",
      `Cannot send ${describeKind(input)}: expected a string, or an object whose \`content\` is a string. ` +
        "An event handler passes its event: write onClick={() => send(text)}.",
    );
  }
  const { files = [], ...fields } = said;
  const message: UserUIMessage = { ...fields, role: "user", id: said.id ?? createId() };
  const { role, id, timestamp, content, ...rest } = message;
  if (content.trim() === "" && files.length === 0 && !Object.values(rest).some(isSomething)) {
    throw new ChatStateError(
      "empty-message",
      "Cannot send an empty message: expected text, files or metadata.",
    );
  }
  return message;
}

type Cancellation = Extract<ChatAnswer, { outcome: unknown }>;

/** Whether any field besides the text has a value. */
const isSomething = (value: unknown): boolean =>
  typeof value === "object" && value !== null
    ? Object.keys(value).length > 0
    : value !== undefined && value !== null;

/**
 * A message that replaces another. If its text differs, it no longer answers the original's question, even if an
 * application copied its metadata.
 */
export function replaceMessage(message: UserUIMessage, replaced: UIMessage): UserUIMessage {
  const { content, metadata: { resume, ...metadata } = {} } = message;
  const before = replaced as Partial<UserUIMessage>;
  const isCopied = resume && JSON.stringify(resume) === JSON.stringify(before.metadata?.resume);
  return isCopied && content !== before.content ? { ...message, metadata } : message;
}

/**
 * The `resume` that the agent receives for an answer.
 *
 * @throws ChatStateError `invalid-message` for a value that is not an answer.
 */
export function toResume({ requestId, resumeToken }: InterruptChunk, answer: ChatAnswer): ChatResume {
  const question = { requestId, resumeToken };
  if (typeof answer === "string") return { ...question, answer };
  if (Array.isArray(answer) && answer.every((id) => typeof id === "string")) return { ...question, answer };
  if (isCancellation(answer) && ["string", "undefined"].includes(typeof answer.reason)) {
    const { outcome, reason } = answer;
    return { ...question, outcome, ...(reason && { reason }) };
  }
  throw new ChatStateError(
    "invalid-message",
    `Cannot respond with ${describeKind(answer)}: expected a string, an array with the ids of options, or { outcome: "cancelled" }.`,
  );
}

/**
 * The entry of `resumes` for an answer.
 *
 * @throws ChatStateError `invalid-message` for a value that is not an answer to this question.
 */
export function toInterruptAnswer(
  interrupt: InterruptChunk,
  { answer, input, reason }: InterruptResponse,
): InterruptAnswer {
  const { requestId, resumeToken, toolCallId } = interrupt;
  const isJSON = interrupt.input.kind === "json" && answer !== undefined && !isCancellation(answer);
  return {
    ...(isJSON ? { requestId, resumeToken, answer } : toResume(interrupt, answer)),
    ...(toolCallId !== undefined && { toolCallId }),
    ...(input !== undefined && { input }),
    ...(typeof reason === "string" && reason && { reason }),
  };
}

const isCancellation = (answer: ChatAnswer): answer is Cancellation =>
  (answer as Cancellation | null)?.outcome === "cancelled";

/** @throws ChatStateError `invalid-message` if the question does not offer the answer. */
export function checkOffered({ input }: InterruptChunk, answer: string): void {
  const { options = [] } = input as { options?: InterruptOption[] };
  if (options.some(({ id }) => id === answer)) return;
  const offered = options.map(({ id }) => JSON.stringify(id)).join(", ");
  throw new ChatStateError(
    "invalid-message",
    `Cannot ${answer}: expected a question with this option; its options are ${offered || "none"}.`,
  );
}

/**
 * Whether a question is answered without a message of the user's: the answer then continues the one that asked. A route
 * that has neither shown that it reads parts, nor asked about a call, may know no other answer than `resume`.
 */
export function continuesMessage(
  { toolCallId, input }: InterruptChunk,
  asking: UIMessage | undefined,
  acceptsParts: boolean,
): boolean {
  const { parts = [] } = (asking ?? {}) as Partial<AssistantUIMessage>;
  const asked = parts.filter((part) => part.type === "interrupt" && !part.isAutomatic);
  const asksAboutCalls = parts.some((part) => part.type === "interrupt" && part.toolCallId !== undefined);
  const isOneOfSeveral = asked.length > 1 && (acceptsParts || asksAboutCalls);
  return toolCallId !== undefined || input.kind === "json" || isOneOfSeveral;
}

/** The user message for an answer: the labels of the options, the text, or the reason for cancelling. */
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

/** Stores the `resume` on its message, unless it is already there. */
function withResume<Message extends ChatMessage>(message: Message, resume: ChatResume): Message {
  const { metadata } = message;
  return { ...message, metadata: { ...metadata, resume: metadata?.resume ?? toMessageResume(resume) } };
}

/** The messages sent to the agent; the last one carries the answer even if `selectMessages` recreated it. */
export function carryResume(messages: ChatMessage[], resume: ChatResume | undefined): ChatMessage[] {
  const last = messages.at(-1);
  return resume && last?.role === "user" ? [...messages.slice(0, -1), withResume(last, resume)] : messages;
}

/**
 * The `resume` for the last message of a stored conversation.
 *
 * @returns undefined if that message answers no question.
 */
export function findResume(messages: readonly UIMessage[]): ChatResume | undefined {
  const last = messages.at(-1) as UserUIMessage;
  const resume = parseMessageResume(last);
  if (!resume) return undefined;
  if (resume.outcome === "cancelled") return last.content ? { ...resume, reason: last.content } : resume;
  const asked = messages.flatMap((message) => ("parts" in message ? (message.parts as MessagePart[]) : []));
  const isAsked = (part: MessagePart) => part.type === "interrupt" && part.requestId === resume.requestId;
  const { kind, multiple } = (asked.find(isAsked) as InterruptChunk | undefined)?.input ?? {};
  const isList = multiple || kind === "multi-choice";
  return isList ? { ...resume, answer: [resume.answer].flat() } : resume;
}
