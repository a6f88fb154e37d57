/**
 * The answers to questions in a request, which clients send in three places: `resumes`, `resume` and the metadata of the
 * last message. Verifies none of them.
 */
import {
  type ChatRequestBody,
  type ChatResume,
  type InterruptAnswer,
  parseMessageResume,
} from "@kortyx/protocol";

/**
 * Collects the answers in `resumes`, from the first of the three places that has any, and makes `resume` the first of
 * them that it can hold: an agent finds the same answers in both. The metadata stays unchanged.
 */
export function withAnswers(body: ChatRequestBody): ChatRequestBody {
  // A request that continues an answer adds no message: the last one holds the answer of an earlier request, if any.
  const stored = body.trigger === "continue" ? undefined : parseMessageResume(body.messages.at(-1) ?? {});
  const { resumes = [], resume = stored } = body;
  if (resumes.length > 0) return { ...body, resume: resumes.find(isResume) };
  return resume === undefined ? body : { ...body, resume, resumes: [resume] };
}

/** Whether an answer is a text or ids of options, or is cancelled. */
function isResume(given: InterruptAnswer): given is InterruptAnswer & ChatResume {
  const { outcome, answer } = given;
  if (answer === undefined) return outcome === "cancelled";
  return [answer].flat().every((item) => typeof item === "string");
}
