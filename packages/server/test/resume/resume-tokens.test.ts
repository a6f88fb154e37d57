import { type ChatRequestBody, type InterruptChunk, reduceMessage, type StreamChunk } from "@kortyx/protocol";
import { afterEach, describe, expect, test, vi } from "vitest";
import { type SignResumeTokensOptions, signResumeTokens } from "../../src/resume/sign-resume-tokens.ts";
import { verifyResumeTokens } from "../../src/resume/verify-resume-tokens.ts";
import { ChatRequestError } from "../../src/route/chat-request-error.ts";
import { parseChatRequestBody } from "../../src/route/read-chat-request.ts";
import { collectStream } from "../../src/stream/collect-stream.ts";

const secret = "a secret of more than 32 characters";
const ann = { owner: "ann", sessionId: "s1" };
const day = 24 * 60 * 60_000;

afterEach(() => void vi.useRealTimers());

const ready: StreamChunk = {
  type: "tool-call-ready",
  toolCallId: "c1",
  tool: "pay",
  input: { euros: 5, to: "Bo" },
};
const approval = (fields: Partial<InterruptChunk> = {}): InterruptChunk => ({
  type: "interrupt",
  requestId: "q1",
  resumeToken: "own",
  toolCallId: "c1",
  input: {
    kind: "choice",
    multiple: false,
    question: "Pay?",
    options: [
      { id: "approve", label: "Approve" },
      { id: "deny", label: "Deny" },
    ],
  },
  ...fields,
});
const question = (fields: Partial<InterruptChunk> = {}): InterruptChunk => ({
  type: "interrupt",
  requestId: "q2",
  resumeToken: "own text",
  input: { kind: "text", multiple: false, question: "Why?" },
  ...fields,
});
const locate: StreamChunk = { type: "tool-call-ready", toolCallId: "c2", tool: "locate", input: null };
const clientCall: StreamChunk = { ...locate, executor: "client" };

const sign = (chunks: StreamChunk[], options: Partial<SignResumeTokensOptions> = {}) =>
  collectStream(signResumeTokens(chunks, { secret, ...ann, ...options }));

/** The signed token of the last chunk that has one. */
async function tokenOf(chunks: StreamChunk[], options?: Partial<SignResumeTokensOptions>): Promise<string> {
  const tokens = (await sign(chunks, options)).flatMap((chunk) =>
    "resumeToken" in chunk ? [chunk.resumeToken!] : [],
  );
  return tokens.at(-1)!;
}

const call = (fields: object = {}) => ({
  type: "tool-call",
  toolCallId: "c1",
  tool: "pay",
  state: "awaiting-approval",
  input: { euros: 5, to: "Bo" },
  ...fields,
});
const bodyOf = (fields: object, parts: object[] = []): ChatRequestBody =>
  ({ messages: [{ role: "assistant", content: "", parts }], sessionId: "s1", ...fields }) as ChatRequestBody;
const answerOf = (resumeToken: string, requestId = "q1") => ({ requestId, resumeToken, answer: "approve" });

const verify = (body: ChatRequestBody, options: { secret?: string | string[]; owner?: string } = {}) =>
  verifyResumeTokens(body, { secret, owner: "ann", ...options });

/** The code and the paths of the refusal. */
async function refusalOf(verified: Promise<unknown>): Promise<unknown[]> {
  const error = await verified.then(
    () => expect.fail("The body was accepted."),
    (reason) => reason,
  );
  expect(error).toBeInstanceOf(ChatRequestError);
  return [error.status, error.code, ...error.issues.map(({ path }: { path: string }) => path)];
}
const forged = (...paths: string[]) => [403, "invalid-resume-token", ...paths];
const expired = (...paths: string[]) => [410, "interrupt-expired", ...paths];
const firstToken = "resumes.0.resumeToken";

