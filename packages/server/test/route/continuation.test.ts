import type { AssistantUIMessage, StreamChunk } from "@kortyx/protocol";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { ChatFinish, ChatRouteOptions } from "../../src/route/chat-route.ts";
import { withoutAnswered } from "../../src/route/continuation.ts";
import { createChatRoute } from "../../src/route/create-chat-route.ts";
import type { RunFinish, RunStart } from "../../src/runs/run-options.ts";
import { createMemoryRunStore } from "../../src/stores/memory-run-store.ts";
import {
  type Agent,
  ann,
  bob,
  eventsOf,
  log,
  pause,
  post,
  watchRuns,
  withoutComments,
} from "./chat-runs-harness.ts";

watchRuns();
afterEach(() => {
  Reflect.deleteProperty(globalThis, Symbol.for("@kortyx/server/saves"));
});

const goesOn: Agent = async function* () {
  yield { type: "tool-call-result", toolCallId: "c1", tool: "pay", content: "paid" };
  yield { type: "text-delta", delta: "Done." };
};
const call = { type: "tool-call", toolCallId: "c1", tool: "pay", state: "running", inputText: "", input: 5 };
const stored = {
  id: "m1",
  role: "assistant",
  status: "done",
  finishReason: "interrupt",
  parts: [call],
} as unknown as AssistantUIMessage;

type Finish = ChatFinish | RunFinish;

/** A route that reports how its answers end. */
function continuingRoute(
  hasRuns: boolean,
  options: Partial<ChatRouteOptions> = {},
  agent: Agent = goesOn,
  onStart?: (start: RunStart) => void,
) {
  const finishes: Finish[] = [];
  const onFinish = (finish: Finish) => void finishes.push(finish);
  const { POST } = createChatRoute({
    agent: { streamChat: (_, given) => agent(given) },
    authorize: (request) => request.headers.get("x-user"),
    ...(hasRuns ? { runs: { store: createMemoryRunStore(), onStart, onFinish } } : { onFinish }),
    ...options,
  });
  const ask = async (body: object) => {
    const response = await POST(post({ sessionId: "s", ...body }));
    const text = withoutComments(await response.text());
    return {
      response,
      text,
      chunks: eventsOf(text).map(({ data }) => data === "[DONE]" || JSON.parse(data)),
    };
  };
  const finish = () => vi.waitFor(() => finishes[0] ?? expect.fail("not finished"), { interval: 2 });
  return { ask, finish, finishes };
}

const result = { toolCallId: "c1", tool: "pay", content: 1 };
const answer = { requestId: "q1", resumeToken: "t", answer: "yes" };
const modes: [string, boolean][] = [
  ["without runs", false],
  ["with runs", true],
];

test.each(modes)("%s, the stream names the message, and ends with a terminal", async (_, hasRuns) => {
  const { ask } = continuingRoute(hasRuns);
  const { chunks } = await ask({ trigger: "continue", messageId: "m1" });
  expect(chunks[0]).toMatchObject({
    type: "run-start",
    continues: "m1",
    sessionId: "s",
    runId: expect.any(String),
  });
  expect(chunks[0].input).toBeUndefined();
  expect(chunks.slice(-3)).toEqual([{ type: "text-delta", delta: "Done." }, { type: "done" }, true]);
});

test.each<[string, boolean, object]>([
  ["results of the client's tools", true, { messageId: "m1", toolResults: [result] }],
  ["answers", true, { messageId: "m1", resumes: [answer] }],
  [
    "another answer to the question",
    false,
    { messageId: "m1", trigger: "regenerate", toolResults: [result] },
  ],
  ["a new message", false, { messageId: "m1", trigger: "send", resumes: [answer] }],
  ["results without a message", false, { toolResults: [result] }],
  ["the rest of no message", false, { trigger: "continue" }],
])("whether a request with %s continues a message: %s", async (_, continues, body) => {
  const { ask, finish } = continuingRoute(false);
  const { chunks } = await ask(body);
  expect(chunks[0].continues).toBe(continues ? "m1" : undefined);
  expect(chunks[0].type).toBe(continues ? "run-start" : "tool-call-result");
  expect((await finish()).message!.id === "m1").toBe(continues);
  expect((await finish()).input).toEqual(continues ? undefined : { role: "user", content: "Hi" });
});

