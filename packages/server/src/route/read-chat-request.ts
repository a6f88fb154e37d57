/**
 * Reads and validates what a client posts to a chat route. Everything in it is untrusted, its size and depth included.
 * Sends no response.
 */
import type { ChatMessage, ChatRequestBody } from "@kortyx/protocol";
import { checkLimitOption, parseMediaType } from "@kortyx/protocol/internal";
import { createBodySchema } from "@kortyx/protocol/internal/request-schemas";
import { ChatRequestError, invalidRequest, toIssue } from "./chat-request-error.ts";
import { checkFileUrls, checkUrlSchemes } from "./file-urls.ts";
import { withAnswers } from "./request-answers.ts";
import { isUsedBodyError, UsedBodyError, usedBodyCode } from "./used-body.ts";

/** Built with the first request. */
let bodySchema: ReturnType<typeof createBodySchema> | undefined;

/** The limits of a request. */
export interface ChatRequestLimits {
  /** The largest body, in bytes; enforced while reading. @defaultValue 1 MiB */
  maxBodyBytes?: number | undefined;
  /** The maximum number of messages. @defaultValue 1000 */
  maxMessages?: number | undefined;
  /** The maximum number of `parts` of all messages, `resumes`, `toolResults` and `tools` together. @defaultValue 10,000 */
  maxItems?: number | undefined;
  /** How deeply objects and arrays may be nested, counting the body itself. @defaultValue 64 */
  maxDepth?: number | undefined;
  /**
   * The schemes that URLs of files may have, each with its colon; `[]` admits no file. A relative URL has no scheme, and is
   * never admitted: a client that uploads a file sends its whole URL. An empty one is, if `providerReference` has the file.
   * A user's file with another URL is a 400; one of an answer is left out, because the agent itself may have sent it to the
   * client. The check of a scheme does not keep an agent that loads a URL out of its own network.
   *
   * @defaultValue `["https:", "data:"]`
   */
  fileUrlSchemes?: string[] | undefined;
}

/**
 * Content types that a browser treats as a form's, whatever follows: any page may send such a request without a
 * preflight. `text/plain;,application/json` is one, although its last value is JSON (Fetch Standard, "CORS-safelisted
 * request-header").
 */
const formType = /^[\t ]*(text\/plain|multipart\/form-data|application\/x-www-form-urlencoded)[\t ]*(;|$)/i;

/**
 * Reads and validates the body of a request.
 *
 * @throws ChatRequestError: 415 for a content type that is not JSON, 413 for a body that is too large, 400 for one that
 * is not JSON or incomplete, and what {@link parseChatRequestBody} throws. The rest of the body is then left unread.
 * 500 for a body that was already read, which is also logged.
 * @throws RangeError for a limit that is not a number, or is negative. TypeError for a wrong scheme.
 *
 * @example
 * ```ts
 * const { messages } = await readChatRequest(request, { maxMessages: 200 });
 * messages; // [{ role: "user", content: "Hello" }]
 * ```
 */
export async function readChatRequest(
  request: Request,
  limits: ChatRequestLimits = {},
): Promise<ChatRequestBody> {
  return parseChatRequestBody(await readRequestJSON(request, limits), limits);
}

/** @throws what {@link readChatRequest} throws before it validates the body. */
export async function readRequestJSON(
  request: Request,
  { maxBodyBytes = 1024 * 1024 }: Pick<ChatRequestLimits, "maxBodyBytes">,
): Promise<unknown> {
  checkLimitOption("maxBodyBytes", maxBodyBytes);
  const contentType = request.headers.get("content-type");
  const isJSON = /^application\/(.+\+)?json$/.test(parseMediaType(contentType));
  if (!isJSON || formType.test(contentType!)) {
    discardBody(request);
    const received = contentType ? JSON.stringify(contentType.slice(0, 100)) : "none";
    throw new ChatRequestError(
      "unsupported-media-type",
      `the content type must be application/json, got ${received}`,
    );
  }
  const text = await readText(request, maxBodyBytes);
  try {
    return JSON.parse(text);
  } catch {
    throw new ChatRequestError("invalid-json", "the body is not JSON");
  }
}

/**
 * Validates the body of a chat request, such as `await request.json()` returns.
 *
 * The ids of the session, the workflow and of messages have at most 256 characters; they are trimmed, and an empty one
 * counts as absent. Keys that the contract does not name are kept. Without an answer in `resumes` or `resume`, and unless
 * `trigger` is `continue`, the last message's `metadata.resume`, its answer to a question, is used. Then `resumes` has all
 * answers, and `resume` is the first of them that is a text, ids of options, or cancelled.
 *
 * @throws ChatRequestError listing every wrong field (of more than 100, the first 100) with its path, what was expected
 * and what was received.
 * @throws RangeError for a limit that is not a number, or is negative. TypeError for a wrong scheme.
 *
 * @example
 * ```ts
 * try {
 *   parseChatRequestBody({ messages: "Hello" });
 * } catch (error) {
 *   if (!(error instanceof ChatRequestError)) throw error;
 *   error.issues; // [{ path: "messages", expected: "an array", received: "a string of 5 characters" }]
 * }
 * ```
 */
