/**
 * What the agent needs the user for: questions, a tool that runs only once the user approves, and one that runs in the
 * user's browser. Nothing is kept in between: the token of a question holds all that is needed to continue, so that any
 * process can, even after a restart. The route signs the tokens, so each comes back as the agent wrote it; an answer is
 * whatever a client sent.
 */
import type { ChatAgentOptions, StreamChunk, StreamChunkOf } from "@kortyx/server";
import { parseQuestion, type SearchHit, type SearchInput } from "./search.ts";

type Interrupt = StreamChunkOf<"interrupt">;
export type Answer = NonNullable<ChatAgentOptions["resumes"]>[number];

/** A search as far as it is known, and the number of sections to quote. */
export interface AskedSearch extends SearchInput {
  maxQuotes?: number;
}

/** What a question is about, and what must be known to continue. */
type Token = Partial<SearchInput> & { asks: "words" | "length" | "page" };

/** Asks for a word to search for and, at the same time, how long the answer may be. */
export function askForWords({ page }: SearchInput): Interrupt[] {
  const question = "Your question has no word that I could search for. What is it about?";
  const options = [
    { id: "short", label: "Short", description: "Only the best section" },
    { id: "long", label: "Long", description: "Every section that fits" },
  ];
  return [
    ask({ asks: "words", page }, { kind: "text", multiple: false, question }),
    ask(
      { asks: "length" },
      { kind: "choice", multiple: false, question: "How long may the answer be?", options },
    ),
  ];
}

/** Asks which of several pages the user means. */
export function askWhich({ query }: SearchInput, hits: readonly SearchHit[]): Interrupt {
  const options = hits.map(({ section: { page, title, heading } }) => ({
    id: page,
    label: title,
    description: `${page} › ${heading}`,
  }));
  const question = "Several pages are about this. Which one do you mean?";
  return ask({ asks: "page", query }, { kind: "choice", multiple: false, question, options });
}

/** The search that all answers together describe. */
export const readAnswers = (answers: readonly Answer[]): AskedSearch =>
  Object.assign({ query: "" }, ...answers.map(readAnswer));

function readAnswer({ resumeToken, answer }: Answer): Partial<AskedSearch> {
  const { asks, ...known }: Token = JSON.parse(resumeToken);
  const text = [answer ?? []].flat().join(" ");
  if (asks === "length") return { maxQuotes: text === "short" ? 1 : 4 };
  return { ...known, ...(asks === "page" ? { page: text } : parseQuestion(text)) };
}

const ask = (token: Token, input: Interrupt["input"]): Interrupt => ({
  type: "interrupt",
  requestId: crypto.randomUUID(),
  resumeToken: JSON.stringify(token),
  input,
});

/** Calls a tool that acts, but asks first: nothing is sent before the user approves. */
export function* proposeFeedback(text: string): Generator<StreamChunk> {
  const toolCallId = crypto.randomUUID();
  yield { type: "tool-call-start", tool: feedbackTool, toolCallId, input: { text } };
  const options = ["Approve", "Edit", "Deny"].map((label) => ({ id: label.toLowerCase(), label }));
  yield {
    type: "interrupt",
    requestId: crypto.randomUUID(),
    resumeToken: text,
    toolCallId,
    reason: "tool-approval",
    expiresAt: Date.now() + approvalTimeoutMs,
    input: { kind: "choice", multiple: false, question: "Send this feedback?", options },
  };
  yield { type: "done", finishReason: "interrupt" };
}

const feedbackTool = "send_feedback";
const approvalTimeoutMs = 60 * 60 * 1000;

/**
 * Does with the call what the user has decided. Nothing remembers that: where a tool may not run twice, store the
 * `toolCallId` first.
 */
export function* decideFeedback(
  { toolCallId = "", resumeToken: proposed, outcome, answer, input, reason }: Answer,
  sendFeedback: (text: string) => void,
): Generator<StreamChunk> {
  const call = { tool: feedbackTool, toolCallId };
  if (outcome === "cancelled" || (answer !== "approve" && answer !== "edit")) {
    yield { type: "tool-call-denied", ...call, reason };
    yield { type: "text-delta", delta: "All right, I have sent nothing." };
    return yield { type: "done", finishReason: "stop" };
  }
  // The changed input comes from a client.
  const { text } = (answer === "edit" ? (input ?? {}) : { text: proposed }) as { text?: unknown };
  if (typeof text !== "string" || text.trim() === "") {
    const message = "Feedback needs a text.";
    yield { type: "tool-call-error", ...call, code: "invalid-input", message, input };
  } else {
    if (answer === "edit") yield { type: "tool-call-ready", ...call, input: { text } };
    sendFeedback(text);
    yield { type: "tool-call-result", ...call, content: "Sent." };
    yield { type: "text-delta", delta: "Thank you! Your feedback is in the log of this demo's server." };
  }
  yield { type: "done", finishReason: "stop" };
}

/** Calls a tool of the page, if it offers that: only a browser knows its own time. */
export function* askTime(tools: ChatAgentOptions["tools"]): Generator<StreamChunk> {
  const tool = "read_clock";
  if (!tools?.some(({ name }) => name === tool)) {
    yield { type: "text-delta", delta: "I cannot see a clock from here." };
    return yield { type: "done", finishReason: "stop" };
  }
  const call = { tool, toolCallId: crypto.randomUUID(), executor: "client" };
  yield { type: "tool-call-start", ...call };
  yield { type: "tool-call-ready", ...call, input: {} };
  yield { type: "done", finishReason: "tool-calls" };
}

/** Reports what the page's tool has returned, which may be anything. */
export function* tellTime(results: NonNullable<ChatAgentOptions["toolResults"]>): Generator<StreamChunk> {
  for (const { tool, toolCallId, content, errorMessage: message } of results) {
    if (message !== undefined) yield { type: "tool-call-error", tool, toolCallId, message };
    else yield { type: "tool-call-result", tool, toolCallId, content };
    const { time, timeZone } = (content ?? {}) as Record<string, unknown>;
    const delta =
      message === undefined ? `It is ${time} where you are (${timeZone}).` : "I could not read your clock.";
    yield { type: "text-delta", delta };
  }
  yield { type: "done", finishReason: "stop" };
}
