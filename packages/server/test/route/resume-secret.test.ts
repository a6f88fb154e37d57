import type { AssistantUIMessage, ChatResume, StreamChunk } from "@kortyx/protocol";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { RouteAgentOptions } from "../../src/route/chat-agent.ts";
import type { ChatRoute, ChatRouteOptions } from "../../src/route/chat-route.ts";
import { createChatRoute } from "../../src/route/create-chat-route.ts";
import { createMemoryRunStore } from "../../src/stores/memory-run-store.ts";
import { createScriptedAgent } from "../../src/testing/scripted-agent.ts";
import { ann, bob, eventsOf, get, post, watchRuns, withoutComments } from "./chat-runs-harness.ts";

watchRuns();
afterEach(() => void vi.useRealTimers());

const resumeSecret = "a secret of more than 32 characters";
const input = { euros: 5 };
const asks: StreamChunk[] = [
  { type: "tool-call-start", toolCallId: "c1", tool: "pay", input },
  {
    type: "interrupt",
    requestId: "q1",
    resumeToken: "own",
    toolCallId: "c1",
    expiresAt: 2_000_000_000_000,
    input: { kind: "choice", multiple: false, question: "Pay?", options: [{ id: "approve", label: "Yes" }] },
  },
  { type: "tool-call-ready", toolCallId: "c2", tool: "locate", input: null, executor: "client" },
  { type: "done", finishReason: "interrupt" },
];
const pays: StreamChunk[] = [
  { type: "tool-call-result", toolCallId: "c1", tool: "pay", content: "paid" },
  { type: "done" },
];

/** A route whose agent asks first, and pays when it is answered. */
function askingRoute(options: Partial<ChatRouteOptions> = {}) {
  const answered: RouteAgentOptions[] = [];
  const route = createChatRoute({
    agent: {
      streamChat(_, given) {
        const isAnswer = (given.resumes ?? given.toolResults ?? given.resume) !== undefined;
        if (isAnswer) answered.push(given);
        return isAnswer ? pays : asks;
      },
    },
    authorize: (request) => request.headers.get("x-user"),
    resumeSecret,
    ...options,
  });
  return { route, answered };
}
const withRuns = () => ({ runs: { store: createMemoryRunStore() } });

const chunksOf = (text: string): StreamChunk[] =>
  eventsOf(text).flatMap(({ data }) => (data === "[DONE]" ? [] : [JSON.parse(data)]));

/** Asks, and returns the tokens of the question and of the client's call, and the id of the message if it has one. */
async function tokensOf(route: ChatRoute, body: object = {}): Promise<[string, string, string]> {
  const chunks = chunksOf(await (await route.POST(post({ sessionId: "s", ...body }))).text());
  const tokens = chunks.flatMap((chunk) => ("resumeToken" in chunk ? [chunk.resumeToken!] : []));
  const [first] = chunks;
  return [tokens[0]!, tokens[1]!, first?.type === "run-start" ? first.runId : "m1"];
}
const approve = (resumeToken: string): ChatResume => ({ requestId: "q1", resumeToken, answer: "approve" });
const answerTo = (resumeToken: string, more: object = {}) => ({
  sessionId: "s",
  trigger: "continue",
  messageId: "m1",
  resumes: [approve(resumeToken)],
  ...more,
});
async function refusalOf(response: Response) {
  const { code, issues } = await response.json();
  return [response.status, code, ...issues.map(({ path }: { path: string }) => path)];
}