export function parseChatRequestBody(
  value: unknown,
  limits: Omit<ChatRequestLimits, "maxBodyBytes"> = {},
): ChatRequestBody {
  const { maxMessages = 1000, maxItems = 10_000, maxDepth = 64, fileUrlSchemes } = limits;
  for (const [name, limit] of Object.entries({ maxMessages, maxItems, maxDepth }))
    checkLimitOption(name, limit);
  checkUrlSchemes(fileUrlSchemes);
  // Before the schema, which walks the value recursively, and takes long for each wrong item.
  if (isDeeperThan(value, maxDepth)) {
    throw invalidRequest([
      { path: "", expected: `nested at most ${maxDepth} levels deep`, received: "more" },
    ]);
  }
  checkLengths(value, maxMessages, maxItems);
  bodySchema ??= createBodySchema();
  const result = bodySchema.safeParse(value);
  if (!result.success) throw invalidRequest(result.error.issues.map((issue) => toIssue(issue, value)));
  const messages = checkFileUrls(result.data.messages, fileUrlSchemes);
  return withAnswers({ ...result.data, messages });
}

/** @throws ChatRequestError for more messages or items than a body may have. */
function checkLengths(body: unknown, maxMessages: number, maxItems: number): void {
  const { messages, resumes, toolResults, tools } = fieldsOf(body);
  const count = lengthOf(messages);
  if (count > maxMessages) {
    const received = `an array of ${count} items`;
    throw invalidRequest([
      { path: "messages", expected: `an array of at most ${maxMessages} messages`, received },
    ]);
  }
  const parts = Array.isArray(messages) ? messages.map((message) => fieldsOf(message).parts) : [];
  const items = [...parts, resumes, toolResults, tools].reduce(
    (sum: number, list) => sum + lengthOf(list),
    0,
  );
  if (items > maxItems) {
    const expected = `one of at most ${maxItems} parts, resumes, toolResults and tools together`;
    throw invalidRequest([{ path: "", expected, received: String(items) }]);
  }
}

/** Reads the properties of an unknown value. */
const fieldsOf = (value: unknown): Record<string, unknown> => (value ?? {}) as Record<string, unknown>;

const lengthOf = (list: unknown): number => (Array.isArray(list) ? list.length : 0);

/**
 * Rejects roles that a client may not use.
 *
 * @throws ChatRequestError `invalid-request` that lists every message with another role.
 */
export function checkRoles(messages: ChatMessage[], allowed: ChatMessage["role"][]): void {
  const expected = `one of ${allowed.map((role) => JSON.stringify(role)).join(", ")}`;
  const issues = messages.flatMap(({ role }, index) =>
    allowed.includes(role)
      ? []
      : [{ path: `messages.${index}.role`, expected, received: JSON.stringify(role) }],
  );
  if (issues.length > 0) throw invalidRequest(issues);
}

async function readText(request: Request, maxBodyBytes: number): Promise<string> {
  const expected = `at most ${maxBodyBytes} bytes`;
  const tooLarge = invalidRequest([{ path: "", expected, received: "more" }], "body-too-large");
  if (Number(request.headers.get("content-length")) > maxBodyBytes) {
    discardBody(request);
    throw tooLarge;
  }
  if (request.bodyUsed || request.body?.locked) throw alreadyRead(new UsedBodyError(remedy));
  const reader = request.body?.getReader();
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let bytes = 0;
  let text = "";
  while (reader !== undefined) {
    const { done, value } = await reader.read().catch((error) => {
      if (isUsedBodyError(error)) throw alreadyRead(error);
      const { name, code } = (error ?? {}) as { name?: unknown; code?: unknown };
      // Node's own request throws the latter, without aborting a signal.
      const hasLeft = request.signal.aborted || name === "AbortError" || code === "ECONNRESET";
      throw hasLeft
        ? new ChatRequestError("incomplete-body", "the client left before it had sent the whole body")
        : error;
    });
    if (done) break;
    bytes += value.length;
    if (bytes > maxBodyBytes) {
      reader.cancel().catch(() => {});
      throw tooLarge;
    }
    text += decodeOrRefuse(decoder, value);
  }
  return text + decodeOrRefuse(decoder);
}

/** Signals to the client that the rest of the body is not needed, if the runtime can. */
function discardBody({ body }: Request): void {
  body?.cancel().catch(() => {});
}

const remedy =
  "Read a copy in middleware (`await request.clone().json()`), or pass the route a request with the body restored: " +
  "`new Request(request, { body: JSON.stringify(body) })`, or in Hono `await cloneRawRequest(c.req)`.";

/** The client cannot do anything about it, so it is logged. */
function alreadyRead(error: UsedBodyError): ChatRequestError {
  console.error(`${error.message} The response was a 500 (${usedBodyCode}).`);
  return new ChatRequestError(usedBodyCode, "its body was read before");
}

/** JSON is UTF-8 (RFC 8259, section 8.1). */
function decodeOrRefuse(decoder: TextDecoder, bytes?: Uint8Array): string {
  try {
    return bytes === undefined ? decoder.decode() : decoder.decode(bytes, { stream: true });
  } catch {
    throw new ChatRequestError("invalid-json", "the body is not UTF-8");
  }
}

/** Level by level instead of recursively: a hostile body may be nested too deeply for the stack. */
function isDeeperThan(value: unknown, maxDepth: number): boolean {
  let level = [value].filter(isNested);
  for (let depth = 0; level.length > 0; depth++) {
    if (depth >= maxDepth) return true;
    level = level.flatMap((container) => Object.values(container).filter(isNested));
  }
  return false;
}

const isNested = (value: unknown): value is object => typeof value === "object" && value !== null;
