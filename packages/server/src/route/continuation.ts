/**
 * A request that continues an earlier answer: whether it does, the message that it continues, and how its stream begins.
 * Calls no agent and verifies no tokens.
 */
import type {
  AssistantUIMessage,
  ChatRequestBody,
  ClientToolResult,
  InterruptAnswer,
  InterruptPart,
  RunStartChunk,
  ToolCallPart,
  ToolCallState,
} from "@kortyx/protocol";
import { checkOption } from "@kortyx/protocol/internal";
import { mapSource } from "../stream/map-source.ts";
import { messageKeyOf, whenSaved } from "../stream/message-saves.ts";
import type { StreamSource } from "../stream/source.ts";
import { type ChatRequestError, type ChatRequestIssue, invalidRequest } from "./chat-request-error.ts";
import type { ChatFinish, ChatRouteOptions } from "./chat-route.ts";
import { withAnswers, withoutResume } from "./request-answers.ts";

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
 * Finds what the stored message shows as answered before. If its last stream has failed, it may be given again: the agent
 * does not receive what is about a call that is over.
 *
 * @returns the body for the agent, and the error to refuse it with.
 */
export function withoutAnswered(
  body: ChatRequestBody,
  { parts, status }: AssistantUIMessage,
): { body: ChatRequestBody; refusal: ChatRequestError | undefined } {
  const { resumes = [], toolResults = [], messages } = body;
  const isDone = status === "done";
  const callsOf = groupById(parts.filter((part) => part.type === "tool-call"));
  const isOver = ({ state }: ToolCallPart) => overStates.has(state);
  const questions = new Map<string, InterruptPart>();
  for (const part of parts) {
    if (part.type === "interrupt" && !questions.has(part.requestId)) questions.set(part.requestId, part);
  }
  const isAnswered = ({ requestId }: Pick<InterruptAnswer, "requestId">) => {
    const question = questions.get(requestId);
    if (question === undefined) return false;
    const call = callsOf.get(question.toolCallId)?.at(-1);
    return (call !== undefined && isOver(call)) || (isDone && question.resolution !== undefined);
  };
  /** Of calls with the same id, the oldest have their results first. */
  const late = [...groupById(toolResults)].flatMap(([toolCallId, results]) => {
    const calls = callsOf.get(toolCallId) ?? [];
    const open = calls.filter((call) => !isOver(call)).length;
    return calls.length > 0 ? results.slice(0, Math.max(0, results.length - open)) : [];
  });
  const lateResults = new Set(late);
  const hasResult = (result: ClientToolResult) => lateResults.has(result);
  const issues: ChatRequestIssue[] = [
    ...resumes.flatMap((answer, index) => (isAnswered(answer) ? [`resumes.${index}`] : [])),
    ...toolResults.flatMap((result, index) => (hasResult(result) ? [`toolResults.${index}`] : [])),
  ].map((path) => ({ path, expected: "a question or call that is still open", received: "an answered one" }));
  if (issues.length === 0) return { body, refusal: undefined };
  if (isDone) return { body, refusal: invalidRequest(issues, "already-answered") };
  const open = {
    ...body,
    messages: messages.map(withoutResume),
    resume: undefined,
    resumes: absentIfEmpty(resumes.filter((answer) => !isAnswered(answer))),
    toolResults: absentIfEmpty(toolResults.filter((result) => !hasResult(result))),
    trigger: "continue" as const,
  };
  return { body: withAnswers(open), refusal: undefined };
}

/** A request may have thousands of results, for the same call. */
function groupById<Item extends { toolCallId: string }>(
  items: readonly Item[],
): Map<string | undefined, Item[]> {
  const groups = new Map<string | undefined, Item[]>();
  for (const item of items) {
    const group = groups.get(item.toolCallId);
    if (group) group.push(item);
    else groups.set(item.toolCallId, [item]);
  }
  return groups;
}

const absentIfEmpty = <Item>(items: Item[]) => (items.length > 0 ? items : undefined);

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
