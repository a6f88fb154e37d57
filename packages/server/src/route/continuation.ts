/**
 * A request that continues an earlier answer: whether it does, the message that it continues, and how its stream begins.
 * Calls no agent and verifies no tokens.
 */
import type { AssistantUIMessage, ChatRequestBody, RunStartChunk, ToolCallState } from "@kortyx/protocol";
import { checkOption } from "@kortyx/protocol/internal";
import { mapSource } from "../stream/map-source.ts";
import { messageKeyOf, whenSaved } from "../stream/message-saves.ts";
import type { StreamSource } from "../stream/source.ts";
import { type ChatRequestError, type ChatRequestIssue, invalidRequest } from "./chat-request-error.ts";
import type { ChatFinish, ChatRouteOptions } from "./chat-route.ts";

/** The id of the message that a request continues; undefined if it asks for a new one. */
export function continuedBy({
  messageId,
  trigger,
  resumes = [],
  toolResults = [],
}: ChatRequestBody): string | undefined {
  const continues =
    trigger === "continue" || (trigger === undefined && resumes.length + toolResults.length > 0);
  return continues ? messageId : undefined;
}

/**
 * Calls `loadMessage`, when this process has saved the message.
 *
 * @returns undefined if there is no such message.
 * @throws TypeError if it returns anything but an assistant message, and anything that it throws.
 */
export async function loadContinued(
  loadMessage: ChatRouteOptions["loadMessage"],
  messageId: string,
  request: Pick<ChatFinish, "owner" | "sessionId">,
): Promise<AssistantUIMessage | undefined> {
  if (loadMessage === undefined) return undefined;
  await whenSaved(messageKeyOf(request.owner, messageId));
  const message = (await loadMessage(messageId, request)) ?? undefined;
  const isMessage = message === undefined || (message.role === "assistant" && Array.isArray(message.parts));
  checkOption("The result of loadMessage", isMessage, "an assistant message, null or undefined", message);
  return message;
}

/**
 * Refuses what the stored message shows as answered before. An answer that failed may be given again, unless the call that
 * it is about has run.
 */
export function refuseAnswered(
  { resumes = [], toolResults = [] }: ChatRequestBody,
  { parts, status }: AssistantUIMessage,
): ChatRequestError | undefined {
  const isOver = (id: string | undefined) => {
    const call = parts.findLast((part) => part.type === "tool-call" && part.toolCallId === id);
    return call?.type === "tool-call" && overStates.has(call.state);
  };
  const isAnswered = (id: string) => {
    const question = parts.find((part) => part.type === "interrupt" && part.requestId === id);
    if (question?.type !== "interrupt") return false;
    return isOver(question.toolCallId) || (question.resolution !== undefined && status === "done");
  };
  const issueOf = (path: string, isRefused: boolean): ChatRequestIssue[] =>
    isRefused
      ? [{ path, expected: "a question or call that is still open", received: "an answered one" }]
      : [];
  const issues = [
    ...resumes.flatMap(({ requestId }, index) => issueOf(`resumes.${index}`, isAnswered(requestId))),
    ...toolResults.flatMap(({ toolCallId }, index) =>
      issueOf(`toolResults.${index}`, status === "done" && isOver(toolCallId)),
    ),
  ];
  return issues.length > 0 ? invalidRequest(issues, "already-answered") : undefined;
}

const overStates: ReadonlySet<ToolCallState> = new Set<ToolCallState>(["done", "error", "denied"]);

/**
 * The stream of an answer without a run, which names its message all the same. `run-start` comes with the first chunk, so
 * that an agent that fails at once can still get an error status, and the stream ends with a terminal, as every run does.
 */
export function withRunStart(source: StreamSource, fields: Omit<RunStartChunk, "type">): StreamSource {
  return mapSource(source, () => {
    let isBegun = false;
    const begin = () => {
      if (isBegun) return [];
      isBegun = true;
      return [{ type: "run-start", ...fields }];
    };
    return {
      replace: (chunk) => (isBegun ? undefined : [...begin(), chunk]),
      append: () => [...begin(), { type: "done" }],
    };
  });
}
