/**
 * The questions of a message: which are open, and how they, and calls, are closed when a route refuses answers or results.
 */
import {
  type ChatRequestBody,
  createMessageAccumulator,
  type InterruptChunk,
  type InterruptPart,
  type InterruptResolvedChunk,
} from "@kortyx/protocol";
import { isFinishedCall } from "@kortyx/protocol/internal";
import type { StreamHttpError } from "../stream/errors.ts";
import type { AssistantUIMessage, UIMessage } from "./messages.ts";

/**
 * @returns the open questions of a message, oldest first. They are read from its parts, because an application may store
 * no more of a message. One about a call that has ended, or was interrupted, is open no more.
 */
export function openQuestions(message: UIMessage | undefined): Readonly<InterruptChunk>[] {
  const { parts = [] } = (message ?? {}) as Partial<AssistantUIMessage>;
  const isOver = (toolCallId: string | undefined): boolean => {
    const call = parts.findLast((part) => part.type === "tool-call" && part.toolCallId === toolCallId);
    return call?.type === "tool-call" && (isFinishedCall(call.state) || call.state === "interrupted");
  };
  return parts.filter(
    (part): part is InterruptPart =>
      part.type === "interrupt" && !part.resolution && !part.isAutomatic && !isOver(part.toolCallId),
  );
}

/** The codes of a Kortyx route for answers that come too late. */
const outcomes: Record<string, InterruptResolvedChunk["outcome"]> = {
  "interrupt-expired": "expired",
  "already-answered": "answered",
};

/** What a route has refused because it came too late. */
export interface LateAnswers {
  /** What became of the questions. */
  readonly resolutions: readonly InterruptResolvedChunk[];
  /** The calls that are over elsewhere. */
  readonly toolCallIds: readonly string[];
}

/**
 * Reads what a route has refused.
 *
 * @param error - Why the answer failed. The issues of a 409 and a 410 name what was refused by its path.
 * @param added - The answers and results of the request.
 * @returns undefined if nothing came too late.
 */
export function readLateAnswers(
  error: Error | undefined,
  { resumes = [], toolResults = [] }: Pick<ChatRequestBody, "resumes" | "toolResults">,
): LateAnswers | undefined {
  const body = (error as Partial<StreamHttpError> | undefined)?.body;
  const { code, issues } = (body ?? {}) as { code?: unknown; issues?: unknown };
  const outcome = Object.hasOwn(outcomes, String(code)) ? outcomes[String(code)] : undefined;
  if (!outcome || !Array.isArray(issues)) return undefined;
  const paths = new Set(issues.map((issue) => /^(resumes|toolResults)\.\d+/.exec(issue?.path)?.[0]));
  const late = resumes.filter((_, index) => paths.has(`resumes.${index}`));
  const lateResults = toolResults.filter((_, index) => paths.has(`toolResults.${index}`));
  if (late.length + lateResults.length === 0) return undefined;
  return {
    resolutions: late.map(({ requestId }) => ({ type: "interrupt-resolved", requestId, outcome })),
    toolCallIds: lateResults.map(({ toolCallId }) => toolCallId),
  };
}

/** @returns the message with these questions closed, and with these calls interrupted: their results are elsewhere. */
export function closeLate(
  message: AssistantUIMessage,
  { resolutions, toolCallIds }: LateAnswers,
): AssistantUIMessage {
  const before = message.parts.map((part) =>
    part.type === "tool-call" && part.state === "awaiting-client" && toolCallIds.includes(part.toolCallId)
      ? { ...part, state: "interrupted" as const }
      : part,
  );
  const accumulator = createMessageAccumulator({ ...message, parts: before });
  const isOpen = ({ requestId }: InterruptResolvedChunk) =>
    before.some((part) => part.type === "interrupt" && part.requestId === requestId && !part.resolution);
  for (const resolution of resolutions.filter(isOpen)) accumulator.apply(resolution);
  accumulator.apply({ type: "done", finishReason: message.finishReason });
  const { parts, interrupt, interrupts } = accumulator.message;
  // An answer that was cut off stays so: its run can still be followed to its end.
  return { ...message, parts, interrupt, interrupts };
}
