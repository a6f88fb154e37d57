/**
 * The answers to questions in a request, which clients send in three places: `resumes`, `resume` and the metadata of the
 * last message. Verifies none of them.
 */
import {
  type ChatMessage,
  type ChatRequestBody,
  type ChatResume,
  type InterruptAnswer,
  parseMessageResume,
} from "@kortyx/protocol";
import { maxIdLength } from "@kortyx/protocol/internal";
import { describeReceived, invalidRequest } from "./chat-request-error.ts";

/**
 * Collects the answers in `resumes`, from the first of the three places that has any, and makes `resume` the first of
 * them that it can hold: an agent finds the same answers in both. The metadata stays unchanged.
 *
 * @throws ChatRequestError for an answer in the metadata whose id is too long; the schema does not know metadata.
 */
export function withAnswers(body: ChatRequestBody): ChatRequestBody {
  // A request that continues an answer adds no message: the last one holds the answer of an earlier request, if any.
  const stored = body.trigger === "continue" ? undefined : resumeOfMessages(body.messages);
  const { resumes = [], resume = stored } = body;
  if (resumes.length > 0) return { ...body, resume: resumes.find(isResume) };
  return resume === undefined ? body : { ...body, resume, resumes: [resume] };
}

export const hasResume = ({ metadata }: ChatMessage): boolean => metadata?.resume !== undefined;

/** @returns the message without an answer in its metadata. */
export function withoutResume(message: ChatMessage): ChatMessage {
  if (!hasResume(message)) return message;
  const { resume, ...metadata } = message.metadata!;
  return { ...message, metadata };
}

function resumeOfMessages(messages: ChatMessage[]): ChatResume | undefined {
  const resume = parseMessageResume(messages.at(-1) ?? {});
  if (resume === undefined || resume.requestId.length <= maxIdLength) return resume;
  const path = `messages.${messages.length - 1}.metadata.resume.requestId`;
  const received = describeReceived(resume.requestId);
  throw invalidRequest([{ path, expected: `at most ${maxIdLength} characters`, received }]);
}

/** Whether an answer is a text or ids of options, or is cancelled: only then it may be absent. */
const isResume = (given: InterruptAnswer): given is InterruptAnswer & ChatResume =>
  given.answer === undefined || [given.answer].flat().every((item) => typeof item === "string");