test.each<[trigger: string, object]>([
  ["send", {}],
  ["send", { trigger: "send", messageId: "m1", resumes: [answer] }],
  ["regenerate", { trigger: "regenerate", messageId: "m1" }],
  ["continue", { trigger: "continue", messageId: "m1" }],
  ["continue", { messageId: "m1", toolResults: [result] }],
])("onStart and onFinish receive the trigger %s of a request with %o", async (trigger, body) => {
  const { messageId } = { messageId: undefined, ...body };
  const started: RunStart[] = [];
  for (const hasRuns of [true, false]) {
    const { ask, finish, finishes } = continuingRoute(hasRuns, {}, goesOn, (start) => started.push(start));
    await ask(body);
    await finish();
    for (const report of [...finishes, ...started]) expect(report).toMatchObject({ trigger, messageId });
  }
  expect(started).toHaveLength(1);
});

test.each(modes)("%s, onFinish receives the stored message with what was added", async (_, hasRuns) => {
  const loadMessage = vi.fn(async () => stored);
  const { ask, finish } = continuingRoute(hasRuns, { loadMessage });
  await ask({ trigger: "continue", messageId: "m1" });
  expect((await finish()).message).toMatchObject({
    id: "m1",
    status: "done",
    parts: [
      { type: "tool-call", toolCallId: "c1", state: "done", input: 5, content: "paid" },
      { type: "text", text: "Done." },
    ],
  });
  expect(loadMessage.mock.calls).toEqual([["m1", { owner: "ann", sessionId: "s" }]]);
  expect(stored.parts).toEqual([call]);
});

test.each(modes)(
  "%s, the agent receives the stored message, and never one of the client's",
  async (_, hasRuns) => {
    const given: unknown[] = [];
    const agent: Agent = (options) => {
      given.push(options.continued);
      return goesOn(options);
    };
    const { ask } = continuingRoute(hasRuns, { loadMessage: () => stored }, agent);
    await ask({ trigger: "continue", messageId: "m1" });
    await ask({ continued: "the client's" });
    expect(given).toEqual([stored, undefined]);
  },
);

test.each([
  [false, undefined],
  [true, null],
])("with runs: %s, and %s stored, onFinish receives only what was added", async (hasRuns, none) => {
  const { ask, finish } = continuingRoute(hasRuns, { loadMessage: () => none });
  const parts = [
    { ...call, state: "running", input: "the client's" },
    { type: "text", text: "Its own." },
  ];
  const messages = [{ role: "assistant", id: "m1", content: "Its own.", parts }];
  await ask({ trigger: "continue", messageId: "m1", messages });
  const { message } = await finish();
  expect(message).toMatchObject({
    id: "m1",
    parts: [{ type: "tool-call", content: "paid" }, { text: "Done." }],
  });
  expect(JSON.stringify(message)).not.toMatch(/own|client/);
});

test.each(modes)("%s, a route that loads messages names each by the id that it saves", async (_, hasRuns) => {
  const { ask, finish } = continuingRoute(hasRuns, { loadMessage: () => stored });
  const { chunks } = await ask({});
  expect(chunks[0]).toMatchObject({ type: "run-start", runId: (await finish()).message!.id });
  expect(chunks[0].continues).toBeUndefined();
});

test.each(modes)("%s, a message is loaded only for a request that continues one", async (_, hasRuns) => {
  const loadMessage = vi.fn(() => stored);
  const { ask } = continuingRoute(hasRuns, { loadMessage });
  await ask({});
  await ask({ messageId: "m1", trigger: "regenerate" });
  expect(loadMessage).not.toHaveBeenCalled();
});

describe.each(modes)("%s, a message that is being saved", (_, hasRuns) => {
  /** A route whose `onFinish` saves at a call of `save.resolve`. */
  function slowlySaving() {
    const saved = new Map<string, AssistantUIMessage>();
    const save = Promise.withResolvers<void>();
    const onFinish = async ({ message }: Finish) => {
      await save.promise;
      saved.set(message!.id, message!);
    };
    const { POST } = createChatRoute({
      agent: { streamChat: () => [{ type: "text-delta", delta: "Hi." }] },
      authorize: (request) => request.headers.get("x-user"),
      loadMessage: (id) => saved.get(id),
      ...(hasRuns ? { runs: { store: createMemoryRunStore(), onFinish } } : { onFinish }),
    });
    const ask = async (body: object, user = ann()) =>
      (await POST(post({ sessionId: "s", ...body }, user))).text();
    const begin = async () => /"runId":"([^"]+)"/.exec(await ask({}))![1]!;
    return { ask, begin, saved, save };
  }

  test("is loaded when it is saved", async () => {
    const { ask, begin, saved, save } = slowlySaving();
    const messageId = await begin();
    const continued = ask({ trigger: "continue", messageId });
    await pause(30);
    save.resolve();
    await continued;
    await vi.waitFor(() => expect(saved.get(messageId)!.parts).toHaveLength(2), { interval: 2 });
  });

  test("holds up no other owner", async () => {
    const { ask, begin, saved, save } = slowlySaving();
    const messageId = await begin();
    const startedAt = performance.now();
    await ask({ trigger: "continue", messageId }, bob());
    expect(performance.now() - startedAt).toBeLessThan(9000);
    expect(saved.size).toBe(0);
    save.resolve();
  });

  test("holds up a request for ten seconds at most", async () => {
    const { ask, begin, saved, save } = slowlySaving();
    const messageId = await begin();
    const now = performance.now();
    const clock = vi.spyOn(performance, "now").mockReturnValue(now + 10_000);
    await ask({ trigger: "continue", messageId });
    clock.mockRestore();
    expect(saved.size).toBe(0);
    save.resolve();
  });

  test("is forgotten when it is saved", async () => {
    const { begin, save } = slowlySaving();
    await begin();
    const saves = Reflect.get(globalThis, Symbol.for("@kortyx/server/saves"));
    expect(saves.size).toBe(1);
    save.resolve();
    await vi.waitFor(() => expect(saves.size).toBe(0), { interval: 2 });
  });
});

