/** describeProviderError with the errors of the SDKs themselves. */
import { describeProviderError } from "@kortyx/server";
import { describe, expect, test } from "vitest";
import { isInstalled } from "../install.ts";

const { APICallError, RetryError } = isInstalled() ? await import("ai") : ({} as never);
const { default: Anthropic } = isInstalled() ? await import("@anthropic-ai/sdk") : ({} as never);
const { default: OpenAI } = isInstalled() ? await import("openai") : ({} as never);

const call = { message: "secret", url: "https://api.example", requestBodyValues: {} };

describe.skipIf(!isInstalled())("describeProviderError", () => {
  test("knows the AI SDK's errors, also the last one of several attempts", () => {
    const responseHeaders = { "retry-after": "3" };
    const limited = new APICallError({ ...call, statusCode: 429, responseHeaders });
    const described = { code: "model-busy", retryable: true, retryAfterMs: 3000 };
    expect(describeProviderError(limited)).toMatchObject(described);
    const retries = new RetryError({ message: "secret", reason: "maxRetriesExceeded", errors: [limited] });
    expect(describeProviderError(retries)).toMatchObject(described);
    const unreachable = new APICallError({
      ...call,
      isRetryable: true,
      cause: new TypeError("fetch failed"),
    });
    expect(describeProviderError(unreachable)).toMatchObject({ code: "model-unreachable" });
    expect(describeProviderError(new APICallError({ ...call, statusCode: 401 }))).toBeUndefined();
  });

  test.each(["openai", "@anthropic-ai/sdk"])("knows the errors of %s", (name) => {
    const SDK = name === "openai" ? OpenAI : Anthropic;
    const generate = (status: number, body: object) =>
      SDK.APIError.generate(status, body, "secret", new Headers({ "retry-after-ms": "1500" }));
    expect(describeProviderError(generate(429, {}))).toMatchObject({
      code: "model-busy",
      retryAfterMs: 1500,
    });
    expect(describeProviderError(generate(529, {}))).toMatchObject({ code: "model-busy" });
    expect(describeProviderError(generate(500, {}))).toMatchObject({ code: "model-failed" });
    expect(describeProviderError(generate(403, {}))).toBeUndefined();
    const unreachable = new SDK.APIConnectionError({ message: "secret", cause: new Error("ECONNREFUSED") });
    expect(describeProviderError(unreachable)).toMatchObject({ code: "model-unreachable" });
    const timeout = new SDK.APIConnectionTimeoutError();
    expect(describeProviderError(timeout)).toMatchObject({ code: "model-unreachable" });
    expect(describeProviderError(new SDK.APIUserAbortError())).toBeUndefined();
  });

  test("knows an overload that Anthropic reports in its stream", () => {
    const body = { type: "error", error: { type: "overloaded_error", message: "secret" } };
    const error = new Anthropic.APIError(undefined, body, "secret", new Headers(), "overloaded_error");
    expect(describeProviderError(error)).toMatchObject({ code: "model-busy", retryable: true });
  });
});
