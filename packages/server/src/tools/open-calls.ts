/**
 * The calls of an earlier answer that a request continues: which are still open, and what the request has for each. Runs
 * none, and verifies no tokens: with a `resumeSecret`, the route has.
 */
import type {
  AssistantMessage,
  ChatMessage,
  ClientToolResult,
  InterruptAnswer,
  StreamChunk,
  ToolCallPart,
} from "@kortyx/protocol";
import { isFinishedCall, toMessageParts } from "@kortyx/protocol/internal";
import type { ChatAgentOptions } from "../route/chat-agent.ts";
import type { Tools } from "./define-tool.ts";
import { findTool } from "./run-call.ts";

/** The message that a request continues, and the conversation before it. */
export interface ContinuedMessage {
  before: ChatMessage[];
  message: AssistantMessage;
}

/**
 * The route verifies the calls in the message with the request's `messageId`, or else in the last one that has such a
 * call. No other one may be read here.
 *
 * @returns undefined if the request asks for a new answer.
 */
export function findContinued(
  messages: readonly ChatMessage[],
  { trigger, messageId, continued, resumes = [], toolResults = [] }: ChatAgentOptions,
): ContinuedMessage | undefined {
  const hasAnswers = resumes.length + toolResults.length > 0;
  if (trigger !== "continue" && !(trigger === undefined && hasAnswers)) return undefined;
  const named = messages.findLastIndex(({ id }) => messageId !== undefined && id === messageId);
  if (continued) {
    return { before: named === -1 ? [...messages] : messages.slice(0, named), message: continued };
  }
  const index = messages[named]?.role === "assistant" ? named : messages.length - 1;
  const found = messages[index];
  if (found?.role !== "assistant") return undefined;
  const { id } = found;
  const message = { ...(id !== undefined && { id }), parts: toMessageParts(found), status: "done" } as const;
  return { before: messages.slice(0, index), message };
}

/** A call whose input is whole, and which has no result. */
interface OpenCall extends ToolCallPart {
  readonly input: unknown;
}

interface AnsweredCall {
  call: OpenCall;
  answer: InterruptAnswer;
}

/** What a request has for the open calls of a message. */
export interface OpenCalls {
  /** Calls with the answer to the question about each. */
  answered: AnsweredCall[];
  /** The same of calls that the model's provider runs. */
  ofProvider: AnsweredCall[];
  /** The results of calls that the client has run. */
  results: StreamChunk[];
  /** Calls that still wait for a person. */
  unapproved: OpenCall[];
  /** Calls that still wait for the client. */
  unrun: OpenCall[];
}

/** Finds what the request has for each call, at most once for each. What fits no open call is left out. */
export function findOpenCalls(
  { parts }: AssistantMessage,
  { continued, resumes = [], toolResults = [] }: ChatAgentOptions,
  tools: Tools,
): OpenCalls {
  const open = new Set(parts.filter(isOpenCall));
  const take = (call: OpenCall | undefined) => (call && open.delete(call) ? [call] : []);

  const newest = new Map([...open].map((call) => [call.toolCallId, call]));
  const given = resumes.flatMap((answer): AnsweredCall[] => {
    const toolCallId = callOf(answer, continued);
    const call = toolCallId === undefined ? undefined : newest.get(toolCallId);
    return call && canBeAnswered(call, tools) ? take(call).map(() => ({ call, answer })) : [];
  });
  const results = toolResults.flatMap((result) => {
    const { toolCallId, tool } = result;
    const call = [...open].find(
      (one) => one.toolCallId === toolCallId && one.tool === tool && waitsForClient(one, tools),
    );
    return take(call).map(() => toResultChunk(result));
  });
  return {
    answered: given.filter(({ call }) => !isOfProvider(call)),
    ofProvider: given.filter(({ call }) => isOfProvider(call)),
    results,
    unapproved: [...open].filter(({ state }) => state === "awaiting-approval"),
    unrun: [...open].filter((call) => call.state === "awaiting-client" && waitsForClient(call, tools)),
  };
}

const isOpenCall = (part: AssistantMessage["parts"][number]): part is OpenCall =>
  part.type === "tool-call" && part.input !== undefined && !isFinishedCall(part.state);

const isOfProvider = ({ executor }: OpenCall): boolean => executor === "provider";

/** The stored message knows which question was about which call; without it, the client, or the route's signature, does. */
function callOf(
  { requestId, toolCallId }: InterruptAnswer,
  continued: AssistantMessage | undefined,
): string | undefined {
  if (continued === undefined) return toolCallId;
  const question = continued.parts.find((part) => part.type === "interrupt" && part.requestId === requestId);
  const asked = question?.type === "interrupt" ? question.toolCallId : undefined;
  return toolCallId === undefined || toolCallId === asked ? asked : undefined;
}

/** The tool of a call that was asked about may be gone by now, but not one that only the client knows. */
const canBeAnswered = ({ tool, executor }: OpenCall, tools: Tools): boolean =>
  findTool(tools, tool) !== undefined || executor !== "client";

/** A call that another side runs, or that a person has not allowed, takes no result from a client. */
function waitsForClient(call: OpenCall, tools: Tools): boolean {
  if (call.state === "awaiting-approval" || isOfProvider(call)) return false;
  const tool = findTool(tools, call.tool);
  return tool ? tool.run === undefined : call.executor === "client";
}

const toResultChunk = ({ toolCallId, tool, content, errorMessage }: ClientToolResult): StreamChunk =>
  errorMessage === undefined
    ? { type: "tool-call-result", toolCallId, tool, content: content ?? null }
    : { type: "tool-call-error", toolCallId, tool, message: errorMessage };
