/**
 * Agents of Kortyx as agents of a route: what they accept, and what of their streams a client may see. Knows their shape
 * and none of their packages.
 */
import {
  type ChatMessage,
  type ChatResume,
  parseMessageResume,
  reduceStreamError,
  type StreamChunk,
  toMessageResume,
} from "@kortyx/protocol";
import type { ChatAgent } from "./route/chat-agent.ts";
import { maskFailure } from "./stream/mask-error.ts";
import { type ChunkIterator, closeIterator, toIterator } from "./stream/source.ts";

/** What an agent of Kortyx accepts beside the messages. It throws on any other key. */
export interface KortyxChatOptions {
  sessionId?: string | undefined;
  workflowId?: string | undefined;
  context?: Record<string, unknown> | undefined;
}

/** An agent of Kortyx, such as `createAgent` of `@kortyx/agent` returns. */
export interface KortyxAgent {
  /** Resolves to chunks: a Node stream in object mode, or any other async iterable. */
  streamChat(
    messages: ChatMessage[],
    options?: KortyxChatOptions,
  ): AsyncIterable<unknown> | PromiseLike<AsyncIterable<unknown>>;
}

export interface FromKortyxOptions {
  /**
   * Replaces the text of each `error` chunk, which holds what was thrown inside the agent, by a generic one with a
   * `correlationId`; the log gets the chunk under the same id.
   *
   * @defaultValue true
   */
  maskErrors?: boolean | undefined;
  /**
   * Keeps the `data` of `done`. It is the whole state of the workflow, the server's own `context` included: keep it only
   * where the client may see all of that.
   *
   * @defaultValue false
   */
  keepDoneData?: boolean | undefined;
}

/**
 * Makes an agent of Kortyx the agent of a route.
 *
 * The agent gets the messages and, where the request has them, `sessionId`, `workflowId` and `context`. A `resume` is put
 * where such an agent reads it, in the `metadata.resume` of the last message, unless the client has done so. Of its stream,
 * errors are masked, the `data` of `done` is left out, and `done` says `finishReason: "interrupt"` after an `interrupt`.
 *
 * It cannot be aborted: when the client leaves, its stream is destroyed at once, but its model may finish. With `runs`,
 * that answer is kept.
 *
 * @example
 * ```ts
 * export const { POST, GET, DELETE, OPTIONS } = createChatRoute({ agent: fromKortyx(agent) });
 * ```
 */
export function fromKortyx(agent: KortyxAgent, options: FromKortyxOptions = {}): ChatAgent {
  return {
    async streamChat(messages, { sessionId, workflowId, context, resume }) {
      const chunks = await agent.streamChat(withResume(messages, resume), {
        ...(sessionId !== undefined && { sessionId }),
        ...(workflowId !== undefined && { workflowId }),
        ...(context !== undefined && { context }),
      });
      return adaptChunks(toIterator(chunks as AsyncIterable<StreamChunk>), options);
    },
  };
}

function withResume(messages: ChatMessage[], resume: ChatResume | undefined): ChatMessage[] {
  const last = messages.at(-1);
  if (resume === undefined || last === undefined || parseMessageResume(last) !== undefined) return messages;
  const metadata = { ...last.metadata, resume: toMessageResume(resume) };
  return [...messages.slice(0, -1), { ...last, metadata }];
}

/** An iterator and no generator: leaving one that waits must reach the source at once. */
function adaptChunks(iterator: ChunkIterator, options: FromKortyxOptions): AsyncIterable<StreamChunk> {
  const { maskErrors = true, keepDoneData = false } = options;
  let hasInterrupt = false;
  let isDone = false;
  let error: ReturnType<typeof reduceStreamError>;

  function adapt(chunk: StreamChunk): StreamChunk {
    // What is not a chunk is refused by what reads this.
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
          // With a reason of its own, or after a failure, it says what it is to say.
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