describe("a signed question", () => {
  test("the client gets another token, and the agent its own", async () => {
    const token = await tokenOf([ready, approval()]);
    expect(token).toMatch(/^v1\.[\w-]+\.[\w-]{43}$/);
    const body = bodyOf({ resumes: [answerOf(token)] }, [call()]);
    const invented = { ...body, resumes: [{ ...answerOf(token), toolCallId: "c9" }] };
    for (const given of [body, invented]) {
      const resumes = [{ ...answerOf("own"), toolCallId: "c1" }];
      expect(await verify(given)).toEqual({ ...body, resumes });
    }
  });

  test.each([
    ["resume", (token: string) => ({ resume: answerOf(token) }), { resume: answerOf("own") }],
    ["resumes", (token: string) => ({ resumes: [answerOf(token)] }), { resume: answerOf("own") }],
    [
      "the metadata of the last message",
      (token: string) => ({ messages: [answerMessage(token)] }),
      {
        messages: [answerMessage("own")],
        resumes: [{ requestId: "q1", resumeToken: "own", answer: "approve" }],
      },
    ],
  ])("an answer in %s is verified, too", async (_, fieldsOf, expected) => {
    const token = await tokenOf([ready, approval()]);
    const parse = (value: string) => parseChatRequestBody(bodyOf(fieldsOf(value)));
    expect(await verify(parse(token))).toMatchObject(expected);
    const refusal = await refusalOf(verify(parse("own")));
    expect(refusal.slice(0, 2)).toEqual(forged());
    expect(refusal).toHaveLength(3);
  });

  test("an answer that is in several fields is reported once", async () => {
    const answer = answerOf("forged");
    const body = bodyOf({ messages: [answerMessage("forged")], resume: answer, resumes: [answer] });
    expect(await refusalOf(verify(body))).toEqual(forged(firstToken));
  });

  test.each<[string, object]>([
    ["gives another one", { resumes: [{ requestId: "q2" }] }],
    ["continues an answer", { trigger: "continue" }],
  ])("the agent does not see an earlier answer in the metadata if the request %s", async (_, fields) => {
    const resumeToken = await tokenOf([question()]);
    const resumes = "resumes" in fields ? [answerOf(resumeToken, "q2")] : undefined;
    const messages = [answerMessage("forged")];
    const body = parseChatRequestBody(bodyOf({ messages, ...fields, resumes }));
    const verified = await verify(body);
    expect(verified.messages[0]!.metadata).toEqual({ other: 1 });
    expect(verified.resumes?.map(({ requestId }) => requestId)).toEqual(resumes && ["q2"]);
    expect(body.messages[0]!.metadata).toEqual(answerMessage("forged").metadata);
  });

  test.each([
    { selected: {}, choice: { id: "approve" } },
    { selected: ["approve", 1] },
    { choices: [{ id: "approve" }, 0] },
    { token: " ", selected: "approve" },
  ])("the agent does not see what only it could read as an answer: %o", async (fields) => {
    const resume = { token: "own", requestId: "q1", ...fields };
    const message = { ...answerMessage("own"), metadata: { resume, other: 1 } };
    const verified = await verify(parseChatRequestBody(bodyOf({ messages: [message] })));
    expect(verified.messages).toEqual([{ ...message, metadata: { other: 1 } }]);
  });

  test("the agent sees no answer in an earlier message", async () => {
    const resumeToken = await tokenOf([ready, approval()]);
    const messages = [answerMessage("own"), answerMessage(resumeToken)];
    const verified = await verify(parseChatRequestBody(bodyOf({ messages })));
    expect(verified.messages).toEqual([
      { ...answerMessage("own"), metadata: { other: 1 } },
      answerMessage("own"),
    ]);
  });

  test.each<[string, Partial<ChatRequestBody>, { owner?: string }]>([
    ["another session", { sessionId: "s2" }, {}],
    ["no session", { sessionId: undefined }, {}],
    ["another owner", {}, { owner: "bob" }],
  ])("is refused from %s", async (_, fields, options) => {
    const token = await tokenOf([ready, approval()]);
    const body = bodyOf({ resumes: [answerOf(token)], ...fields });
    expect(await refusalOf(verify(body, options))).toEqual(forged(firstToken));
  });

  test("is refused for another question", async () => {
    const token = await tokenOf([question()]);
    expect(await refusalOf(verify(bodyOf({ resumes: [answerOf(token, "q1")] })))).toEqual(forged(firstToken));
    expect(await verify(bodyOf({ resumes: [answerOf(token, "q2")] }))).toMatchObject({
      resumes: [{ resumeToken: "own text" }],
    });
  });

  test("any other spelling of the token is refused", async () => {
    const token = await tokenOf([ready, approval()]);
    const last = token.at(-1)!;
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const [version, content, signature] = token.split(".");
    const changed = { kind: "question", id: "q1", expiresAt: Date.now() + day, token: "admin" };
    const spellings = [
      "",
      "own",
      token.slice(0, -1),
      `${token}A`,
      `${token}=`,
      `${token}\n`,
      ` ${token}`,
      token.toUpperCase(),
      token.replace("v1", "v2"),
      `${version}.${content}.`,
      `${version}..${signature}`,
      `${version}.${btoa(JSON.stringify(changed)).replaceAll("=", "")}.${signature}`,
      // The other characters with which the last one shares the bits that count.
      ...[1, 2, 3].map((bits) => token.slice(0, -1) + alphabet[alphabet.indexOf(last) ^ bits]),
    ];
    for (const spelling of spellings) {
      expect(await refusalOf(verify(bodyOf({ resumes: [answerOf(spelling)] })))).toEqual(forged(firstToken));
    }
  });

  test("a huge token is refused, and an agent's large one travels", async () => {
    const huge = `v1.${"A".repeat(1_000_000)}.${"A".repeat(43)}`;
    expect(await refusalOf(verify(bodyOf({ resumes: [answerOf(huge)] })))).toEqual(forged(firstToken));
    const own = "é\u2028\ud800".repeat(10_000);
    const token = await tokenOf([question({ resumeToken: own })]);
    const { resumes } = await verify(bodyOf({ resumes: [answerOf(token, "q2")] }));
    expect(resumes![0]!.resumeToken).toBe(own);
  });

  test("of thousands of forged tokens, only the first hundred cost time", async () => {
    const token = await tokenOf([question()]);
    const resumes = Array.from({ length: 5000 }, (_, index) => answerOf(token, `other ${index}`));
    const verifying = vi.spyOn(crypto.subtle, "verify");
    const [status, code, ...paths] = await refusalOf(verify(bodyOf({ resumes })));
    expect([status, code]).toEqual(forged());
    expect(paths).toHaveLength(100);
    expect(verifying).toHaveBeenCalledTimes(100);
    verifying.mockRestore();
  });

  test("two answers to one question in a request are refused", async () => {
    const token = await tokenOf([ready, approval()]);
    const resumes = [answerOf(token), { ...answerOf(token), answer: "deny" }];
    expect(await refusalOf(verify(bodyOf({ resumes })))).toEqual(forged("resumes.1.requestId"));
  });

  test("a question that a policy answers takes no answer", async () => {
    const token = await tokenOf([ready, approval({ isAutomatic: true })]);
    expect(token).toBe("");
    expect(await refusalOf(verify(bodyOf({ resumes: [answerOf(token)] })))).toEqual(forged(firstToken));
  });

  test("a new secret signs, and the old one verifies until it is removed", async () => {
    const newer = "another secret of more than 32 characters";
    const old = bodyOf({ resumes: [answerOf(await tokenOf([ready, approval()]))] });
    expect(await verify(old, { secret: [newer, secret] })).toMatchObject({
      resumes: [{ resumeToken: "own" }],
    });
    expect(await refusalOf(verify(old, { secret: [newer] }))).toEqual(forged(firstToken));
    const signed = await tokenOf([ready, approval()], { secret: [newer, secret] });
    const body = bodyOf({ resumes: [answerOf(signed)] });
    expect(await verify(body, { secret: newer })).toMatchObject({ resumes: [{ resumeToken: "own" }] });
    expect(await refusalOf(verify(body))).toEqual(forged(firstToken));
  });

  test("it belongs to the session that the stream names", async () => {
    const session: StreamChunk = { type: "session", sessionId: " s2 " };
    const token = await tokenOf([session, ready, approval()], { sessionId: undefined });
    expect(await verify(bodyOf({ resumes: [answerOf(token)], sessionId: "s2" }))).toMatchObject({
      resumes: [{ resumeToken: "own" }],
    });
  });
});

