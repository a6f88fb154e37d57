import { StreamTruncatedError } from "@kortyx/protocol";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ProviderError } from "../../src/adapters/provider-error.ts";
import { describeProviderError } from "../../src/index.ts";

const busy = { message: "The model is busy. Please try again later.", code: "model-busy", retryable: true };
const failed = { message: "The model has failed. Please try again.", code: "model-failed", retryable: true };
const unreachable = {
  message: "The model cannot be reached. Please try again later.",
  code: "model-unreachable",
  retryable: true,
};
const cutOff = {
  message: "The answer was cut off. Please try again.",
  code: "model-cut-off",
  retryable: true,
};
const tooLong = {
  message: "The conversation is too long for the model. Please start a new one.",
  code: "conversation-too-long",
  retryable: false,
};

/** As the SDKs of OpenAI and Anthropic make it: every field is set, some to undefined. */
const sdkError = (fields: object = {}) =>
  Object.assign(new Error("429 the provider's secret"), {
    status: undefined,
    headers: undefined,
    requestID: undefined,
    error: undefined,
    ...fields,
  });
const withStatus = (status: number, error: object = {}, headers: object = {}) =>
  sdkError({ status, error, headers: new Headers({ ...headers }) });

/** As `AI_APICallError` of the AI SDK. */
const callError = (fields: object) =>
  Object.assign(new Error("secret"), {
    name: "AI_APICallError",
    url: "https://api.example",
    requestBodyValues: {},
    statusCode: undefined,
    responseHeaders: undefined,
    isRetryable: false,
    data: undefined,
    ...fields,
  });

describe("a status of the SDKs' errors", () => {
  test.each([429, 503, 529])("%i: the model is busy", (status) => {
    expect(describeProviderError(withStatus(status))).toEqual(busy);
    expect(describeProviderError(callError({ statusCode: status, isRetryable: true }))).toEqual(busy);
  });

  test.each([408, 409, 500, 502, 504])("%i: it has failed", (status) => {
    expect(describeProviderError(withStatus(status))).toEqual(failed);
    expect(describeProviderError(callError({ statusCode: status, isRetryable: true }))).toEqual(failed);
  });

  test.each([400, 401, 402, 403, 404, 422])("%i is for the developer: it is masked and logged", (status) => {
    expect(describeProviderError(withStatus(status, { type: "server_error" }))).toBeUndefined();
    expect(describeProviderError(callError({ statusCode: status }))).toBeUndefined();
  });
});

describe("the provider's words", () => {
  test.each([
    [{ type: "rate_limit_error" }, busy],
    [{ code: "rate_limit_exceeded" }, busy],
    [{ error: { type: "overloaded_error" }, type: "error" }, busy],
    [{ type: "server_error", code: null }, failed],
    [{ type: "api_error" }, failed],
    [{ type: "invalid_request_error", code: "context_length_exceeded" }, tooLong],
    [{ type: "invalid_request_error" }, undefined],
    [{ message: "?" }, undefined],
  ])("%o in a stream", (error, description) => {
    expect(describeProviderError(sdkError({ error, headers: new Headers() }))).toEqual(description);
    expect(describeProviderError(new ProviderError("OpenAI", error))).toEqual(description);
    // As the AI SDK passes it on.
    expect(describeProviderError({ type: "error", error })).toEqual(description);
  });

  test("an exhausted budget is no rate limit, and a conversation that is too long no bad request", () => {
    expect(describeProviderError(withStatus(429, { code: "insufficient_quota" }))).toBeUndefined();
    expect(describeProviderError(withStatus(400, { code: "context_length_exceeded" }))).toEqual(tooLong);
    expect(describeProviderError(withStatus(413, { error: { type: "request_too_large" } }))).toEqual(tooLong);
  });

  test("in a stream of the AI SDK, which makes an error of them", () => {
    const reported = (fields: object) =>
      Object.assign(new Error("secret"), {
        name: "AI_StreamProviderError",
        statusCode: undefined,
        isRetryable: false,
        ...fields,
      });
    expect(
      describeProviderError(reported({ type: "server_error", statusCode: 500, isRetryable: true })),
    ).toEqual(failed);
    expect(describeProviderError(reported({ type: "overloaded_error" }))).toEqual(busy);
    expect(describeProviderError(reported({ data: { error: { code: "rate_limit_exceeded" } } }))).toEqual(
      busy,
    );
    expect(describeProviderError(reported({ type: "invalid_request_error" }))).toBeUndefined();
  });

  test("a code that is a number is a status", () => {
    expect(describeProviderError(new ProviderError("OpenAI", { code: 429 }))).toEqual(busy);
    expect(describeProviderError(new ProviderError("OpenAI", { code: 401 }))).toBeUndefined();
  });
});

