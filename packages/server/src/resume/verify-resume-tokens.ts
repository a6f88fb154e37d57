/**
 * Verifies what a request answers: the tokens of its answers and results, and the calls that they are about. Gives the
 * agent its own tokens back. Signs none.
 */
import {
  type ChatRequestBody,
  type ChatResume,
  parseMessageResume,
  type ToolCallMessagePart,
} from "@kortyx/protocol";
import {
  type ChatRequestError,
  type ChatRequestIssue,
  invalidRequest,
  maxIssues,
} from "../route/chat-request-error.ts";
import { hasResume, withoutResume } from "../route/request-answers.ts";
import { hashCall, type TokenContent, type TokenScope, TokenSigner } from "./token-signer.ts";

/** The options of {@link verifyResumeTokens}. */
export interface VerifyResumeTokensOptions {
  /** As for {@link signResumeTokens}: a token of any of several secrets is valid. */
  secret: string | readonly string[];
  /** Whose request it is, as it was signed. */
  owner?: string | undefined;
}

/**
 * Verifies the resume tokens of a request, for a server without {@link createChatRoute}, which does the same with its
 * `resumeSecret`: those of `resume`, `resumes`, `toolResults`, and `metadata.resume` of the last message.
 *
 * A token proves that this server asked the question, or made the call, in this conversation of this owner; never that the
 * answer or the result is true, nor that it is the first one. A call that an answer or a result is about must have the same
 * tool and input where `messages` show it.
 *
 * @returns the body with the agent's own tokens in place of the signed ones, and in each answer the `toolCallId` of its question.
 * A `metadata.resume` that is not also in `resume` or `resumes` is removed.
 * @throws ChatRequestError that lists the fields: 403 `invalid-resume-token` if any token or call is not the server's, else
 * 410 `interrupt-expired` if any has expired.
 * @throws TypeError for a secret that is missing or too short.
 *
 * @example
 * ```ts
 * const secret = "at least 32 characters, kept secret";
 * const body = await verifyResumeTokens(await readChatRequest(request), { secret, owner: "ann" });
 * const stream = toSSE(() => agent.streamChat(body.messages, { resumes: body.resumes }));
 * ```
 */
export async function verifyResumeTokens<Body extends ChatRequestBody>(
  body: Body,
  { secret, owner }: VerifyResumeTokensOptions,
): Promise<Body> {
  const signer = new TokenSigner("secret", secret);
  const { body: verified, expired } = await verifyTokens(body, signer, { owner });
  if (expired !== undefined) throw expired;
  return verified;
}

interface TokenCheckOptions extends Pick<TokenScope, "owner"> {
  /** The message that the request continues. If given, calls of other messages are refused. */
  continues?: { id: string | undefined } | undefined;
}

/** @returns the body for the agent, and the error to refuse it with if a token has expired. */
export async function verifyTokens<Body extends ChatRequestBody>(
  body: Body,
  signer: TokenSigner,
  { owner, continues }: TokenCheckOptions,
): Promise<{ body: Body; expired: ChatRequestError | undefined }> {
  const check = new TokenCheck(signer, { owner, sessionId: body.sessionId, continues });
  const verified = { ...body, ...(await check.verify(body)) };
  await check.compareCalls(body);
  if (check.wrong.length > 0) throw invalidRequest(check.wrong, "invalid-resume-token");
  const expired = check.late.length > 0 ? invalidRequest(check.late, "interrupt-expired") : undefined;
  return { body: verified, expired };
}

type Verified = Pick<ChatRequestBody, "messages" | "resume" | "resumes" | "toolResults">;

type AnswerToken = Pick<ChatResume, "requestId" | "resumeToken">;

/** What the server knows of an answer. */
interface SignedFields {
  resumeToken: string;
  toolCallId: string | undefined;
}

interface ShownCall extends Pick<ToolCallMessagePart, "tool" | "input"> {
  path: string;
  /** That of its message. */
  index: number;
}

class TokenCheck {
  readonly wrong: ChatRequestIssue[] = [];
  readonly late: ChatRequestIssue[] = [];
  readonly #signer: TokenSigner;
  readonly #scope: TokenScope & TokenCheckOptions;
  /** The questions that the request answers: a question answered twice in one request is ambiguous. */
  readonly #answered = new Set<string>();
  /** By question and token: the same answer may be in `resumes`, in `resume` and in the metadata of a message. */
  readonly #answers = new Map<string, Promise<TokenContent | undefined>>();
  /** The hashes of the calls that it is about. */
  readonly #calls = new Map<string, (string | undefined)[]>();

  constructor(signer: TokenSigner, scope: TokenScope & TokenCheckOptions) {
    this.#signer = signer;
    this.#scope = scope;
  }