describe("expiry", () => {
  test("the last moment of a question still counts, and the next one does not", async () => {
    vi.useFakeTimers({ now: 1000, toFake: ["Date"] });
    const token = await tokenOf([ready, approval({ expiresAt: 5000 })]);
    const body = bodyOf({ resumes: [answerOf(token)] });
    vi.setSystemTime(5000);
    await verify(body);
    vi.setSystemTime(5001);
    expect(await refusalOf(verify(body))).toEqual(expired(firstToken));
  });

  test("a question without an end is open for 7 days", async () => {
    vi.useFakeTimers({ now: 0, toFake: ["Date"] });
    const token = await tokenOf([ready, approval()]);
    const body = bodyOf({ resumes: [answerOf(token)] });
    vi.setSystemTime(7 * day);
    await verify(body);
    vi.setSystemTime(7 * day + 1);
    expect(await refusalOf(verify(body))).toEqual(expired(firstToken));
  });

  test("one that has expired refuses all, and one that is forged comes first", async () => {
    vi.useFakeTimers({ now: 1000, toFake: ["Date"] });
    const late = await tokenOf([ready, approval({ expiresAt: 1500 })]);
    const valid = await tokenOf([question()]);
    vi.setSystemTime(2000);
    const resumes = [answerOf(valid, "q2"), answerOf(late)];
    expect(await refusalOf(verify(bodyOf({ resumes })))).toEqual(expired("resumes.1.resumeToken"));
    const withForged = [answerOf("x", "q3"), answerOf(late)];
    expect(await refusalOf(verify(bodyOf({ resumes: withForged })))).toEqual(forged(firstToken));
  });
});