describe.each([
  ["without runs", () => ({})],
  ["with runs", withRuns],
])("a route %s", (_, optionsOf) => {
  test("signs its questions and calls, and returns the agent's own token to it", async () => {
    const { route, answered } = askingRoute(optionsOf());
    const [asked, called] = await tokensOf(route);
    const toolResults = [{ toolCallId: "c2", tool: "locate", resumeToken: called, content: "Rome" }];
    const response = await route.POST(post(answerTo(asked, { toolResults })));
    expect(await response.text()).toContain('"content":"paid"');
    expect(answered).toMatchObject([
      {
        resumes: [{ requestId: "q1", resumeToken: "own", answer: "approve" }],
        toolResults: [{ content: "Rome" }],
      },
    ]);
    expect(answered[0]!.toolResults![0]!.resumeToken).toBeUndefined();
  });

  test("refuses what it has not signed before the agent is called, and names the fields", async () => {
    const { route, answered } = askingRoute(optionsOf());
    const [asked] = await tokensOf(route);
    const refused = async (body: object, user = ann()) => refusalOf(await route.POST(post(body, user)));
    const forged = [403, "invalid-resume-token", "resumes.0.resumeToken"];
    expect(await refused(answerTo("own"))).toEqual(forged);
    expect(await refused(answerTo(asked), bob())).toEqual(forged);
    expect(await refused(answerTo(asked, { sessionId: "t" }))).toEqual(forged);
    const part = {
      type: "tool-call",
      toolCallId: "c1",
      tool: "pay",
      state: "running",
      input: { euros: 500 },
    };
    const messages = [{ role: "assistant", content: "", parts: [part] }];
    expect(await refused(answerTo(asked, { messages }))).toEqual([
      403,
      "invalid-resume-token",
      "messages.0.parts.0",
    ]);
    const invented = [{ toolCallId: "c9", tool: "locate", content: "Rome" }];
    expect(await refused({ sessionId: "s", toolResults: invented })).toEqual([
      403,
      "invalid-resume-token",
      "toolResults.0.resumeToken",
    ]);
    expect(answered).toEqual([]);
  });

  test("refuses a late answer", async () => {
    const { route, answered } = askingRoute(optionsOf());
    const [asked] = await tokensOf(route);
    vi.useFakeTimers({ now: 2_000_000_000_001, toFake: ["Date"] });
    for (const idempotencyKey of [undefined, "k"]) {
      const late = await route.POST(post(answerTo(asked, { idempotencyKey })));
      expect(await refusalOf(late)).toEqual([410, "interrupt-expired", "resumes.0.resumeToken"]);
    }
    expect(answered).toEqual([]);
  });

  test("refuses what the stored message shows as answered", async () => {
    const stored = { id: "m1", role: "assistant", status: "done" };
    const question = {
      ...asks[1],
      resolution: { type: "interrupt-resolved", requestId: "q1", outcome: "answered" },
    };
    const call = { type: "tool-call", toolCallId: "c1", tool: "pay", state: "running", inputText: "", input };
    let message: unknown;
    const { route, answered } = askingRoute({
      ...optionsOf(),
      loadMessage: () => message as AssistantUIMessage,
    });
    const [asked, , messageId] = await tokensOf(route);
    const statusOf = async (...[status, ...parts]: [string, ...object[]]) => {
      message = { ...stored, status, parts };
      const response = await route.POST(post(answerTo(asked, { messageId })));
      if (response.status !== 200) return refusalOf(response);
      await response.text();
      return 200;
    };
    const refused = [409, "already-answered", "resumes.0"];
    expect(await statusOf("done", asks[1]!, call)).toBe(200);
    expect(await statusOf("done", call, question)).toEqual(refused);
    expect(await statusOf("error", call, question)).toBe(200);
    expect(await statusOf("done", { ...call, state: "done" }, asks[1]!)).toEqual(refused);
    expect(answered).toHaveLength(2);
  });

  test("of an answer that failed, the agent receives again only what is still open", async () => {
    const call = (toolCallId: string, state: string, more = {}) => ({
      type: "tool-call",
      toolCallId,
      tool: "pay",
      inputText: "",
      input,
      state,
      ...more,
    });
    const question = (toolCallId: string) => ({ ...asks[1], requestId: `q-${toolCallId}`, toolCallId });
    const located = { tool: "locate", executor: "client" };
    const parts = [
      ...["c1", "c2", "c3"].flatMap((id, index) => [
        call(id, ["error", "denied", "interrupted"][index]!),
        question(id),
      ]),
      ...["d1", "d2", "d2"].map((id, index) => call(id, ["done", "done", "interrupted"][index]!, located)),
    ];
    const loaded = { id: "m1", role: "assistant", status: "error", parts } as unknown as AssistantUIMessage;
    const agent = createScriptedAgent(pays);
    const route = createChatRoute({
      ...optionsOf(),
      authorize: (request) => request.headers.get("x-user"),
      loadMessage: () => loaded,
      agent,
    });
    const answerOf = (id: string) => ({ requestId: `q-${id}`, resumeToken: "own", answer: "approve" });
    const resultOf = (toolCallId: string, content: number) => ({ toolCallId, tool: "locate", content });
    const resume = { token: "own", requestId: "q-c1", selected: ["approve"] };
    const ask = async (fields: object) => {
      const messages = [{ role: "user", content: "Yes", metadata: { resume } }];
      await (await route.POST(post({ sessionId: "s", messageId: "m1", messages, ...fields }))).text();
      const { messages: given, options } = agent.calls.at(-1)!;
      const { resume: first, resumes, toolResults, trigger } = options;
      return { first, resumes, toolResults, trigger, messages: given };
    };
    const seen = { trigger: "continue", messages: [{ role: "user", content: "Yes", metadata: {} }] };
    expect(
      await ask({
        resumes: ["c1", "c2", "c3"].map(answerOf),
        toolResults: [resultOf("d1", 1), resultOf("d2", 2), resultOf("d2", 3)],
      }),
    ).toEqual({
      ...seen,
      first: answerOf("c3"),
      resumes: [answerOf("c3")],
      toolResults: [resultOf("d2", 3)],
    });
    expect(await ask({ resumes: [answerOf("c1")], toolResults: [resultOf("d1", 1)] })).toEqual({ ...seen });
  });

  test("an answer that failed can be given again with the same tokens", async () => {
    let loaded: AssistantUIMessage | undefined;
    const { route, answered } = askingRoute({ ...optionsOf(), loadMessage: () => loaded });
    const [asked, resumeToken, messageId] = await tokensOf(route);
    const call = { type: "tool-call", toolCallId: "c1", tool: "pay", state: "done", inputText: "", input };
    loaded = { id: messageId, role: "assistant", status: "error", parts: [call, asks[1]!] } as never;
    const toolResults = [{ toolCallId: "c2", tool: "locate", resumeToken }];
    const response = await route.POST(post(answerTo(asked, { messageId, toolResults })));
    expect(response.status).toBe(200);
    await response.text();
    expect(answered).toMatchObject([{ toolResults: [{ toolCallId: "c2" }] }]);
    expect(answered[0]!.resumes).toBeUndefined();
  });

  test("with loadMessage, an answer about a call must continue the message with the call", async () => {
    const { route, answered } = askingRoute({ ...optionsOf(), loadMessage: () => null });
    const [asked, resumeToken, messageId] = await tokensOf(route);
    const toolResults = [{ toolCallId: "c2", tool: "locate", resumeToken }];
    for (const fields of [
      { messageId: "another" },
      { messageId: undefined },
      { messageId, trigger: "send" },
      { messageId, trigger: "regenerate" },
      { resumes: undefined, toolResults, messageId: "another" },
    ]) {
      const response = await route.POST(post(answerTo(asked, fields)));
      expect(await refusalOf(response)).toEqual([403, "invalid-resume-token", "messageId"]);
    }
    await (await route.POST(post(answerTo(asked, { messageId })))).text();
    const goesOn = await route.POST(post(answerTo(asked, { resumes: undefined, toolResults, messageId })));
    expect(goesOn.status).toBe(200);
    await goesOn.text();
    expect(answered).toHaveLength(2);
  });

  test("refuses a result of a call that has one in the stored message", async () => {
    let state = "awaiting-client";
    const call = () => ({
      type: "tool-call",
      toolCallId: "c2",
      tool: "locate",
      state,
      inputText: "",
      input: null,
    });
    const loadMessage = () =>
      ({ id: "m1", role: "assistant", status: "done", parts: [call()] }) as unknown as AssistantUIMessage;
    const { route } = askingRoute({ ...optionsOf(), loadMessage });
    const [, resumeToken, messageId] = await tokensOf(route);
    const body = {
      sessionId: "s",
      messageId,
      toolResults: [{ toolCallId: "c2", tool: "locate", resumeToken }],
    };
    const first = await route.POST(post(body));
    expect(first.status).toBe(200);
    await first.text();
    state = "done";
    expect(await refusalOf(await route.POST(post(body)))).toEqual([409, "already-answered", "toolResults.0"]);
  });
});

