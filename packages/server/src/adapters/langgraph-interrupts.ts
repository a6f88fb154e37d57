/**
 * The questions of a graph, and their answers as LangGraph takes them. Streams nothing.
 */
import {
  type InterruptAnswer,
  type InterruptChunk,
  type InterruptOption,
  isStreamChunk,
  type StreamChunk,
} from "@kortyx/protocol";
import { isSameJSON } from "@kortyx/protocol/internal";
import type { GraphCall } from "./langgraph-calls.ts";
import { isRecord, listOf, recordOf, textOf } from "./loose-values.ts";

/** What the token of a question remembers for its answer. */
interface ResumeToken {
  /** LangGraph's id of the interrupt. */
  id: string;
  kind: string;
  /** The decision about one call, of those that an interrupt asks about. */
  call?: {
    index: number;
    count: number;
    toolCallId: string;
    tool: string;
    /** LangChain's spelling: `snake` in Python. */
    spelling: "camel" | "snake";
  };
}

type Node = { node?: string };

/**
 * @param open - The calls that may wait for a decision.
 * @returns one question, or one for each call that LangChain's human-in-the-loop middleware asks about.
 */
export function toInterrupts(interrupt: unknown, open: readonly GraphCall[], node: Node): InterruptChunk[] {
  const { id: given, interrupt_id, value, response_schema } = recordOf(interrupt);
  const id = textOf(given) ?? textOf(interrupt_id) ?? "interrupt";
  const approvals = toApprovals(id, value, open, node);
  if (approvals) return approvals;
  const input = toInput(value, response_schema);
  const resumeToken = JSON.stringify({ id, kind: input.kind } satisfies ResumeToken);
  return [{ type: "interrupt", requestId: id, resumeToken, input, ...node }];
}

function toInput(value: unknown, schema: unknown): InterruptChunk["input"] {
  if (isRecord(schema)) {
    const question = questionOf(value);
    return { kind: "json", ...(question && { question }), schema, meta: { value } };
  }
  if (typeof value === "string") return { kind: "text", multiple: false, question: value };
  return ownInput(value) ?? { kind: "json", ...withQuestion(value), meta: { value } };
}

const questionOf = (value: unknown): string | undefined => textOf(value) ?? textOf(recordOf(value).question);

const withQuestion = (value: unknown) => {
  const question = questionOf(value);
  return question && { question };
};

/** A graph may ask in the form of the contract. */
function ownInput(value: unknown): InterruptChunk["input"] | undefined {
  const { kind } = recordOf(value);
  if (kind !== "text" && kind !== "choice" && kind !== "multi-choice" && kind !== "json") return undefined;
  const input = { multiple: kind === "multi-choice", ...(value as object) } as InterruptChunk["input"];
  return isStreamChunk({ type: "interrupt", requestId: "-", resumeToken: "-", input }) ? input : undefined;
}

const decisions: Record<string, InterruptOption> = {
  approve: { id: "approve", label: "Approve" },
  edit: { id: "edit", label: "Edit" },
  reject: { id: "deny", label: "Deny" },
};

function toApprovals(
  id: string,
  value: unknown,
  open: readonly GraphCall[],
  node: Node,
): InterruptChunk[] | undefined {
  const { actionRequests, action_requests, reviewConfigs, review_configs } = recordOf(value);
  const actions = listOf(actionRequests ?? action_requests).map(recordOf);
  const reviews = listOf(reviewConfigs ?? review_configs).map(recordOf);
  if (actions.length === 0) return undefined;
  const left = [...open];
  const approvals: InterruptChunk[] = [];
  for (const [index, action] of actions.entries()) {
    const input = action.args ?? action.arguments;
    const found = left.findIndex((call) => call.tool === action.name && isSameJSON(call.input, input));
    const [call] = found === -1 ? [] : left.splice(found, 1);
    const { allowedDecisions, allowed_decisions } =
      reviews.find(({ actionName, action_name }) => (actionName ?? action_name) === action.name) ?? {};
    const allowed = listOf(allowedDecisions ?? allowed_decisions).map(String);
    const options = Object.keys(decisions).filter((name) => allowed.includes(name));
    // A decision that has no option: the question is answered as JSON.
    if (call === undefined || options.length === 0 || options.length < allowed.length) return undefined;
    const { toolCallId, tool } = call;
    const spelling = actionRequests ? "camel" : "snake";
    const token: ResumeToken = {
      id,
      kind: "choice",
      call: { index, count: actions.length, toolCallId, tool, spelling },
    };
    approvals.push({
      type: "interrupt",
      requestId: `${id}:${index}`,
      resumeToken: JSON.stringify(token),
      toolCallId,
      reason: "tool-approval",
      input: {
        kind: "choice",
        multiple: false,
        question: textOf(action.description) ?? `Run ${tool}?`,
        options: options.map((name) => decisions[name]!),
      },
      ...node,
    });
  }
  return approvals;
}