  async verify(body: ChatRequestBody): Promise<Partial<Verified>> {
    const { resume, resumes, toolResults } = body;
    const verified: Partial<Verified> = {};
    if (resumes !== undefined) {
      verified.resumes = await inOrder(resumes, async (answer, index) => {
        this.#answerOnce(answer.requestId, `resumes.${index}.requestId`);
        return { ...answer, ...(await this.#openAnswer(answer, `resumes.${index}.resumeToken`)) };
      });
    }
    if (resume !== undefined) {
      verified.resume = { ...resume, ...(await this.#openAnswer(resume, "resume.resumeToken")) };
    }
    if (toolResults !== undefined) {
      verified.toolResults = await inOrder(toolResults, async (result, index) => {
        const { toolCallId, tool, resumeToken } = result;
        const content = await this.#open(
          resumeToken,
          `toolResults.${index}.resumeToken`,
          (said) => said.kind === "call" && said.id === toolCallId && said.tool === tool,
        );
        return { ...result, resumeToken: content?.token };
      });
    }
    return { ...verified, ...(await this.#verifyMetadata(body)) };
  }

  /**
   * The last message may hold an answer, too, where agents of Kortyx read it. The agent sees none that the request does not
   * give: not one of an earlier request, nor one in a form that only the agent understands.
   */
  async #verifyMetadata({ messages, resume, resumes = [] }: ChatRequestBody): Promise<Partial<Verified>> {
    if (!messages.some(hasResume)) return {};
    const last = messages.at(-1)!;
    const stored = parseMessageResume(last);
    const isGiven = [...resumes, ...[resume ?? []].flat()].some(
      ({ requestId, resumeToken }) => requestId === stored?.requestId && resumeToken === stored.resumeToken,
    );
    const others = messages.map(withoutResume);
    if (stored === undefined || !isGiven) return { messages: others };
    const path = `messages.${messages.length - 1}.metadata.resume.token`;
    const { resumeToken: token } = await this.#openAnswer(stored, path);
    const metadata = { ...last.metadata, resume: { ...Object(last.metadata?.resume), token } };
    return { messages: [...others.slice(0, -1), { ...last, metadata }] };
  }

  /** The calls that the messages show to the agent must be those that the tokens are for. */
  async compareCalls(body: ChatRequestBody): Promise<void> {
    for (const [toolCallId, shown] of this.#findCalls(body)) {
      const signed = new Set(this.#calls.get(toolCallId));
      const newest = shown.slice(-signed.size);
      const hashes: (string | undefined)[] = [];
      for (const { tool, input } of newest) hashes.push(await hashCall(tool, input));
      const isComplete = new Set(hashes).size === signed.size;
      const other = newest.find((_, index) => !signed.has(hashes[index])) ?? newest.at(-1)!;
      if (isComplete && signed.has(hashes[newest.indexOf(other)])) continue;
      const expected = "the call as this server made it, with the same tool and input";
      this.wrong.push({ path: other.path, expected, received: "another call" });
    }
  }

  /**
   * Where the messages show the calls: in the message that the request continues, else in the last one that has such a call.
   * Of several calls with the same id, the newest count.
   */
  #findCalls({ messages, messageId }: ChatRequestBody): Map<string, ShownCall[]> {
    const found = new Map<string, ShownCall[]>();
    const continued = messages.findLastIndex(({ id }) => messageId !== undefined && id === messageId);
    for (const [index, { parts = [] }] of messages.entries()) {
      for (const [position, part] of parts.entries()) {
        if (part.type !== "tool-call" || !this.#calls.has(part.toolCallId)) continue;
        const { tool, input, toolCallId } = part;
        const before = found.get(toolCallId) ?? [];
        const isOfMessage = before.at(-1)?.index === index;
        if (before.at(-1)?.index === continued && !isOfMessage) continue;
        const path = `messages.${index}.parts.${position}`;
        found.set(toolCallId, [...(isOfMessage ? before : []), { tool, input, path, index }]);
      }
    }
    return found;
  }

  /** @returns what the server has signed: the agent's own token, and the call that the question is about. */
  async #openAnswer({ requestId, resumeToken }: AnswerToken, path: string): Promise<SignedFields> {
    const name = JSON.stringify([requestId, resumeToken]);
    const isFor = ({ kind, id }: TokenContent) => kind === "question" && id === requestId;
    const opened = this.#answers.get(name) ?? this.#open(resumeToken, path, isFor);
    this.#answers.set(name, opened);
    const { token = "", toolCallId } = (await opened) ?? {};
    return { resumeToken: token, toolCallId };
  }

  async #open(
    token: string | undefined,
    path: string,
    isFor: (content: TokenContent) => boolean,
  ): Promise<TokenContent | undefined> {
    // A body has room for thousands of forged tokens: the rest are not worth the time.
    const isWorthwhile = token !== undefined && this.wrong.length < maxIssues;
    const content = isWorthwhile ? await this.#signer.open(token, this.#scope) : undefined;
    if (content === undefined || !isFor(content)) {
      const received = token === undefined ? "nothing" : "another text";
      this.wrong.push({ path, expected: "the token that this server sent in this conversation", received });
      return undefined;
    }
    if (Date.now() > content.expiresAt) {
      this.late.push({ path, expected: "a token that is still valid", received: "an expired one" });
    }
    const { toolCallId, callHash, messageId } = content;
    if (toolCallId !== undefined) {
      const { continues } = this.#scope;
      if (continues !== undefined && messageId !== undefined && messageId !== continues.id) {
        const expected = 'the id of the message with the call, and trigger "continue"';
        this.wrong.push({ path: "messageId", expected, received: "another request" });
      }
      const hashes = this.#calls.get(toolCallId) ?? [];
      hashes.push(callHash);
      this.#calls.set(toolCallId, hashes);
    }
    return content;
  }

  #answerOnce(requestId: string, path: string): void {
    if (this.#answered.has(requestId)) {
      this.wrong.push({ path, expected: "answered once", received: "a second answer" });
    }
    this.#answered.add(requestId);
  }
}

async function inOrder<Item>(
  items: readonly Item[],
  verify: (item: Item, index: number) => Promise<Item>,
): Promise<Item[]> {
  const verified: Item[] = [];
  for (const [index, item] of items.entries()) verified.push(await verify(item, index));
  return verified;
}
