/**
 * Requests of AG-UI, as the body of ours. Validates nothing: what is not as expected is passed on, for the parser of the
 * route to report.
 */

import { decodeInterruptId } from "./ag-ui-interrupts.ts";
import { toAssistantMessage, toUserMessage } from "./ag-ui-messages.ts";
import { messageIdOf, ownFieldsOf, ownFieldsOfCall } from "./ag-ui-metadata.ts";
import { isRecord } from "./chunk-shape.ts";
import { isVisibleAscii } from "./id-rules.ts";

/** What a client of AG-UI posts: only what distinguishes it is checked. */
export interface AGUIRequestBody {
  /** The conversation. */
  threadId: string;
  /** The run that the client asks for. */
  runId: string;
  /** The run that this one continues. */
  parentRunId?: unknown;
  /** The conversation so far. */
  messages: unknown[];
  [field: string]: unknown;
}

/**
 * Whether a body is a request of AG-UI, from `HttpAgent` or TanStack's `ChatClient`, and neither ours nor the AI SDK's.
 *
 * @example
 * ```ts
 * isAGUIRequest({ threadId: "t1", runId: "r1", messages: [], tools: [], context: [] }); // true
 * isAGUIRequest({ sessionId: "t1", messages: [] }); // false
 * ```
 */
export function isAGUIRequest(body: unknown): body is AGUIRequestBody {
  if (!isRecord(body)) return false;
  const { threadId, runId, messages, context } = body;
  const hasIds = typeof threadId === "string" && typeof runId === "string";
  // Ours is an object.
  const hasContext = context === undefined || context === null || Array.isArray(context);
  return hasIds && hasContext && Array.isArray(messages);
}

/**
 * Converts a request of AG-UI into the body that a route accepts. Never throws, whatever a client has sent.
 *
 * The thread is the session, and the run's id the idempotency key. `resume` becomes `resumes`, and the results that the
 * client adds for its own tools `toolResults`; with either, the request continues the last answer. An agent receives
 * `state`, `context` and `forwardedProps` in its `context`.
 *
 * @returns the body, unchecked. Anything but an object is returned as it is.
 *
 * @example
 * ```ts
 * const body = { threadId: "t1", runId: "r1", messages: [{ id: "m1", role: "user", content: "Hi" }] };
 * fromAGUIRequest(body); // { messages: [{ role: "user", content: "Hi", id: "m1" }], sessionId: "t1", idempotencyKey: "r1" }
 * ```
 */
export function fromAGUIRequest(body: unknown): unknown {
  if (!isRecord(body)) return body;
  const { threadId, runId, parentRunId, protocolVersion, messages, tools, resume, ...others } = body;
  const { state, context, forwardedProps, data, ...rest } = others;
  const names = namesOf(tools);
  const resumes = Array.isArray(resume) ? resume.map(toAnswer) : resume;
  const toolResults = toToolResults(messages, names);
  const asked = new Set(
    Array.isArray(resumes) ? resumes.filter(isRecord).map(({ toolCallId }) => toolCallId) : [],
  );
  const said = toMessages(messages, asked);
  const last = Array.isArray(said) ? said.at(-1) : undefined;
  const hasAnswers = (Array.isArray(resumes) && resumes.length > 0) || toolResults.length > 0;
  const continues = hasAnswers && isRecord(last) && last.role === "assistant";
  return {
    ...rest,
    messages: said,
    sessionId: threadId,
    ...(typeof runId === "string" && isVisibleAscii(runId) && { idempotencyKey: runId }),
    ...toContext({ state, context, forwardedProps }),
    ...(tools != null && isList(tools) && { tools: Array.isArray(tools) ? tools.map(toTool) : tools }),
    ...(resumes != null && isList(resumes) && { resumes }),
    ...(toolResults.length > 0 && { toolResults }),
    ...(continues && { trigger: "continue", ...(typeof last.id === "string" && { messageId: last.id }) }),
  };
}

/** Clients also send empty lists. */
const isList = (value: unknown): boolean => !Array.isArray(value) || value.length > 0;

function toContext({ state, context, forwardedProps }: Record<string, unknown>): { context?: unknown } {
  const fields = Object.entries({ state, context, forwardedProps }).filter(
    ([, value]) => value != null && !(typeof value === "object" && Object.keys(value).length === 0),
  );
  return fields.length === 0 ? {} : { context: Object.fromEntries(fields) };
}