describe("a delay", () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: Date.parse("2026-01-01T00:00:00Z") });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test.each([
    [{ "retry-after": "30" }, 30_000],
    [{ "retry-after": "0.5" }, 500],
    [{ "retry-after": "Thu, 01 Jan 2026 00:00:20 GMT" }, 20_000],
    [{ "retry-after": "Thu, 01 Jan 2026 00:00:00 GMT" }, 0],
    [{ "retry-after": "Wed, 31 Dec 2025 23:59:00 GMT" }, 0],
    [{ "retry-after": "30", "retry-after-ms": "1250.5" }, 1251],
    [{ "retry-after": "soon" }, undefined],
    [{ "retry-after": "-1x" }, undefined],
  ])("%o is %s ms", (headers, retryAfterMs) => {
    const description = retryAfterMs === undefined ? busy : { ...busy, retryAfterMs };
    expect(describeProviderError(withStatus(429, {}, headers))).toEqual(description);
    const upperCase = Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name.toUpperCase(), value]),
    );
    const error = callError({ statusCode: 429, isRetryable: true, responseHeaders: upperCase });
    expect(describeProviderError(error)).toEqual(description);
  });
});

describe("a connection", () => {
  test("that could not be made is one to a model that cannot be reached", () => {
    const cause = new TypeError("fetch failed");
    expect(describeProviderError(sdkError({ cause }))).toEqual(unreachable);
    expect(describeProviderError(sdkError({ message: "Request timed out." }))).toEqual(unreachable);
    expect(describeProviderError(callError({ isRetryable: true, cause }))).toEqual(unreachable);
  });

  test("that the application has aborted is no failure of the provider", () => {
    expect(describeProviderError(sdkError({ message: "Request was aborted." }))).toBeUndefined();
    expect(describeProviderError(new DOMException("left", "AbortError"))).toBeUndefined();
  });

  test("that was cut in the answer is a cut answer", () => {
    const cause = Object.assign(new Error("other side closed"), { code: "UND_ERR_SOCKET" });
    expect(describeProviderError(new TypeError("terminated", { cause }))).toEqual(cutOff);
    expect(describeProviderError(new StreamTruncatedError("The stream of OpenAI ended too early"))).toEqual(
      cutOff,
    );
    const message = "Response stream ended without a finish reason.";
    const ofAISDK = Object.assign(new Error(message), { name: "AI_InvalidResponseDataError" });
    expect(describeProviderError(ofAISDK)).toEqual(cutOff);
  });
});

describe("errors inside of others", () => {
  test("the last one of several attempts counts, and so does a cause", () => {
    const errors = [withStatus(500), callError({ statusCode: 429, isRetryable: true })];
    const retries = Object.assign(new Error("Failed after 3 attempts."), {
      name: "AI_RetryError",
      errors,
      lastError: errors[1],
    });
    expect(describeProviderError(retries)).toEqual(busy);
    expect(describeProviderError(new Error("The model failed", { cause: retries }))).toEqual(busy);
  });

  test("errors that refer to each other in a circle end", () => {
    const error = new Error("a");
    error.cause = new Error("b", { cause: error });
    expect(describeProviderError(error)).toBeUndefined();
  });

  test("LangChain's marks are read on the error of any provider", () => {
    const marked = (fields: object) => Object.assign(new Error("secret"), fields);
    expect(describeProviderError(marked({ lc_error_code: "MODEL_RATE_LIMIT" }))).toEqual(busy);
    expect(describeProviderError(marked({ lc_error_code: "MODEL_AUTHENTICATION" }))).toBeUndefined();
    const limited = { rateLimitType: "capacity", retryAfterMs: 90_000, status: 429 };
    expect(describeProviderError(marked(limited))).toEqual({ ...busy, retryAfterMs: 90_000 });
    expect(describeProviderError(marked({ ...limited, rateLimitType: "stop" }))).toBeUndefined();
  });

  test("the error of LangGraph's SDK is recognised by its message", () => {
    const error = (message: string) =>
      Object.assign(new Error(message), {
        status: 503,
        text: "down",
        response: new Response("", { headers: { "retry-after": "1" } }),
      });
    expect(describeProviderError(error("HTTP 503: down"))).toEqual({ ...busy, retryAfterMs: 1000 });
    expect(describeProviderError(error("down"))).toBeUndefined();
  });
});

test.each([
  new Error("secret"),
  Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED", errno: -111, syscall: "connect" }),
  Object.assign(new Error("Not Found"), { status: 404, response: new Response() }),
  Object.assign(new Error("Too Many Requests"), { status: 429, statusCode: 429, headers: {}, expose: true }),
  Object.assign(new Error("limit"), { code: "rate_limit_exceeded", type: "rate_limit_error" }),
  Object.assign(new Error("limit"), { status: 429, headers: {}, error: {} }),
  Object.assign(new Error("limit"), { name: "ProviderError", status: 429, error: {} }),
  callError({ message: "the answer is not JSON" }),
  Object.assign(new Error("the answer is not JSON"), { name: "AI_InvalidResponseDataError" }),
  new TypeError("fetch failed", { cause: new Error("ECONNREFUSED") }),
  new Error("terminated"),
  { status: 503 },
  "model_overloaded",
  undefined,
  null,
])("an error of the application is not taken for a provider's: %o", (error) => {
  expect(describeProviderError(error)).toBeUndefined();
});
