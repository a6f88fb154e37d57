/**
 * Agents written from the documented contract of Kortyx: the behaviour of such an agent, and the options it refuses.
 */
import { PassThrough } from "node:stream";
import type { ChatMessage } from "@kortyx/server";
import type { KortyxChatOptions } from "@kortyx/server/kortyx";

const allowedOptions = new Set(["sessionId", "workflowId", "context"]);
const allowedFields = new Set(["role", "content", "id", "timestamp", "metadata"]);

/** Refuses unknown options, like the agent's validator. */
function validate(messages: ChatMessage[], options: object = {}): void {
  const unknown = [
    ...Object.keys(options).filter((key) => !allowedOptions.has(key)),
    ...messages.flatMap((message) => Object.keys(message).filter((key) => !allowedFields.has(key))),
  ];
  if (unknown.length > 0) throw new Error(`Unrecognized keys: ${unknown.join(", ")}`);
}

/**
 * A Node stream in object mode with the chunks of a generator, as the agent returns it. A failure is `error`, then
 * `done`.
 */
function toNodeStream(chunks: AsyncIterable<unknown>): PassThrough {
  const stream = new PassThrough({ objectMode: true });
  (async () => {
    try {
      for await (const chunk of chunks) stream.write(chunk);
    } catch (error) {
      stream.write({ type: "error", message: (error as Error).message });
      stream.write({ type: "done" });
    }
    stream.end();
  })();
  return stream;
}

/** The state of a workflow, as `done` carries it: values from the server, and a cycle. */
function stateOf(options: KortyxChatOptions) {
  const state: Record<string, unknown> = {
    input: "Hi",
    config: { context: { ...options.context, tenantSecret: "s3cr3t" } },
  };
  state.self = state;
  return state;
}

/** An agent around a generator of chunks. */
export function createKortyxAgent(
  answer: (messages: ChatMessage[], options: KortyxChatOptions) => AsyncIterable<unknown>,
) {
  const calls: [ChatMessage[], KortyxChatOptions | undefined][] = [];
  return {
    calls,
    async streamChat(messages: ChatMessage[], options?: KortyxChatOptions): Promise<PassThrough> {
      calls.push([messages, options]);
      validate(messages, options);
      return toNodeStream(answer(messages, options ?? {}));
    },
  };
}

const options = [
  { id: "a", label: "Alpha" },
  { id: "b", label: "Beta" },
];
const questions = [
  { kind: "text", multiple: false, question: "Your name?", options: [] },
  { kind: "choice", multiple: false, question: "Which one?", options },
  { kind: "multi-choice", multiple: true, question: "Which ones?", options },
];

/** Asks three questions in a row. Reads an answer only from the metadata of the last message. */
export function createAskingAgent() {
  const answers: unknown[] = [];
  const agent = createKortyxAgent(async function* (messages, chatOptions) {
    const resume = messages.at(-1)?.metadata?.resume as
      | { token: string; requestId: string; selected?: string[]; cancel?: boolean }
      | undefined;
    if (resume !== undefined) {
      const asked = answers.length;
      if (resume.token !== `token-${asked}` || resume.requestId !== `request-${asked}`) {
        throw new Error("Interrupt is expired, already consumed, or does not match the request.");
      }
      if (resume.cancel === true) {
        yield { type: "done", data: stateOf(chatOptions) };
        return;
      }
      answers.push(resume.selected);
    }
    yield { type: "session", sessionId: chatOptions.sessionId ?? "anonymous-session" };
    const input = questions[answers.length];
    if (input === undefined) {
      yield { type: "text-start", segmentId: "t" };
      yield { type: "text-delta", delta: JSON.stringify(answers), segmentId: "t" };
      yield { type: "text-end", segmentId: "t" };
    } else {
      const at = answers.length;
      yield { type: "interrupt", requestId: `request-${at}`, resumeToken: `token-${at}`, input };
    }
    yield { type: "done", data: stateOf(chatOptions) };
  });
  return { ...agent, answers };
}
