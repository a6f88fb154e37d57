/**
 * Validates the body that a client posted. Everything in it is untrusted. Does not read the request.
 */
import { type ChatRequestBody, StreamError } from "@kortyx/protocol";
import { chatRequestBodySchema } from "@kortyx/protocol/schemas";

type Issue = NonNullable<ReturnType<typeof chatRequestBodySchema.safeParse>["error"]>["issues"][number];

/** One wrong field of a request. */
export interface ChatRequestIssue {
  /** Dot path from the body: `"messages.0.role"`; `""` for the body itself. */
  path: string;
  /** What would have been right. */
  expected: string;
  /** What kind of value came; never the value. */
  received: string;
}

/** The request cannot be served as it is. Its message and issues may be shown to the client. */
export class ChatRequestError extends StreamError {
  override readonly name = "ChatRequestError";
  readonly code = "invalid-request";
  /** The HTTP status to answer with. */
  readonly status = 400;
  /** Every wrong field. */
  readonly issues: ChatRequestIssue[];

  constructor(issues: ChatRequestIssue[]) {
    super(`Invalid chat request: ${issues.map(printIssue).join("; ")}.`);
    this.issues = issues;
  }
}

const printIssue = ({ path, expected, received }: ChatRequestIssue): string =>
  `${path === "" ? "the body" : path} must be ${expected}, got ${received}`;

/**
 * Validates a chat request's body, such as `await request.json()` gives.
 *
 * Ids are trimmed, and an empty one counts as absent. Keys that the contract does not name are kept.
 *
 * @throws ChatRequestError listing every wrong field with its path, what was expected and what came.
 */
export function parseChatRequestBody(value: unknown): ChatRequestBody {
  const result = chatRequestBodySchema.safeParse(value);
  if (result.success) return result.data;
  throw new ChatRequestError(result.error.issues.map((issue) => toIssue(issue, value)));
}

function toIssue(issue: Issue, body: unknown): ChatRequestIssue {
  let received: unknown = body;
  for (const key of issue.path) received = (received as Record<PropertyKey, unknown> | undefined)?.[key];
  return {
    path: issue.path.join("."),
    expected: describeExpected(issue),
    received: describeReceived(received),
  };
}

function describeExpected(issue: Issue): string {
  switch (issue.code) {
    case "invalid_type":
      return expectedTypes[issue.expected] ?? issue.expected;
    case "invalid_value":
      return `one of ${issue.values.map((value) => JSON.stringify(value)).join(", ")}`;
    case "invalid_union":
      return "a string or an array of strings";
    case "invalid_format":
      return "1 to 128 visible ASCII characters";
    default:
      return issue.message;
  }
}

const expectedTypes: Record<string, string> = {
  string: "a string",
  number: "a number",
  boolean: "a boolean",
  array: "an array",
  object: "an object",
  record: "an object",
};

function describeReceived(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "string")
    return value === "" ? "an empty string" : `a string of ${value.length} characters`;
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}