describe("the call that is approved", () => {
  test.each<[string, object]>([
    ["input", { input: { euros: 5000, to: "Bo" } }],
    ["input, left out", { input: undefined }],
    ["tool", { tool: "refund" }],
  ])("another %s in the client's messages is refused", async (_, fields) => {
    const token = await tokenOf([ready, approval()]);
    const parts = [{ type: "text", text: "Fine." }, call(fields)];
    const body = bodyOf({ resumes: [answerOf(token)] }, parts);
    expect(await refusalOf(verify(body))).toEqual(forged("messages.0.parts.1"));
  });

  const swapped = call({ input: { euros: 5000 } });
  const said = (id: string, ...parts: object[]) => ({ role: "assistant", content: "", id, parts });
  test.each<[string, string | undefined, object[], string | undefined]>([
    ["the newest in the continued message", "m1", [said("m1", call(), swapped)], "messages.0.parts.1"],
    ["an older one in it", "m1", [said("m1", swapped, call())], undefined],
    ["one in another message", "m1", [said("m1", call()), said("m2", swapped)], undefined],
    ["the only one, elsewhere", "m1", [said("m1"), said("m2", swapped)], "messages.1.parts.0"],
    [
      "the newest in the last message",
      undefined,
      [said("m1", call()), said("m2", swapped)],
      "messages.1.parts.0",
    ],
    ["one in an earlier message", undefined, [said("m1", swapped), said("m2", call())], undefined],
    ["another call", "m1", [said("m1", call({ toolCallId: "c9", input: 1 }), call())], undefined],
  ])(
    "a swapped input of %s is refused by its place, or not compared",
    async (_, messageId, messages, path) => {
      const token = await tokenOf([ready, approval()]);
      const verified = verify(bodyOf({ resumes: [answerOf(token)], messages, messageId }));
      if (path === undefined) await verified;
      else expect(await refusalOf(verified)).toEqual(forged(path));
    },
  );

  test("the order of keys makes no difference, and that of items does", async () => {
    const input = { b: [{ y: 1, x: 2 }, 3], a: { d: null, c: "ä" }, 1: true };
    const token = await tokenOf([{ ...ready, input }, approval()]);
    const same = call({ input: JSON.parse('{"a":{"c":"ä","d":null},"1":true,"b":[{"x":2,"y":1},3]}') });
    await verify(bodyOf({ resumes: [answerOf(token)] }, [same]));
    const other = call({ input: { ...input, b: [3, { y: 1, x: 2 }] } });
    expect(await refusalOf(verify(bodyOf({ resumes: [answerOf(token)] }, [other])))).toEqual(
      forged("messages.0.parts.0"),
    );
  });

  test.each<[string, StreamChunk[], Partial<SignResumeTokensOptions>]>([
    ["begun whole", [{ type: "tool-call-start", toolCallId: "c1", tool: "pay", input: call().input }], {}],
    ["of the message that is continued", [], { message: { status: "done", parts: [call() as never] } }],
  ])("a call %s is bound, too", async (_, chunks, options) => {
    const token = await tokenOf([...chunks, approval()], options);
    await verify(bodyOf({ resumes: [answerOf(token)] }, [call()]));
    const swapped = bodyOf({ resumes: [answerOf(token)] }, [call({ input: 1 })]);
    expect(await refusalOf(verify(swapped))).toEqual(forged("messages.0.parts.0"));
  });

  test("a question before its call is whole fails the stream, and names what to do", async () => {
    const begun: StreamChunk = { type: "tool-call-start", toolCallId: "c1", tool: "pay" };
    const message =
      'The question "q1" is about the call "c1", whose input is not known yet: yield its tool-call-ready before the ' +
      "question, also when the call is of an earlier answer, unless loadMessage returns that answer.";
    for (const chunks of [[approval()], [begun, approval(), ready]]) {
      await expect(sign(chunks)).rejects.toThrow(new TypeError(message));
    }
    await sign([begun, approval({ isAutomatic: true })]);
  });
});