test.each(modes)(
  "%s, a message that cannot be loaded is a masked 500 before the agent is called",
  async (_, hasRuns) => {
    const agent = vi.fn(goesOn);
    for (const wrong of [
      () => {
        throw new Error("password");
      },
      () => ({ id: "u1", role: "user", content: "Hi", parts: [] }) as never,
    ]) {
      const { ask } = continuingRoute(hasRuns, { loadMessage: wrong }, agent);
      const { response, text } = await ask({ trigger: "continue", messageId: "m1" });
      expect(response.status).toBe(500);
      expect(JSON.parse(text)).toMatchObject({ code: "internal" });
      expect(text).not.toContain("password");
    }
    const errors = log.mock.calls.map(([, error]) => (error as Error).message);
    expect(errors).toEqual([
      "password",
      "The result of loadMessage must be an assistant message, null or undefined; got an object.",
    ]);
    expect(agent).not.toHaveBeenCalled();
  },
);

test("an agent that fails at once is still a 500, and a silent one ends a continued answer", async () => {
  const fails = continuingRoute(false, {}, () => {
    throw new Error("no model");
  });
  expect((await fails.ask({ trigger: "continue", messageId: "m1" })).response.status).toBe(500);
  expect(log).toHaveBeenCalledTimes(1);
  const silent = continuingRoute(false, {}, async function* (): AsyncGenerator<StreamChunk> {});
  const { chunks } = await silent.ask({ trigger: "continue", messageId: "m1" });
  expect(chunks.map((chunk) => chunk.type ?? chunk)).toEqual(["run-start", "done", true]);
});

test("a repeated request attaches to the run that continues, and no second agent is called", async () => {
  const agent = vi.fn(goesOn);
  const { ask, finishes } = continuingRoute(true, { loadMessage: () => stored }, agent);
  const body = { trigger: "continue", messageId: "m1", toolResults: [result], idempotencyKey: "k" };
  const first = await ask(body);
  expect((await ask(body)).text).toBe(first.text);
  expect((await ask({ ...body, toolResults: [] })).response.status).toBe(409);
  await vi.waitFor(() => expect(finishes).toHaveLength(1));
  expect(agent).toHaveBeenCalledTimes(1);
});

test("a buffered answer that continues a message names it, too", async () => {
  const { ask } = continuingRoute(false);
  const { text } = await ask({ trigger: "continue", messageId: "m1", stream: false });
  expect(JSON.parse(text).chunks[0]).toMatchObject({ type: "run-start", continues: "m1" });
});

test("results for one call take time linear in their number", () => {
  const message: AssistantUIMessage = {
    id: "m1",
    role: "assistant",
    status: "done",
    parts: [{ type: "tool-call", toolCallId: "c1", tool: "pay", state: "running", inputText: "", input: 5 }],
  };
  /** Processor time in milliseconds, which does not grow when other programs use the processor, too. */
  const costOf = (size: number) => {
    const results = Array.from({ length: size }, () => ({ toolCallId: "c1", tool: "pay", content: "paid" }));
    const before = process.threadCpuUsage();
    for (let count = 0; count < 80_000 / size; count++) {
      const { refusal } = withoutAnswered({ messages: [], toolResults: results }, message);
      expect(refusal?.code).toBe("already-answered");
    }
    const { user, system } = process.threadCpuUsage(before);
    return (user + system) / 1000;
  };
  costOf(8_000);
  const ratio = Math.min(...[1, 2, 3].map(() => costOf(8_000) / costOf(1_000)));
  expect(ratio).toBeLessThan(4);
});
