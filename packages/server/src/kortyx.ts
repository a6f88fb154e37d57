/**
 * Adapts Kortyx agents to agents of a route: what they accept, and what a client may see of their streams. Knows their
 * shape; imports none of their packages.
 */
import {
  type ChatMessage,
  type ChatTypes,
  reduceStreamError,
  type StreamChunk,
  toMessageResume,
} from "@kortyx/protocol";
import type { ChatAgent, ChatAgentOptions } from "./route/chat-agent.ts";
import { maskFailure } from "./stream/mask-error.ts";
import { type ChunkIterator, closeIterator, toIterator } from "./stream/source.ts";

/** What a Kortyx agent accepts in addition to the messages. It throws on any other key. */
export interface KortyxChatOptions {
  /** The conversation that the request continues. */
  sessionId?: string | undefined;
  /** Selects a workflow of the agent. */
  workflowId?: string | undefined;
  /** Anything the application wants to pass to its agent. */
  context?: Record<string, unknown> | undefined;
}

/** A Kortyx agent, as `createAgent` of `@kortyx/agent` returns. */
export interface KortyxAgent {
  /** Resolves to chunks: a Node stream in object mode, or any other async iterable. */
  streamChat(
    messages: ChatMessage[],
    options?: KortyxChatOptions,
  ): AsyncIterable<unknown> | PromiseLike<AsyncIterable<unknown>>;
}

/** Options of {@link fromKortyx}. */
export interface FromKortyxOptions {
  /**
   * Replaces each `error` chunk, whose text quotes an error from inside the agent, with a generic one that has a
   * `correlationId` and keeps only `retryable`; the original chunk is logged under the same id.
   *
   * @defaultValue true
   */
  maskErrors?: boolean | undefined;
  /**
   * Keeps the `data` of `done`. It is the whole state of the workflow, the server's own `context` included: keep it
   * only if the client may see all of that.
   *
   * @defaultValue false
   */
  keepDoneData?: boolean | undefined;
}

/**
 * Makes a Kortyx agent the agent of a route.
 *
 * The agent receives the messages and, if the request has them, `sessionId`, `workflowId` and `context`. It knows one
 * question at a time: `resume` is stored where it reads one, in the `metadata.resume` of the last message, and other
 * answers, results of tools and tools of the client do not reach it. Neither do the `parts` of messages, nor an earlier
 * answer of parts without a text. In its stream, errors are masked, the `data` of `done` is removed, and `done` gets
 * `finishReason: "interrupt"` after an `interrupt`.
 *
 * It cannot be aborted: when the client leaves, its stream is destroyed at once, but its model may finish. With `runs`,
 * that answer is kept.
 *
 * @example
 * ```ts
 * const route = createChatRoute({ agent: fromKortyx(kortyxAgent) });
 * ```
 */
export function fromKortyx<Types extends ChatTypes = ChatTypes>(
  agent: KortyxAgent,
  options?: FromKortyxOptions,
): ChatAgent<Types>;
export function fromKortyx(agent: KortyxAgent, options: FromKortyxOptions = {}): ChatAgent {
  return {
    async streamChat(messages, given) {
      const { sessionId, workflowId, context } = given;
      const chunks = await agent.streamChat(withResume(withoutParts(messages), given), {
        ...(sessionId !== undefined && { sessionId }),
        ...(workflowId !== undefined && { workflowId }),
        ...(context !== undefined && { context }),
      });
      return adaptChunks(toIterator(chunks as AsyncIterable<StreamChunk>), options);
    },
  };
}

/** Models refuse a message without content, as an answer of tool calls alone is without its parts. */
const withoutParts = (messages: ChatMessage[]): ChatMessage[] =>
  messages
    .filter(
      ({ role, content, parts }, index) =>
        parts === undefined || role !== "assistant" || content !== "" || index === messages.length - 1,
    )
    .map(({ parts, ...message }) => message);

/**
 * Replaces what the client wrote there: with a `resumeSecret`, the route has verified only what it passes. The last message
 * of a request that continues an answer holds the answer of an earlier request, if any.
 */
function withResume(
  messages: ChatMessage[],
  { resume, resumes = [], trigger }: ChatAgentOptions,
): ChatMessage[] {
  const last = messages.at(-1);
  const hasAnswers = resume !== undefined || resumes.length > 0;
  if (last === undefined || !(hasAnswers || trigger === "continue")) return messages;
  const metadata = { ...last.metadata, resume: resume && toMessageResume(resume) };
  return [...messages.slice(0, -1), { ...last, metadata }];
}

/** An iterator, not a generator: leaving it while it waits must reach the source at once. */
function adaptChunks(iterator: ChunkIterator, options: FromKortyxOptions): AsyncIterable<StreamChunk> {
  const { maskErrors = true, keepDoneData = false } = options;
  let hasInterrupt = false;
  let isDone = false;
  let error: ReturnType<typeof reduceStreamError>;

  function adapt(chunk: StreamChunk): StreamChunk {
    // The consumer of this stream rejects values that are not chunks.
    if (typeof chunk !== "object" || chunk === null) return chunk;
    error = reduceStreamError(error, chunk);
    switch (chunk.type) {
      case "interrupt":
        hasInterrupt = true;
        return chunk;
      case "error":
        if (!maskErrors) return chunk;
        return {
          ...maskFailure(chunk, "internal"),
          ...(typeof chunk.retryable === "boolean" && { retryable: chunk.retryable }),
        };
      case "done": {
        isDone = true;
        const { data, ...done } = chunk;
        return {
          ...done,
          ...(keepDoneData && data !== undefined && { data }),
          // With its own reason, or after a failure, it is already right.
          ...(hasInterrupt && error === undefined && { finishReason: done.finishReason ?? "interrupt" }),
        };
      }
      default:
        return chunk;
    }
  }

  return {
    [Symbol.asyncIterator]: () => ({
      async next() {
        const result = (await iterator.next()) as IteratorResult<StreamChunk>;
        if (!result.done) return { done: false, value: adapt(result.value) };
        if (!hasInterrupt || isDone || error !== undefined) return result;
        isDone = true;
        return { done: false, value: { type: "done", finishReason: "interrupt" } };
      },
      async return() {
        closeIterator(iterator);
        return { done: true, value: undefined };
      },
    }),
  };
}