describe("a result of a tool that the client runs", () => {
  const resultOf = (resumeToken: string | undefined, fields: object = {}) => ({
    toolCallId: "c2",
    tool: "locate",
    resumeToken,
    content: "Rome",
    ...fields,
  });

  test("the agent gets the result with its own token, or without one", async () => {
    const withOwn = await tokenOf([{ ...clientCall, resumeToken: "own" } as StreamChunk]);
    expect(await verify(bodyOf({ toolResults: [resultOf(withOwn)] }))).toMatchObject({
      toolResults: [resultOf("own")],
    });
    const without = await tokenOf([clientCall]);
    expect((await verify(bodyOf({ toolResults: [resultOf(without)] }))).toolResults).toEqual([
      resultOf(undefined),
    ]);
  });

  test.each<[string, object]>([
    ["another call", { toolCallId: "c3" }],
    ["another tool", { tool: "pay" }],
    ["a call without a token", { resumeToken: undefined }],
  ])("a result of %s is refused", async (_, fields) => {
    const body = bodyOf({ toolResults: [resultOf(await tokenOf([clientCall]), fields)] });
    expect(await refusalOf(verify(body))).toEqual(forged("toolResults.0.resumeToken"));
  });

  test("two calls may have the same id, and each its result", async () => {
    const tokens = [await tokenOf([clientCall]), await tokenOf([{ ...clientCall, input: 2 } as StreamChunk])];
    const body = (...inputs: unknown[]) => {
      const parts = inputs.map((input) => call({ toolCallId: "c2", tool: "locate", input }));
      return parseChatRequestBody(bodyOf({ toolResults: tokens.map((token) => resultOf(token)) }, parts));
    };
    expect((await verify(body(null, 2))).toolResults).toHaveLength(2);
    await verify(body("/etc", null, 2));
    for (const [index, inputs] of [
      [0, ["/etc", 2]],
      [1, [null, "/etc"]],
      [1, [2, 2]],
      [0, [2]],
    ] as const) {
      expect(await refusalOf(verify(body(...inputs)))).toEqual(forged(`messages.0.parts.${index}`));
    }
  });

  test("the input in the client's messages must be that of the call", async () => {
    const token = await tokenOf([clientCall]);
    const part = { toolCallId: "c2", tool: "locate", state: "awaiting-client" };
    const body = (input: unknown) => bodyOf({ toolResults: [resultOf(token)] }, [call({ ...part, input })]);
    await verify(body(null));
    await verify(body(undefined));
    expect(await refusalOf(verify(body("/etc")))).toEqual(forged("messages.0.parts.0"));
  });

  test("the token of a question about a call does not fit its result, nor the reverse", async () => {
    const asked = await tokenOf([locate, approval({ requestId: "c2", toolCallId: "c2" })]);
    for (const fields of [{}, { tool: undefined }]) {
      expect(await refusalOf(verify(bodyOf({ toolResults: [resultOf(asked, fields)] })))).toEqual(
        forged("toolResults.0.resumeToken"),
      );
    }
    const called = await tokenOf([clientCall]);
    expect(await refusalOf(verify(bodyOf({ resumes: [answerOf(called, "c2")] })))).toEqual(
      forged(firstToken),
    );
  });

  test("calls of the server get no token", async () => {
    expect(await sign([ready, { type: "done" }])).toEqual([ready, { type: "done" }]);
  });

  test.each<[string, StreamChunk[]]>([
    [
      "begins whole",
      [{ type: "tool-call-start", toolCallId: "c2", tool: "locate", input: null, executor: "client" }],
    ],
    [
      "waits only at the end",
      [locate, { type: "done", finishReason: "tool-calls", pendingToolCallIds: ["c2", "unknown"] }],
    ],
    [
      "names its executor at the start",
      [{ type: "tool-call-start", toolCallId: "c2", tool: "locate", executor: "client" }, locate],
    ],
  ])("a call that %s gets a token", async (_, chunks) => {
    const signed = await sign(chunks);
    const tokens = signed.filter(
      (chunk) => chunk.type === "tool-call-ready" && chunk.resumeToken !== undefined,
    );
    expect(tokens).toHaveLength(1);
    const token = await tokenOf(chunks);
    await verify(bodyOf({ toolResults: [resultOf(token)] }));
    expect(signed.at(-1)!.type).toBe(chunks.at(-1)!.type === "done" ? "done" : "tool-call-ready");
  });

  const whole = (fields: object = {}) =>
    ({ ...clientCall, type: "tool-call-start", input: 1, ...fields }) as StreamChunk;
  const done: StreamChunk = { type: "done", finishReason: "tool-calls" };

  test.each<[string, StreamChunk[], unknown[]]>([
    ["its own whole input, which counts", [whole(), { ...clientCall, input: 2 } as StreamChunk, done], [2]],
    ["another start", [whole(), whole({ input: undefined }), done], [1]],
    ["another call with its id", [whole(), whole({ input: 2 }), done], [1, 2]],
    ["its result", [whole(), { ...locate, type: "tool-call-result", content: 1 } as StreamChunk, done], []],
  ])("a call that begins whole is one call, also if there follows %s", async (_, chunks, inputs) => {
    const signed = await sign(chunks);
    const { parts } = reduceMessage(signed);
    const inputsOf = (all: readonly object[]) => all.map((part) => "input" in part && part.input);
    expect(inputsOf(signed.filter(({ type }) => type === "tool-call-ready"))).toEqual(inputs);
    expect(inputsOf(parts)).toEqual(inputsOf(reduceMessage(chunks).parts));
    expect(signed.at(-1)).toEqual(done);
  });

  test("a call that has its token, or its result, gets no other one at the end", async () => {
    const done: StreamChunk = { type: "done", finishReason: "tool-calls", pendingToolCallIds: ["c1", "c2"] };
    const result: StreamChunk = { type: "tool-call-result", toolCallId: "c1", tool: "pay", content: 1 };
    expect(await sign([clientCall, ready, result, done])).toHaveLength(4);
  });
});