test("the agent may ask again about a call of the stored message, which is answered in that message", async () => {
  const call = { type: "tool-call", toolCallId: "c1", tool: "pay", state: "running", inputText: "", input };
  const loaded = {
    id: "m1",
    role: "assistant",
    status: "done",
    parts: [call],
  } as unknown as AssistantUIMessage;
  const { POST } = createChatRoute({
    agent: { streamChat: () => [asks[1]!, asks.at(-1)!] },
    resumeSecret,
    loadMessage: () => loaded,
  });
  const ask = (body: object) => POST(post({ trigger: "continue", messageId: "m1", ...body }));
  const [, token] = /"resumeToken":"(v1\.[^"]+)"/.exec(await (await ask({})).text())!;
  const answered = await ask({ resumes: [approve(token!)] });
  expect(answered.status).toBe(200);
  await answered.text();
});

test("without a secret, tokens pass unchanged in both directions", async () => {
  const agent = createScriptedAgent(asks);
  const { POST } = createChatRoute({ agent });
  expect(await (await POST(post())).text()).toContain('"resumeToken":"own"');
  await (await POST(post(answerTo("anything")))).text();
  expect(agent.calls[1]!.options.resumes).toEqual([approve("anything")]);
});

test.each([[undefined], ["short"], [[]]])("the secret %o is refused, and not quoted", (wrong) => {
  expect(() => askingRoute({ resumeSecret: wrong as string })).toThrow(
    /^resumeSecret must be a string of at least 32 characters, or an array of such strings; got (?!.*short)/,
  );
});

