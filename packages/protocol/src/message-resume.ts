/**
 * The answer to a question, stored on the message that gives it: `metadata.resume`, where Kortyx agents read it and a
 * stored conversation keeps it. Validates nothing else of a message.
 */
import type { ChatMessage, ChatResume } from "./chat-request.ts";

/** `metadata.resume` of a message that answers a question or cancels it. */
export type MessageResume = {
  /** The `resumeToken` of the `interrupt`. */
  token: string;
  /** The `requestId` of the `interrupt`. */
  requestId: string;
} & (
  | {
      /** The ids of the chosen options; a free-text answer is the only element. */
      selected: string[];
    }
  | {
      /** The user did not want to answer. */
      cancel: true;
    }
);

/**
 * Converts the answer to a question into the form stored on a message, in `metadata.resume`.
 *
 * @example
 * ```ts
 * const metadata = { resume: toMessageResume({ requestId: "q1", resumeToken: "t", answer: "Rome" }) };
 * metadata.resume; // { token: "t", requestId: "q1", selected: ["Rome"] }
 * ```
 */
export function toMessageResume({ requestId, resumeToken: token, ...given }: ChatResume): MessageResume {
  if (given.outcome === "cancelled") return { token, requestId, cancel: true };
  return { token, requestId, selected: [given.answer].flat() };
}

/**
 * Reads `metadata.resume`. The answer is in `selected` (a string or an array of strings), in `choice.id`, or in the ids
 * of `choices`; an array of one string counts as that string. `cancel: true` cancels, regardless of other fields.
 *
 * @returns undefined if there is none, or any field has the wrong type: `metadata` belongs to the application.
 *
 * @example
 * ```ts
 * const resume = { token: "t", requestId: "q1", selected: ["Rome"] };
 * parseMessageResume({ metadata: { resume } }); // { requestId: "q1", resumeToken: "t", answer: "Rome" }
 * ```
 */
export function parseMessageResume({ metadata }: Pick<ChatMessage, "metadata">): ChatResume | undefined {
  const given = fieldsOf(metadata?.resume);
  const { token: resumeToken, requestId } = given;
  if (!isFilled(resumeToken) || !isFilled(requestId)) return undefined;
  if (given.cancel === true) return { requestId, resumeToken, outcome: "cancelled" };
  const { selected = fieldsOf(given.choice).id ?? idsOf(given.choices) } = given;
  if (!isAnswer(selected)) return undefined;
  const [only = selected, ...others] = [selected].flat();
  return { requestId, resumeToken, answer: others.length === 0 ? only : selected };
}

/** Reads a property of an unknown value. */
const fieldsOf = (value: unknown): Record<string, unknown> => (value ?? {}) as Record<string, unknown>;

const idsOf = (choices: unknown): unknown =>
  Array.isArray(choices) ? choices.map((choice) => fieldsOf(choice).id) : undefined;

const isFilled = (value: unknown): value is string => typeof value === "string" && value.trim() !== "";

const isAnswer = (value: unknown): value is string | string[] =>
  typeof value === "string" || (Array.isArray(value) && value.every((item) => typeof item === "string"));