/** @returns undefined for the token of another question, or of no question of {@link toInterrupts}. */
function readToken({ requestId, resumeToken }: InterruptAnswer): ResumeToken | undefined {
  try {
    const token = recordOf(JSON.parse(resumeToken)) as unknown as ResumeToken;
    if (typeof token.id !== "string") return undefined;
    const expected = isRecord(token.call) ? `${token.id}:${token.call.index}` : token.id;
    return requestId === expected ? token : undefined;
  } catch {
    return undefined;
  }
}

/** The `id` of an option, in either form. */
const choiceOf = (answer: unknown): unknown => (Array.isArray(answer) ? answer[0] : answer);

/** What a stream shows first: the questions that its request has answered, and the calls that the user has changed. */
export function* toResolved(
  resumes: readonly InterruptAnswer[],
  onDenied: (toolCallId: string) => void,
): Generator<StreamChunk, void, void> {
  const answered = toResumeMap(resumes) ?? {};
  for (const resume of resumes) {
    const { requestId, outcome = "answered", answer, reason, input } = resume;
    const token = readToken(resume);
    // The graph asks again.
    if (!Object.hasOwn(answered, token?.id ?? requestId)) continue;
    const call = token?.call;
    const choice = outcome === "cancelled" ? "deny" : choiceOf(answer);
    yield {
      type: "interrupt-resolved",
      requestId,
      outcome,
      ...(answer !== undefined && { answer: call ? choice : answer }),
      ...(reason && { reason }),
    };
    if (call === undefined) continue;
    const { toolCallId, tool } = call;
    if (choice === "edit") yield { type: "tool-call-ready", tool, toolCallId, input: recordOf(input) };
    else if (choice !== "approve") onDenied(toolCallId);
  }
}

/**
 * The answers of a request as LangGraph takes them: by the id of the interrupt.
 *
 * A text and the id of an option are strings, several are an array, and any other answer is the JSON value. A question that
 * the user has cancelled is answered with `null`. Decisions about calls become those of LangChain's human-in-the-loop
 * middleware; an interrupt about several calls is left out until all of them are decided, and so is what is no interrupt's id:
 * LangGraph would take the whole map for a plain value, which answers every question that is open.
 *
 * Answers come from a client: with the route's `resumeSecret`, only those to questions of this conversation arrive. The
 * graph still has to check each value, for example with a Zod `responseSchema`.
 *
 * @returns undefined if there is nothing to resume: LangGraph would take an empty map for a plain value, too.
 *
 * @example
 * ```ts
 * toResumeMap([]); // undefined
 * const requestId = "4a4d75b6446a181dd990c215d0acd2d1";
 * const answers = toResumeMap([{ requestId, resumeToken: requestId, answer: { day: "Monday" } }]);
 * console.log(answers?.[requestId]);
 * ```
 */
export function toResumeMap(
  resumes: readonly InterruptAnswer[] | undefined = [],
): Record<string, unknown> | undefined {
  const answers = new Map<string, unknown>();
  const asked = new Map<string, { count: number; made: Map<number, object> }>();
  for (const resume of resumes) {
    const token = readToken(resume);
    if (token?.call) {
      const { index, count } = token.call;
      const { made } = asked.get(token.id) ?? { made: new Map() };
      asked.set(token.id, { count, made: made.set(index, toDecision(resume, token.call)) });
    } else answers.set(token?.id ?? resume.requestId, toAnswer(resume, token?.kind));
  }
  for (const [id, { count, made }] of asked) {
    const inOrder = [...made].sort(([one], [other]) => one - other).map(([, decision]) => decision);
    if (inOrder.length === count) answers.set(id, { decisions: inOrder });
  }
  const known = [...answers].filter(([id]) => interruptId.test(id));
  return known.length > 0 ? Object.fromEntries(known) : undefined;
}

/** The keys by which LangGraph recognizes a map. */
const interruptId = /^[0-9a-f]{32}$/;

function toAnswer({ outcome, answer }: InterruptAnswer, kind: string | undefined): unknown {
  if (outcome === "cancelled") return null;
  const isSingle = kind === "choice" || (kind === "text" && Array.isArray(answer) && answer.length === 1);
  if (kind === "multi-choice") return [answer].flat();
  return isSingle ? choiceOf(answer) : answer;
}

function toDecision(
  { outcome, answer, input, reason }: InterruptAnswer,
  { tool, spelling }: NonNullable<ResumeToken["call"]>,
): object {
  const choice = outcome === "cancelled" ? "deny" : choiceOf(answer);
  if (choice === "approve") return { type: "approve" };
  if (choice === "edit") {
    const edited = { name: tool, args: recordOf(input) };
    return spelling === "camel"
      ? { type: "edit", editedAction: edited }
      : { type: "edit", edited_action: edited };
  }
  return { type: "reject", ...(reason && { message: reason }) };
}
