/**
 * The transport of the AI SDK's `useChat` over a route of ours: what the SDK sends becomes our request, and our chunks become
 * its stream. Connections, their loss and their order are those of `route-transport.ts`.
 */
import { type ChatRequestBody, type StreamChunk, StreamTruncatedError } from "@kortyx/protocol";
import {
  type AISDKChunk,
  type AISDKTranslatorOptions,
  continuedMessageOf,
  createAISDKTranslator,
  fromAISDKRequest,
} from "@kortyx/protocol/ai-sdk";
import { checkFunctionOption } from "@kortyx/protocol/internal";
import { createId } from "../route/create-id.ts";
import { type Resolvable, resolve } from "../route/fetch-route.ts";
import type { ConnectionState } from "../route/stream-from-route.ts";
import { openAnswer, readBurst } from "./ai-sdk-answer.ts";
import { meansNoRun } from "./answer.ts";
import { createRouteTransport, type RouteTransportOptions } from "./route-transport.ts";

/** Options of {@link createChatTransport}: the route, and how its answers are shown. */
export interface AISDKTransportOptions
  extends RouteTransportOptions,
    Pick<AISDKTranslatorOptions, "isDynamicTool"> {
  /** Added to the body of each request, such as a `workflowId` or a `context`. */
  body?: Resolvable<Record<string, unknown>> | undefined;
  /**
   * The route has runs: an answer outlives its connection, and a stop ends it for every follower.
   *
   * @defaultValue `false`
   */
  runs?: boolean | undefined;
  /** Called when a connection opens, and when it is lost and will be restored. Must not throw. */
  onConnectionChange?: ((connection: ConnectionState) => void) | undefined;
  /** Called when a stop has failed, so that the answer continues on the server. @defaultValue logs the error */
  onStopError?: ((error: Error) => void) | undefined;
}

/** What the SDK passes with each request. */
interface AISDKRequestOptions {
  /** Names the conversation. */
  chatId: string;
  /** Added to the headers of the route, or replacing them. */
  headers?: Record<string, string> | Headers | undefined;
  /** Added to the body. */
  body?: object | undefined;
  /** For the SDK's own transports. */
  metadata?: unknown;
}

/** What the SDK passes with messages. */
export interface AISDKSendOptions extends AISDKRequestOptions {
  /** Whether a message is new, or an answer unwanted. */
  trigger: "submit-message" | "regenerate-message";
  /** The message that is changed, continued or answered again. */
  messageId: string | undefined;
  /** The conversation so far. */
  messages: readonly unknown[];
  /** Aborted to stop the answer. */
  abortSignal: AbortSignal | undefined;
}

/** What the SDK passes when a page has been loaded. */
export interface AISDKReconnectOptions extends AISDKRequestOptions {
  /** Aborted to stop the answer, or to leave the search for it. */
  abortSignal?: AbortSignal | undefined;
}

/** The SDK's `ChatTransport`, over a route of ours. */
export interface AISDKTransport {
  /** Whether the stream of the latest `reconnectToStream` has the whole message, not only how it continues. */
  readonly resumeStreamIsReplay: boolean;
  /** Requests an answer. */
  sendMessages(options: AISDKSendOptions): Promise<ReadableStream<AISDKChunk>>;
  /** Follows the open run of the conversation; `null` if there is none. */
  reconnectToStream(options: AISDKReconnectOptions): Promise<ReadableStream<AISDKChunk> | null>;
}

/**
 * Creates a transport for `useChat` of the AI SDK. On a route with runs, answers survive lost connections and reloads, and a
 * stop in one tab ends the answer in all of them.
 *
 * @throws TypeError for an option of the wrong type, RangeError for a size or a time that is not a number, or is
 * negative.
 *
 * @example
 * ```ts
 * const transport = createChatTransport({ endpoint: "/api/chat", runs: true });
 * // useChat({ id: sessionId, transport, resume: true })
 * ```
 */
export function createChatTransport(options: AISDKTransportOptions): AISDKTransport {
  const {
    isDynamicTool,
    body,
    runs = false,
    onConnectionChange = ignore,
    onStopError = logStopError,
    ...routeOptions
  } = options;
  checkFunctionOption("isDynamicTool", isDynamicTool);
  checkFunctionOption("onConnectionChange", onConnectionChange);
  checkFunctionOption("onStopError", onStopError);
  // Validates the options.
  createRouteTransport(routeOptions);
  let resumeStreamIsReplay = true;
  const routeOf = ({ headers: added }: AISDKRequestOptions) => {
    const { headers } = routeOptions;
    return createRouteTransport(() => ({
      ...routeOptions,
      // Only a function may return other headers: a request that is refused with these would be refused again.
      headers:
        typeof headers === "function"
          ? async () => mergeHeaders(await headers(), added)
          : mergeHeaders(headers, added),
    }));
  };
  return {
    get resumeStreamIsReplay() {
      return resumeStreamIsReplay;
    },
    async sendMessages(request) {
      const { chatId: id, messages, trigger, messageId, abortSignal } = request;
      const given = { ...(await resolve(body)), ...request.body, id, messages, trigger, messageId };
      const idempotencyKey = runs ? createId() : undefined;
      const asked = { ...(fromAISDKRequest(given) as ChatRequestBody), ...(runs && { idempotencyKey }) };
      const { start, stop } = routeOf(request);
      const leaving = new AbortController();
      const chunks = start(asked, { signal: leaving.signal, onConnectionChange });
      const iterator = chunks[Symbol.asyncIterator]();
      const continuedMessage = continuedMessageOf(given);
      const translator = createAISDKTranslator({ isDynamicTool, continuedMessage });
      return openAnswer({ iterator, translator, leaving, stop, idempotencyKey, onStopError }, abortSignal);
    },
    async reconnectToStream(request) {
      const { chatId: sessionId, abortSignal } = request;
      const { resume, stop } = routeOf(request);
      const leaving = new AbortController();
      const leave = () => leaving.abort(abortSignal?.reason);
      abortSignal?.addEventListener("abort", leave);
      let wasOpen = false;
      const noteConnection = (connection: ConnectionState) => {
        wasOpen ||= connection.state === "open";
        onConnectionChange(connection);
      };
      try {
        const chunks = resume({ sessionId }, { signal: leaving.signal, onConnectionChange: noteConnection });
        const iterator = chunks[Symbol.asyncIterator]();
        const burst = await readBurst(iterator);
        if (burst.hasEnded) {
          leaving.abort();
          return null;
        }
        resumeStreamIsReplay = !burst.chunks.some(isContinuing);
        const translator = createAISDKTranslator({ isDynamicTool });
        return openAnswer({ iterator, translator, leaving, stop, onStopError, burst }, abortSignal);
      } catch (error) {
        const isEmpty = !wasOpen && error instanceof StreamTruncatedError;
        if (isEmpty || meansNoRun(error)) return null;
        throw error;
      } finally {
        abortSignal?.removeEventListener("abort", leave);
      }
    },
  };
}

const isContinuing = (chunk: StreamChunk): boolean =>
  chunk.type === "run-start" && chunk.continues !== undefined;

const ignore = () => {};

const logStopError = (error: Error) => console.error("The answer could not be stopped.", error);

function mergeHeaders(given: RequestInit["headers"], added: RequestInit["headers"]): Headers {
  const headers = new Headers(given);
  new Headers(added).forEach((value, name) => {
    headers.set(name, value);
  });
  return headers;
}