function toTool(tool: unknown): unknown {
  if (!isRecord(tool)) return tool;
  const { name, description, parameters } = tool;
  return { name, description: description ?? "", ...(parameters != null && { inputSchema: parameters }) };
}

const namesOf = (tools: unknown): Set<unknown> =>
  new Set(Array.isArray(tools) ? tools.filter(isRecord).map(({ name }) => name) : []);

/** `{ approved }` is how clients of AG-UI answer about a call; other payloads are the answer itself. */
function toAnswer(entry: unknown): unknown {
  if (!isRecord(entry)) return entry;
  const { interruptId, status, payload } = entry;
  if (typeof interruptId !== "string") return { requestId: interruptId, resumeToken: interruptId };
  const { toolCallId, ...key } = decodeInterruptId(interruptId);
  const question = { ...key, ...(toolCallId !== undefined && { toolCallId }) };
  if (status === "cancelled") return { ...question, outcome: "cancelled" };
  const outcome = status === "resolved" ? {} : { outcome: status };
  if (toolCallId === undefined) return { ...question, ...outcome, answer: payload ?? null };
  return { ...question, ...outcome, ...toDecision(payload) };
}

/** Without a payload, nothing has been decided. */
function toDecision(payload: unknown): Record<string, unknown> {
  if (payload === undefined || payload === null) return {};
  if (typeof payload === "boolean") return { answer: payload ? "approve" : "deny" };
  if (!isRecord(payload) || typeof payload.approved !== "boolean") return { answer: payload };
  const { approved, reason, editedArgs = payload.input } = payload;
  const because = typeof reason === "string" ? { reason } : {};
  if (!approved) return { answer: "deny", ...because };
  return editedArgs === undefined
    ? { answer: "approve", ...because }
    : { answer: "edit", input: editedArgs, ...because };
}

/** The results at the end of the messages, of calls that the client runs. */
function toToolResults(messages: unknown, offered: Set<unknown>): Record<string, unknown>[] {
  if (!Array.isArray(messages)) return [];
  const last = messages.findLastIndex((message) => !isRecord(message) || message.role !== "tool");
  const results = messages.slice(last + 1) as Record<string, unknown>[];
  const calls = callsById(messages);
  return results.flatMap(({ toolCallId, content, error, metadata }) => {
    const call = calls.get(toolCallId);
    // The server writes its own fields only to results of its own.
    if (call === undefined || Object.keys(ownFieldsOf(metadata)).length > 0) return [];
    if (!(call.isClients || offered.has(call.tool))) return [];
    const { tool, resumeToken } = call;
    const said = typeof error === "string" ? { errorMessage: error } : { content };
    return [{ toolCallId, tool, ...(resumeToken !== undefined && { resumeToken }), ...said }];
  });
}

interface AskedCall {
  tool: unknown;
  isClients: boolean;
  resumeToken: unknown;
}

function callsById(messages: unknown[]): Map<unknown, AskedCall> {
  const calls = new Map<unknown, AskedCall>();
  for (const message of messages) {
    if (!isRecord(message) || !Array.isArray(message.toolCalls)) continue;
    for (const call of message.toolCalls) {
      if (!isRecord(call)) continue;
      const { executor, resumeToken } = ownFieldsOfCall(call, message);
      const tool = isRecord(call.function) ? call.function.name : undefined;
      calls.set(call.id, { tool, isClients: executor === "client", resumeToken });
    }
  }
  return calls;
}

/** Joins what belongs to one answer: texts, reasoning, calls and their results, up to the next message of the user's. */
function toMessages(messages: unknown, asked: ReadonlySet<unknown>): unknown {
  if (!Array.isArray(messages)) return messages;
  const said: unknown[] = [];
  let answer: Record<string, unknown>[] = [];
  let answerId: string | undefined;
  const endAnswer = () => {
    if (answer.length > 0) said.push(toAssistantMessage(answer, asked));
    answer = [];
    answerId = undefined;
  };
  for (const message of messages) {
    const role = isRecord(message) ? message.role : undefined;
    if (role === "activity") continue;
    if (role === "assistant" || role === "reasoning" || role === "tool") {
      const id = messageIdOf(message);
      // Two answers may follow each other, such as one that failed and the next.
      if (id !== undefined && answerId !== undefined && id !== answerId) endAnswer();
      answerId ??= id;
      answer.push(message);
      continue;
    }
    endAnswer();
    said.push(isRecord(message) ? toUserMessage(message) : message);
  }
  endAnswer();
  return said.filter((message) => message !== undefined);
}
