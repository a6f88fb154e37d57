/**
 * The questions of a message: which are open, and how they are closed when a route refuses their answers.
 */
import {
  createMessageAccumulator,
  type InterruptAnswer,
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

/**
 * What became of questions whose answers a route has refused.
 *
 * @param error - Why the answer failed. The issues of a 409 and a 410 name the refused answers by their path.
 * @param resumes - The answers of the request.
 */
export function readRefusedAnswers(
  error: Error | undefined,
  resumes: readonly InterruptAnswer[] = [],
): InterruptResolvedChunk[] {
  const body = (error as Partial<StreamHttpError> | undefined)?.body;
  const { code, issues } = (body ?? {}) as { code?: unknown; issues?: unknown };
  const outcome = Object.hasOwn(outcomes, String(code)) ? outcomes[String(code)] : undefined;
  if (!outcome || !Array.isArray(issues)) return [];
  const refused = new Set(issues.map((issue) => /^resumes\.(\d+)/.exec(issue?.path)?.[1]));
  return resumes.flatMap(({ requestId }, index) =>
    refused.has(String(index)) ? [{ type: "interrupt-resolved", requestId, outcome }] : [],
  );
}

/** @returns the message with some of its questions closed. */
export function resolveQuestions(
  message: AssistantUIMessage,
  resolutions: readonly InterruptResolvedChunk[],
): AssistantUIMessage {
  const accumulator = createMessageAccumulator(message);
  for (const resolution of resolutions) accumulator.apply(resolution);
  accumulator.apply({ type: "done", finishReason: message.finishReason });
  return accumulator.message;
}
