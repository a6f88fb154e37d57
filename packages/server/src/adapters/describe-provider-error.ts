/**
 * What a user may read about the failure of a model's provider. Recognises the errors of the SDKs and of our adapters by
 * their fields, because applications bundle and copy these classes. Never repeats what the provider wrote.
 */
import { isStreamError } from "@kortyx/protocol";
import type { ErrorDescription } from "../stream/mask-error.ts";
import { isRecord } from "./loose-values.ts";
import { readRetryAfterMs } from "./retry-after.ts";

/** How the failure of a provider is reported to the client. */
type Description = Exclude<ErrorDescription, string>;

/** What an error reports about the provider's response. */
interface Failure {
  /** The HTTP status; undefined without a response, or if the failure came in its stream. */
  status: number | undefined;
  /** The provider's words for the kind of the failure: its `type` and `code`. */
  words: string[];
  /** `Headers`, or a plain object. */
  headers: unknown;
  /** No response came. */
  isUnreachable: boolean;
  /** The delay that the SDK has already read. */
  retryAfterMs: number | undefined;
}

/**
 * Describes the failure of a model's provider to the user: use it as `onError` of a route or a stream.
 *
 * It recognises the errors of the SDKs of OpenAI and Anthropic, the AI SDK, LangChain and LangGraph, failures that OpenAI
 * and Anthropic report in a stream, and answers that were cut off; also as the `cause` of another error.
 *
 * @returns a text that can be shown, `code`, `retryable` and, if the provider asks for a delay, `retryAfterMs`. The code is
 * `model-busy`, `model-failed`, `model-unreachable`, `model-cut-off` or `conversation-too-long`. Undefined for every
 * other error, so that it is masked and logged: for those of the application, and for requests that the provider refuses, such as
 * for a wrong key, a wrong model or an exhausted budget, which only the application's developer can repair.
 *
 * @example
 * ```ts
 * describeProviderError(new Error("ECONNREFUSED")); // undefined
 * const route = createChatRoute({ agent, onError: describeProviderError });
 * ```
 */
export function describeProviderError(error: unknown): Description | undefined {
  let current = error;
  // Errors may refer to each other in a circle.
  for (let depth = 0; depth < 8 && typeof current === "object" && current !== null; depth++) {
    const fields = current as Record<string, unknown>;
    if (isCutOff(fields)) return cutOff;
    const failure = toFailure(fields);
    if (failure) return describe(failure);
    current = fields.lastError ?? fields.cause;
  }
  return undefined;
}

const cutOff: Description = {
  message: "The answer was cut off. Please try again.",
  code: "model-cut-off",
  retryable: true,
};

/** Our own error, that of Node's `fetch` for a response that its server did not finish, and that of the AI SDK for its stream. */
const isCutOff = (error: Record<string, unknown>): boolean =>
  (isStreamError(error) && error.code === "truncated") ||
  (error instanceof TypeError && error.message === "terminated") ||
  (error.name === "AI_InvalidResponseDataError" &&
    error.message === "Response stream ended without a finish reason.");

const nothing = {
  status: undefined,
  words: [],
  headers: undefined,
  isUnreachable: false,
  retryAfterMs: undefined,
};

/** @returns undefined if the error is not a provider's. The application's own errors may have a `status` or a `code`, too. */
function toFailure(error: Record<string, unknown>): Failure | undefined {
  const status = numberOf(error.status);
  const words = [...wordsOf(error), ...wordsOf(error.error)];
  // AI_APICallError of the AI SDK.
  if ("isRetryable" in error && "responseHeaders" in error && "requestBodyValues" in error) {
    const { statusCode, responseHeaders: headers, data } = error;
    const isUnreachable = statusCode === undefined && error.isRetryable === true;
    return { ...nothing, status: numberOf(statusCode), words: wordsOf(data), headers, isUnreachable };
  }
  // What a provider reports inside the stream that it sends to the AI SDK.
  if (error.name === "AI_StreamProviderError" && "isRetryable" in error) {
    return { ...nothing, status: numberOf(error.statusCode), words: [...words, ...wordsOf(error.data)] };
  }
  // APIError of the SDKs of OpenAI and Anthropic.
  if ("requestID" in error && "headers" in error && "error" in error) {
    const hasResponse = error.error !== undefined || error.headers !== undefined || status !== undefined;
    // Without either, the application itself has aborted the request.
    const isFailed = error.cause !== undefined || error.message === "Request timed out.";
    if (!hasResponse && !isFailed) return undefined;
    return { ...nothing, status, words, headers: error.headers, isUnreachable: !hasResponse };
  }
  // An error of LangChain, which calls every provider.
  if (typeof error.lc_error_code === "string" || typeof error.rateLimitType === "string") {
    return { ...nothing, status, words, headers: error.headers, retryAfterMs: numberOf(error.retryAfterMs) };
  }
  // HTTPError of the SDK of LangGraph.
  if (
    "response" in error &&
    typeof error.text === "string" &&
    error.message === `HTTP ${status}: ${error.text}`
  ) {
    return { ...nothing, status, headers: headersOf(error.response) };
  }
  if (error.name === "ProviderError" && "provider" in error) return { ...nothing, status, words };
  // The event of a stream in which OpenAI or Anthropic reports a failure, thrown as it is.
  return error.type === "error" && isRecord(error.error) ? { ...nothing, words } : undefined;
}

const headersOf = (response: unknown): unknown =>
  typeof response === "object" && response !== null && "headers" in response ? response.headers : undefined;

const numberOf = (value: unknown): number | undefined => (typeof value === "number" ? value : undefined);

/** The texts that name the kind of a failure, also those of an `error` inside: Anthropic's is one level deeper. */
function wordsOf(error: unknown): string[] {
  if (!isRecord(error)) return [];
  const { type, code, lc_error_code: langChain, rateLimitType, error: inner } = error;
  const own = [type, code, langChain, rateLimitType].filter((word) => typeof word === "string");
  return isRecord(inner) && inner !== error ? [...own, ...[inner.type, inner.code].map(String)] : own;
}

const busyWords = [
  "overloaded_error",
  "rate_limit_error",
  "rate_limit_exceeded",
  // Of LangChain.
  "MODEL_RATE_LIMIT",
  "capacity",
  "wait",
];
const failedWords = ["api_error", "server_error", "timeout_error"];
/** Waiting does not help, although the status may be that of a rate limit. */
const budgetWords = ["insufficient_quota", "billing_error", "stop"];
const tooLongWords = ["context_length_exceeded", "request_too_large"];

function describe(failure: Failure): Description | undefined {
  const { status = 0, words, headers, isUnreachable } = failure;
  const has = (list: string[]): boolean => words.some((word) => list.includes(word));
  const retryAfterMs = failure.retryAfterMs ?? readRetryAfterMs(headers);
  const toRetry = (message: string, code: string): Description => ({
    message,
    code,
    retryable: true,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
  if (has(budgetWords)) return undefined;
  if (has(tooLongWords)) {
    const message = "The conversation is too long for the model. Please start a new one.";
    return { message, code: "conversation-too-long", retryable: false };
  }
  if (isUnreachable)
    return toRetry("The model cannot be reached. Please try again later.", "model-unreachable");
  if (has(busyWords) || [429, 503, 529].includes(status)) {
    return toRetry("The model is busy. Please try again later.", "model-busy");
  }
  // A failure inside a stream has no status.
  if (status >= 500 || [408, 409].includes(status) || (status < 400 && has(failedWords))) {
    return toRetry("The model has failed. Please try again.", "model-failed");
  }
  return undefined;
}
