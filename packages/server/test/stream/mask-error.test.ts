import { afterEach, expect, test, vi } from "vitest";
import { type ErrorDescription, toSSE } from "../../src/index.ts";

const failing = (): never => {
  throw new Error("secret");
};

/** The `error` chunk that a client receives. */
async function errorOf(onError: (error: unknown) => unknown) {
  const text = await toSSE(failing, { onError: onError as () => ErrorDescription }).text();
  return JSON.parse(text.match(/data: (\{.*\})/)![1]!);
}

const log = vi.spyOn(console, "error").mockImplementation(() => {});
afterEach(() => log.mockClear());

test("the delay that onError returns reaches the client", async () => {
  const description = { message: "Busy.", code: "busy", retryable: true, retryAfterMs: 1500 };
  expect(await errorOf(() => description)).toEqual({ type: "error", ...description });
  expect(log).not.toHaveBeenCalled();
});

test.each([Number.NaN, Number.POSITIVE_INFINITY, "1500", undefined, null])(
  "a delay that is no number of milliseconds is left out: %s",
  async (retryAfterMs) => {
    expect(await errorOf(() => ({ message: "Busy.", retryAfterMs }))).toEqual({
      type: "error",
      message: "Busy.",
    });
  },
);

test("an onError that returns nothing leaves the error masked and logged", async () => {
  const { correlationId, ...error } = await errorOf(() => undefined);
  expect(error).toEqual({
    type: "error",
    message: "Something went wrong on the server.",
    code: "internal",
  });
  expect(log.mock.calls).toEqual([[expect.stringContaining(correlationId), new Error("secret")]]);
});
