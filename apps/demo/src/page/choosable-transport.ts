/**
 * Carries the chat over its route in one of two ways, whichever is chosen when a question is asked: live, or buffered,
 * where the answer comes as one JSON value. Both are runs: they can be stopped and followed in the same way.
 */
import {
  type ChatTransport,
  createRouteTransport,
  requestChat,
  StreamHttpError,
  type UnknownChunk,
} from "@kortyx/client";

export type AnswerMode = "live" | "buffered";

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
  const fetchAnswer: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    if (init?.method !== "DELETE") onResponse(response);
    return response;
  };
  const route = createRouteTransport({ endpoint, onUnknownChunk, fetch: fetchAnswer });
  return {
    ...route,
    start: (body, options) =>
      readMode() === "live"
        ? route.start(body, options)
        : requestChunks({ ...body, endpoint, fetch: fetchAnswer, signal: options.signal }),
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
