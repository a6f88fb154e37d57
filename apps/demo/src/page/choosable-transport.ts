/**
 * Carries the chat over its route in one of two ways, whichever is chosen when a question is asked: live, or buffered,
 * where the answer comes as one JSON value. Both are runs: they can be stopped and followed in the same way.
 */
import {
  type ChatTransport,
  requestChat,
  StreamConnectionError,
  StreamHttpError,
  streamFromRoute,
  type UnknownChunk,
} from "@kortyx/client";

export type AnswerMode = "live" | "buffered";

/** A stop that is not answered in this time has failed. */
const stopTimeoutMs = 10_000;

export interface ChoosableTransportOptions {
  endpoint: string;
  readMode: () => AnswerMode;
  /** Gets what a newer server may send, and a chat passes over. */
  onUnknownChunk: (chunk: UnknownChunk) => void;
  /** Gets every response that an answer comes in. */
  onResponse: (response: Response) => void;
}

export function createChoosableTransport(transportOptions: ChoosableTransportOptions): ChatTransport {
  const { readMode, onResponse, endpoint, onUnknownChunk } = transportOptions;
  const fetchAnswer: typeof fetch = async (...parameters) => {
    const response = await fetch(...parameters);
    onResponse(response);
    return response;
  };
  const route = { endpoint, onUnknownChunk, fetch: fetchAnswer };
  return {
    start: (body, options) =>
      readMode() === "live"
        ? streamFromRoute({ ...route, ...options, body, runs: true })
        : requestChunks({ ...body, endpoint, fetch: fetchAnswer, signal: options.signal }),
    resume: ({ sessionId }, options) =>
      streamFromRoute({ ...route, ...options, method: "GET", query: { session: sessionId } }),
    async stop(target) {
      const query: Record<string, string> =
        "runId" in target ? { run: target.runId } : { key: target.idempotencyKey };
      const url = `${endpoint}?${new URLSearchParams(query)}`;
      const signal = AbortSignal.timeout(stopTimeoutMs);
      const response = await fetch(url, { method: "DELETE", signal }).catch((cause) => {
        throw new StreamConnectionError(url, cause);
      });
      if (!response.ok) throw new StreamHttpError(response, await response.text());
    },
  };
}

/** The chunks of a buffered answer: to a chat, they are a stream like any other. */
async function* requestChunks(options: Parameters<typeof requestChat>[0]) {
  try {
    yield* (await requestChat(options)).chunks;
  } catch (error) {
    // What an agent had said before it failed is an answer too; its last chunk is the `error`.
    const result = error instanceof StreamHttpError ? (error.body as { chunks?: unknown } | null) : undefined;
    if (!Array.isArray(result?.chunks)) throw error;
    yield* result.chunks as Awaited<ReturnType<typeof requestChat>>["chunks"];
  }
}