test.each([
  ["without a token gets one", undefined, ["tool-call-ready", "done"]],
  ["with a token gets no other", "signed", ["done"]],
])("a call of the continued message that still waits, %s", async (_, resumeToken, types) => {
  const part = { toolCallId: "c2", tool: "locate", state: "awaiting-client", input: null, resumeToken };
  const message = { status: "done" as const, parts: [call(part) as never] };
  const done: StreamChunk = { type: "done", finishReason: "tool-calls", pendingToolCallIds: ["c2"] };
  expect((await sign([done], { message })).map(({ type }) => type)).toEqual(types);
});

describe("the signed stream", () => {
  test("everything else stays as it is, and invalid chunks are refused as ever", async () => {
    const chunks: StreamChunk[] = [{ type: "text-delta", delta: "Hi" }, { type: "done" }];
    expect(await sign(chunks)).toEqual(chunks);
    for (const wrong of [null, 5, undefined, { type: "interrupt" }, { ...clientCall, input: 5n }]) {
      await expect(sign([wrong as never])).rejects.toThrow();
    }
  });

  test("leaving it reaches a source that waits at once", async () => {
    let isLeft = false;
    const source = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise<never>(() => {}),
        return: async () => {
          isLeft = true;
          return { done: true as const, value: undefined };
        },
      }),
    };
    const signed = signResumeTokens(source, { secret }) as AsyncIterable<StreamChunk>;
    const iterator = signed[Symbol.asyncIterator]();
    void iterator.next();
    void iterator.return!();
    expect(isLeft).toBe(true);
  });

  test.each([
    ["a promise", async () => signResumeTokens(Promise.resolve([clientCall]), { secret, ...ann })],
    ["a function", async () => signResumeTokens(() => [clientCall], { secret, ...ann })],
    ["an async function", async () => signResumeTokens(async () => [clientCall], { secret, ...ann })],
  ])("the source may be %s", async (_, open) => {
    expect(await collectStream(await open())).toMatchObject([
      { resumeToken: expect.stringMatching(/^v1\./) },
    ]);
  });
});

test.each([["short"], [""], [undefined], [null], [[]], [["x".repeat(32), "short"]], [5]])(
  "%o is no secret, and the error does not quote it",
  async (wrong) => {
    const message = /^secret must be a string of at least 32 characters, or an array of such strings; got /;
    expect(() => signResumeTokens([], { secret: wrong as string })).toThrow(message);
    await expect(verifyResumeTokens(bodyOf({}), { secret: wrong as string })).rejects.toThrow(message);
    expect(() => signResumeTokens([], { secret: wrong as string })).not.toThrow(/short"|x{4}/);
  },
);

function answerMessage(token: string) {
  const resume = { token, requestId: "q1", selected: ["approve"], note: "kept" };
  return { role: "user" as const, content: "Yes", metadata: { resume, other: 1 } };
}
