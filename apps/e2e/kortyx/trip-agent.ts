/**
 * An agent like those of Kortyx's `createAgent`, according to its documented contract: it refuses unknown options,
 * reads answers to its questions from the metadata of the last message, puts its state into `done`, and ends a failure
 * with `error` and then `done`. Plans trips: three questions in a row, one of each kind.
 */
import type { ChatMessage, StreamChunk, StreamChunkOf } from "@kortyx/server";

export interface KortyxAgent {
  streamChat(messages: ChatMessage[], options?: KortyxOptions): Promise<AsyncIterable<StreamChunk>>;
}

interface KortyxOptions {
  sessionId?: string | undefined;
  workflowId?: string | undefined;
  context?: Record<string, unknown> | undefined;
}

type Input = StreamChunkOf<"interrupt">["input"];

/** A pending question: its request, and the answers to the earlier questions. */
interface Pending {
  requestId: string;
  sessionId: string;
  answers: string[][];
}

const choice = (question: string, ids: string[]) => ({
  question,
  options: ids.map((id) => ({ id, label: id.toUpperCase() })),
});

/** The questions, in order. A question for a text also has `options`. */
export const questions: Input[] = [
  { kind: "text", multiple: false, question: "Where to?", options: [] } as Input,
  { kind: "choice", multiple: false, ...choice("How?", ["train", "plane"]) },
  { kind: "multi-choice", multiple: true, ...choice("With whom?", ["ann", "bob", "cid"]) },
];

/** Part of its error texts, and of the state that the agent keeps. */
export const secret = "postgres://admin:hunter2@db";

export function createTripAgent(): KortyxAgent {
  const pending = new Map<string, Pending>();
  let counter = 0;

  function ask(sessionId: string, answers: string[][]): StreamChunk {
    const requestId = `human-${++counter}`;
    const resumeToken = `token-${counter}`;
    pending.set(resumeToken, { requestId, sessionId, answers });
    const input = questions[answers.length]!;
    return { type: "interrupt", requestId, resumeToken, workflow: "trips", node: "ask", input };
  }

  /** All answers including that of the last message; undefined if the message has none, or cancels. */
  function takeAnswer(message: ChatMessage | undefined, sessionId: string): string[][] | undefined {
    const resume = parseResume(message?.metadata?.resume);
    if (!resume) return undefined;
    const asked = pending.get(resume.token);
    if (asked?.requestId !== resume.requestId || asked.sessionId !== sessionId) {
      throw new Error("The interrupt has expired, or belongs to another request.");
    }
    pending.delete(resume.token);
    return resume.cancel ? undefined : [...asked.answers, resume.selected];
  }

  async function* answer(
    messages: ChatMessage[],
    { sessionId = "anonymous", context }: KortyxOptions,
  ): AsyncGenerator<StreamChunk> {
    yield { type: "session", sessionId };
    const last = messages.at(-1);
    const done: StreamChunk = { type: "done", data: { config: { context, database: secret } } };
    if (last?.content === "Fail") {
      yield* say("So far");
      yield { type: "error", message: `Cannot reach ${secret}` };
      return yield done;
    }
    let answers: string[][] | undefined;
    try {
      answers = takeAnswer(last, sessionId);
    } catch (error) {
      yield { type: "error", message: (error as Error).message };
      return yield done;
    }
    if (!answers && last?.content !== "Plan a trip") {
      yield* say(`You said: ${last?.content}`);
      return yield done;
    }
    if (!answers) yield* look();
    answers ??= [];
    if (answers.length < questions.length) {
      yield ask(sessionId, answers);
      return yield done;
    }
    const [[where], [how], who] = answers as [string[], string[], string[]];
    yield* say(`To ${where} by ${how} with ${who.join(" and ")}.`);
    yield done;
  }

  return {
    // Asynchronous, so that a refusal is a rejection.
    async streamChat(messages, options = {}) {
      const unknown = Object.keys(options).filter(
        (key) => !["sessionId", "workflowId", "context"].includes(key),
      );
      if (unknown.length > 0) throw new Error(`Unrecognized keys: ${JSON.stringify(unknown)}`);
      return answer(messages, options);
    },
  };
}

function* say(text: string): Generator<StreamChunk> {
  const segment = { segmentId: "segment-1", node: "write", opId: "op-1" };
  yield { type: "text-start", ...segment };
  for (const delta of text.split(/(?<= )/)) yield { type: "text-delta", delta, ...segment };
  yield { type: "text-end", ...segment };
}

function* look(): Generator<StreamChunk> {
  yield* say("Let me plan that.");
  const call = { tool: "calendar", toolCallId: "call-1", node: "look" };
  yield { type: "tool-call-start", ...call, input: { month: 5 } };
  yield { type: "tool-call-result", ...call, content: "free" };
  const trip = { streamId: "trip-1", dataType: "trip", node: "look" };
  yield { type: "structured-data", kind: "set", path: "month", value: 5, ...trip };
  yield { type: "structured-data", kind: "final", data: { month: 5, days: 3 }, ...trip };
}

/** Like that agent: without a token or a request it is no answer, and every form of an answer becomes a list. */
function parseResume(value: unknown) {
  if (typeof value !== "object" || value === null) return undefined;
  const { token, requestId, selected, cancel } = value as Record<string, unknown>;
  if (typeof token !== "string" || typeof requestId !== "string") return undefined;
  return { token, requestId, selected: [selected ?? []].flat().map(String), cancel: cancel === true };
}