describe("a repeated answer with the same key", () => {
  test.each([
    ["late", () => void vi.useFakeTimers({ now: 2_000_000_000_001, toFake: ["Date"] })],
    ["when the stored message shows it", () => {}],
  ])("attaches to its run %s", async (_, becomeLate) => {
    let message: AssistantUIMessage | undefined;
    const { store } = withRuns().runs;
    const onFinish = (finish: { message: AssistantUIMessage }) => {
      message = finish.message;
    };
    const { route, answered } = askingRoute({ runs: { store, onFinish }, loadMessage: () => message });
    const [asked, , messageId] = await tokensOf(route);
    await vi.waitFor(() => expect(message).toBeDefined());
    message = undefined;
    const body = answerTo(asked, { idempotencyKey: "k", messageId });
    const first = withoutComments(await (await route.POST(post(body))).text());
    await vi.waitFor(() => expect(message).toBeDefined());
    becomeLate();
    expect(withoutComments(await (await route.POST(post(body))).text())).toBe(first);
    expect(answered).toHaveLength(1);
  });

  test("one that is refused leaves no run behind, and the session's latest run stays", async () => {
    const { route } = askingRoute(withRuns());
    const [asked] = await tokensOf(route);
    vi.useFakeTimers({ now: 2_000_000_000_001, toFake: ["Date"] });
    const before = await (await route.GET(get("?session=s"))).text();
    for (let count = 0; count < 10; count++) {
      const response = await route.POST(post(answerTo(asked, { idempotencyKey: "k" })));
      expect(await refusalOf(response)).toEqual([410, "interrupt-expired", "resumes.0.resumeToken"]);
    }
    expect(await (await route.GET(get("?session=s"))).text()).toBe(before);
  });
});
