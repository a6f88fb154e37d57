/** Shared by the suites of invalid requests. Contains no tests. */
import { expect } from "vitest";
import { ChatRequestError } from "../../src/route/chat-request-error.ts";
import { parseChatRequestBody } from "../../src/route/read-chat-request.ts";

export const messages = [{ role: "user", content: "Hi" }];

/** Nested `depth` levels deep, as text. */
export const nested = (depth: number) => `${"[".repeat(depth)}${"]".repeat(depth)}`;

/** The issues of a body as its error prints them; none for a valid one. */
export function issuesOf(body: unknown): string[] {
  try {
    parseChatRequestBody(body);
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(ChatRequestError);
    const { status, code, issues, message } = error as ChatRequestError;
    expect({ status, code }).toEqual({ status: 400, code: "invalid-request" });
    const printed = issues.map(
      ({ path, expected, received }) => `${path || "the body"} must be ${expected}, got ${received}`,
    );
    expect(message).toBe(`Invalid chat request: ${printed.join("; ")}.`);
    return printed;
  }
}
