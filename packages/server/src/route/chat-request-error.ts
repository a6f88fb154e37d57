/**
 * The errors of a request to a chat route, safe to show to the client: they name fields and kinds of values, never
 * values.
 */
import { StreamError } from "@kortyx/protocol";
import type { createBodySchema } from "@kortyx/protocol/internal/request-schemas";

/** One wrong field of a request. */
export interface ChatRequestIssue {
  /** Dot path from the body: `"messages.0.role"`; `""` for the body itself. That of a parameter is `"?wire"`. */
  path: string;
  /** What was expected. */
  expected: string;
  /** The kind of value received; never the value. */
  received: string;
}

/** Why a request is invalid, with the status of its response. */
export type ChatRequestErrorCode =
  /** 400: some fields are invalid; `issues` lists them. */
  | "invalid-request"
  /** 400: the body is not JSON. */
  | "invalid-json"
  /** 403: a `resumeToken`, or the call that it is for, is not this server's; `issues` lists them. Only with `resumeSecret`. */
  | "invalid-resume-token"
  /** 409: a question or a call has its answer; `issues` lists them. Only with `resumeSecret` and `loadMessage`. */
  | "already-answered"
  /** 410: a question or a call takes no answer any more; `issues` lists them. Only with `resumeSecret`. */
  | "interrupt-expired"
  /** 413: the body is larger than `maxBodyBytes`. */
  | "body-too-large"
  /** 415: the content type is not JSON. */
  | "unsupported-media-type"
  /** 400: the client left before it had sent the whole body. */
  | "incomplete-body"
  /** 500: the program has already read the body. The log names the fix. */
  | "body-already-read";

const statuses: Record<ChatRequestErrorCode, ChatRequestError["status"]> = {
  "invalid-request": 400,
  "invalid-json": 400,
  "invalid-resume-token": 403,
  "already-answered": 409,
  "interrupt-expired": 410,
  "body-too-large": 413,
  "unsupported-media-type": 415,
  "incomplete-body": 400,
  "body-already-read": 500,
};

/** What a user can do something about. Every other code is a mistake in a program, and its text is for a developer. */
const textsForUsers: Partial<Record<ChatRequestErrorCode, string>> = {
  "invalid-resume-token": "This question cannot be answered here. Please ask again.",
  "already-answered": "This question has already been answered, perhaps in another tab.",
  "interrupt-expired": "The time to answer this question has passed. Please ask again.",
  "body-too-large": "Your message is too large, together with its files and the conversation.",
};

/** The request is invalid. Its message and issues may be shown to the client. */
export class ChatRequestError extends StreamError {
  override readonly name = "ChatRequestError";
  readonly code: ChatRequestErrorCode;
  /** The HTTP status of the response. */
  readonly status: 400 | 403 | 409 | 410 | 413 | 415 | 500;
  /** What is wrong, for a developer: at most 100 fields; empty if the body could not be read, unless it is too large. */
  readonly issues: ChatRequestIssue[];

  constructor(code: ChatRequestErrorCode, problem: string, issues: ChatRequestIssue[] = []) {
    const status = statuses[code];
    const forDevelopers = `${status === 500 ? "Cannot read the" : "Invalid"} chat request: ${problem}.`;
    super(textsForUsers[code] ?? forDevelopers);
    this.code = code;
    this.status = status;
    this.issues = issues;
  }
}

/** The maximum number of wrong fields that are listed: a small body can have a great many. */
export const maxIssues = 100;
const maxPrintedIssues = 10;

/** @returns one error for all wrong fields. */
export function invalidRequest(
  issues: ChatRequestIssue[],
  code: ChatRequestErrorCode = "invalid-request",
): ChatRequestError {
  const problem = issues
    .slice(0, maxPrintedIssues)
    .map(
      ({ path, expected, received }) =>
        `${path === "" ? "the body" : path} must be ${expected}, got ${received}`,
    );
  if (issues.length > maxPrintedIssues) problem.push(`and ${issues.length - maxPrintedIssues} more`);
  return new ChatRequestError(code, problem.join("; "), issues.slice(0, maxIssues));
}

type BodySchema = ReturnType<typeof createBodySchema>;
type SchemaIssue = NonNullable<ReturnType<BodySchema["safeParse"]>["error"]>["issues"][number];

/** @param body - The value that the schema rejected. */
export function toIssue(issue: SchemaIssue, body: unknown): ChatRequestIssue {
  return {
    path: issue.path.join("."),
    expected: describeExpected(issue),
    received: describeReceived(valueAt(issue.path, body)),
  };
}

/** The longest path of an issue, in characters: the keys of a record come from the client. */
const maxPathLength = 200;

/**
 * A field that the application's own schema rejects. The schema's message is left out, because it may quote the value.
 *
 * @param keys - The path of the field in the context.
 */
export function toContextIssue(keys: PropertyKey[], context: unknown): ChatRequestIssue {
  return {
    path: ["context", ...keys].map(String).join(".").slice(0, maxPathLength),
    expected: "a value that the route's schema accepts",
    received: describeReceived(valueAt(keys, context)),
  };
}

/** Reads own properties only: a missing field may be called `constructor`. */
function valueAt(keys: PropertyKey[], value: unknown): unknown {
  let found = value;
  for (const key of keys) {
    if (found === null || found === undefined || !Object.hasOwn(found, key)) return undefined;
    found = (found as Record<PropertyKey, unknown>)[key];
  }
  return found;
}

function describeExpected(issue: SchemaIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return expectedTypes[issue.expected] ?? issue.expected;
    case "invalid_value":
      return oneOf(issue.values);
    // Of objects, told apart by the field of the issue.
    case "invalid_union":
      return oneOf(("options" in issue && issue.options) || []);
    default:
      return issue.message;
  }
}

const oneOf = (values: readonly unknown[]): string => {
  const texts = values.filter((value) => typeof value === "string");
  return `one of ${texts.map((text) => JSON.stringify(text)).join(", ")}`;
};

const expectedTypes: Record<string, string> = {
  string: "a string",
  number: "a number",
  boolean: "a boolean",
  array: "an array",
  object: "an object",
  record: "an object",
};

/** The kind of a value; never the value. */
export function describeReceived(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  if (value === "") return "an empty string";
  if (typeof value === "string")
    return `a string of ${value.length} character${value.length === 1 ? "" : "s"}`;
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}
