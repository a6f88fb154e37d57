import type { StreamChunk } from "@kortyx/protocol";
import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { fromAGUI } from "../../src/adapters/ag-ui.ts";
import type { AGUIOptions, AGUISource, AGUISourceEvent } from "../../src/adapters/ag-ui-events.ts";
import type { AGUIObservable } from "../../src/adapters/ag-ui-source.ts";
import type { ModelTurn } from "../../src/adapters/model-stream.ts";

const ids = { threadId: "t", runId: "r" };
const started = { type: "RUN_STARTED", ...ids };
const finished = { type: "RUN_FINISHED", ...ids };

async function* iterate(events: AGUISourceEvent[]): AsyncGenerator<AGUISourceEvent> {
  yield* events;
}

async function readAll(source: AGUISource, options?: AGUIOptions) {
  const stream = fromAGUI(source, options);
  const chunks: StreamChunk[] = [];
  let turn: ModelTurn | undefined;
  let error: unknown;
  try {
    for (;;) {
      const result = await stream.next();
      if (result.done) {
        turn = result.value;
        break;
      }
      chunks.push(result.value);
    }
  } catch (thrown) {
    error = thrown;
  }
  return { chunks, turn, error };
}

/** The chunks of a whole run, without its beginning and end. */
async function read(events: AGUISourceEvent[], options?: AGUIOptions): Promise<StreamChunk[]> {
  const { chunks, error } = await readAll(iterate([started, ...events, finished]), options);
  if (error) throw error;
  return chunks.slice(2, -1);
}

test("a run names its session and itself", async () => {
  expect((await readAll(iterate([{ ...started, parentRunId: "p" }, finished]))).chunks).toEqual([
    { type: "session", sessionId: "t" },
    { type: "metadata", metadata: { agui: { ...ids, parentRunId: "p" } } },
    { type: "done", finishReason: "stop" },
  ]);
});

test("a text keeps its id, its speaker and the metadata of its events", async () => {
  const message = { messageId: "m" };
  expect(
    await read([
      { type: "TEXT_MESSAGE_START", ...message, role: "user", name: "Ann", metadata: { a: 1 } },
      { type: "TEXT_MESSAGE_CONTENT", ...message, delta: "Hi", subagentRunId: "n" },
      { type: "TEXT_MESSAGE_CONTENT", ...message, delta: "" },
      { type: "TEXT_MESSAGE_END", ...message, metadata: { b: 2 } },
    ]),
  ).toEqual([
    {
      type: "text-start",
      segmentId: "m",
      providerMetadata: { agui: { a: 1 }, "agui-message": { role: "user", name: "Ann" } },
    },
    { type: "text-delta", segmentId: "m", delta: "Hi", node: "n" },
    { type: "text-end", segmentId: "m", providerMetadata: { agui: { b: 2 } } },
  ]);
});

test("pieces without a start and an end have both", async () => {
  const chunks = await read([
    { type: "TEXT_MESSAGE_CHUNK", messageId: "a", delta: "1" },
    { type: "TEXT_MESSAGE_CHUNK", delta: "2" },
    { type: "TEXT_MESSAGE_CHUNK", messageId: "b", delta: "3" },
    { type: "REASONING_MESSAGE_CHUNK", messageId: "c", delta: "4" },
    { type: "TOOL_CALL_CHUNK", toolCallId: "d", toolCallName: "weather", delta: '{"a":' },
    { type: "TOOL_CALL_CHUNK", delta: "1}" },
    { type: "TOOL_CALL_CHUNK" },
  ]);
  expect(chunks.map((chunk) => `${chunk.type} ${"delta" in chunk ? chunk.delta : ""}`.trim())).toEqual([
    "text-start",
    "text-delta 1",
    "text-delta 2",
    "text-end",
    "text-start",
    "text-delta 3",
    "text-end",
    "reasoning-start",
    "reasoning-delta 4",
    "reasoning-end",
    "tool-call-start",
    'tool-call-delta {"a":',
    "tool-call-delta 1}",
    "tool-call-ready",
  ]);
});

test("a value that a provider has encrypted belongs to its text, call or result", async () => {
  const encrypted = (subtype: string, entityId: string) =>
    ({ type: "REASONING_ENCRYPTED_VALUE", subtype, entityId, encryptedValue: "e" }) as const;
  const chunks = await read([
    encrypted("message", "m"),
    encrypted("tool-call", "c"),
    { type: "TOOL_CALL_RESULT", toolCallId: "c", messageId: "x", content: "" },
    encrypted("message", "x"),
  ]);
  const providerMetadata = { "agui-encrypted": { value: "e" } };
  expect(chunks.filter(({ type }) => type === "part-metadata")).toEqual([
    { type: "part-metadata", segmentId: "m", providerMetadata },
    { type: "part-metadata", toolCallId: "c", providerMetadata },
    { type: "part-metadata", toolCallId: "c", isResult: true, providerMetadata },
  ]);
});

const call = [
  { type: "TOOL_CALL_START", toolCallId: "c", toolCallName: "weather", parentMessageId: "m" },
  { type: "TOOL_CALL_ARGS", toolCallId: "c", delta: '{"city":', metadata: { a: 1 } },
  { type: "TOOL_CALL_ARGS", toolCallId: "c", delta: '"Rome"}' },
  { type: "TOOL_CALL_END", toolCallId: "c" },
];

test("a call has its whole input once, and its result the tool's name", async () => {
  const result = { type: "TOOL_CALL_RESULT", toolCallId: "c", messageId: "x", content: "21" };
  expect(await read([...call, { type: "TOOL_CALL_END", toolCallId: "c" }, result])).toEqual([
    { type: "tool-call-start", toolCallId: "c", tool: "weather", parentSegmentId: "m" },
    { type: "tool-call-delta", toolCallId: "c", delta: '{"city":' },
    { type: "tool-call-delta", toolCallId: "c", delta: '"Rome"}' },
    {
      type: "tool-call-ready",
      toolCallId: "c",
      tool: "weather",
      input: { city: "Rome" },
      providerMetadata: { agui: { a: 1 } },
    },
    {
      type: "tool-call-result",
      toolCallId: "c",
      tool: "weather",
      content: "21",
      providerMetadata: { "agui-message": { messageId: "x" } },
    },
  ]);
});

test("a result of an earlier run's call has the tool's name from the input", async () => {
  const messages = [{ role: "assistant", toolCalls: [{ id: "c", function: { name: "weather" } }] }];
  const result = { type: "TOOL_CALL_RESULT", toolCallId: "c", messageId: "x", content: "21" };
  expect(await read([result], { input: { messages } })).toMatchObject([{ tool: "weather" }]);
});

test("an input that is not JSON has failed, and waits for nothing", async () => {
  const events = [call[0]!, { type: "TOOL_CALL_ARGS", toolCallId: "c", delta: "{" }, call[3]!];
  const { chunks, turn } = await readAll(iterate([started, ...events, finished]));
  expect(chunks.at(-2)).toMatchObject({ type: "tool-call-error", code: "invalid-input", input: "{" });
  expect(turn?.toolCalls).toEqual([]);
});

test("calls without a result are pending, and those of the client's tools are marked", async () => {
  const input = { tools: [{ name: "weather" }] };
  const { chunks, turn } = await readAll(iterate([started, ...call, finished]), { input });
  expect(chunks.at(-1)).toEqual({ type: "done", finishReason: "tool-calls", pendingToolCallIds: ["c"] });
  expect(chunks.at(-2)).toMatchObject({ type: "tool-call-ready", executor: "client" });
  expect(turn).toMatchObject({
    finishReason: "tool-calls",
    toolCalls: [{ toolCallId: "c", tool: "weather", input: { city: "Rome" } }],
  });
  const named = { ...finished, outcome: { type: "success", pendingToolCallIds: ["other"] } };
  expect((await readAll(iterate([started, ...call, named]))).turn?.toolCalls).toEqual([]);
});

test("a call that has its result waits for nothing", async () => {
  const result = { type: "TOOL_CALL_RESULT", toolCallId: "c", messageId: "x", content: "21" };
  expect((await readAll(iterate([started, ...call, result, finished]))).turn).toMatchObject({
    finishReason: "stop",
    toolCalls: [],
  });
});

test("steps of the same name are told apart, also those of subagents", async () => {
  const step = (type: string, more: object = {}) => ({ type, stepName: "s", ...more });
  const chunks = await read([
    step("STEP_STARTED"),
    step("STEP_STARTED", { subagentRunId: "n" }),
    step("STEP_FINISHED"),
    step("STEP_FINISHED", { subagentRunId: "n" }),
    step("STEP_STARTED"),
    step("STEP_FINISHED", { stepName: "unknown" }),
  ]);
  expect(chunks.map((chunk) => `${chunk.type} ${(chunk as { stepId: string }).stepId}`)).toEqual([
    "step-start s:0",
    "step-start s:1",
    "step-end s:0",
    "step-end s:1",
    "step-start s:2",
  ]);
});

test("the state begins with that of the input, and a wrong patch is thrown", async () => {
  const delta = (path: string) => ({ type: "STATE_DELTA", delta: [{ op: "add", path, value: 2 }] });
  expect(await read([delta("/b")], { input: { state: { a: 1 } } })).toMatchObject([
    { type: "structured-data", streamId: "state", dataType: "state", kind: "set", path: "a", value: 1 },
    { path: "b", value: 2 },
  ]);
  await expect(read([delta("/x/y")])).rejects.toMatchObject({ code: "invalid-structured-data" });
});

test("an activity is an object of its type, and one that must not be replaced is kept", async () => {
  const activity = { messageId: "m", activityType: "card" };
  const chunks = await read([
    { type: "ACTIVITY_SNAPSHOT", ...activity, content: { a: 1 } },
    { type: "ACTIVITY_SNAPSHOT", ...activity, content: { a: 2 }, replace: false },
    { type: "ACTIVITY_DELTA", ...activity, patch: [{ op: "add", path: "/b", value: 3 }] },
  ]);
  const card = { type: "structured-data", streamId: "m", dataType: "card", kind: "set" };
  expect(chunks).toEqual([
    { ...card, path: "a", value: 1 },
    { ...card, path: "b", value: 3 },
  ]);
});

test("a subagent is data that its later events replace", async () => {
  const chunks = await read([
    { type: "SUBAGENT_STARTED", subagentRunId: "n", name: "Researcher" },
    { type: "SUBAGENT_FINISHED", subagentRunId: "n", outcome: { type: "suspended", interruptIds: ["q"] } },
    { type: "SUBAGENT_ERROR", subagentRunId: "o", message: "Down.", code: "c" },
  ]);
  expect(chunks).toEqual([
    { type: "data", name: "subagent", id: "n", data: { state: "running", name: "Researcher" } },
    { type: "data", name: "subagent", id: "n", data: { state: "waiting", interruptIds: ["q"] } },
    { type: "data", name: "subagent", id: "o", data: { state: "error", message: "Down.", code: "c" } },
  ]);
});

test("questions have the input that their schema asks for", async () => {
  const responseSchemas = [
    undefined,
    { type: "string" },
    { type: "string", enum: ["yes", "no"] },
    { type: "array", items: { enum: ["a"] } },
    { type: "object" },
  ];
  const interrupts = responseSchemas.map((responseSchema, index) => ({
    id: `q${index}`,
    reason: "why",
    message: "Which?",
    expiresAt: "1970-01-01T00:00:01Z",
    responseSchema,
  }));
  const { chunks } = await readAll(
    iterate([started, { ...finished, outcome: { type: "interrupt", interrupts } }]),
  );
  const questions = chunks.filter((chunk) => chunk.type === "interrupt");
  expect(questions.map(({ input }) => input.kind)).toEqual([
    "text",
    "text",
    "choice",
    "multi-choice",
    "json",
  ]);
  expect(questions[2]).toEqual({
    type: "interrupt",
    requestId: "q2",
    resumeToken: "q2",
    reason: "why",
    expiresAt: 1000,
    input: {
      kind: "choice",
      multiple: false,
      question: "Which?",
      options: [
        { id: "yes", label: "yes" },
        { id: "no", label: "no" },
      ],
    },
    meta: { agui: { responseSchema: { type: "string", enum: ["yes", "no"] } } },
  });
  expect(chunks.at(-1)).toEqual({ type: "done", finishReason: "interrupt" });
});

test("a question about a call is an approval, unless the agent asks for something else", async () => {
  const approved = { approved: { type: "boolean" } };
  const schemas = [
    undefined,
    { type: "object", properties: approved },
    { type: "object", properties: { ...approved, editedArgs: {} } },
    { type: "object", properties: { ...approved, pin: {} } },
    { enum: ["approve", "later"] },
  ];
  const interrupts = schemas.map((responseSchema) => ({
    id: "q",
    reason: "why",
    toolCallId: "c",
    responseSchema,
  }));
  const { chunks } = await readAll(
    iterate([started, { ...finished, outcome: { type: "interrupt", interrupts } }]),
  );
  const questions = chunks.filter((chunk) => chunk.type === "interrupt");
  expect(questions.map(({ resumeToken, input }) => [resumeToken, input.kind])).toEqual([
    ["approved:q", "choice"],
    ["approved:q", "choice"],
    ["approved:q", "choice"],
    ["q", "json"],
    ["q", "choice"],
  ]);
  expect(questions[2]?.input).toMatchObject({ options: [{ id: "approve" }, { id: "deny" }, { id: "edit" }] });
});

test("the end has the result, and the tokens of all models and of each", async () => {
  const usage = [
    { provider: "p", model: "a", inputTokens: 1, outputTokens: 2 },
    { model: "b", inputTokens: 3 },
    { model: "none" },
  ];
  const { chunks } = await readAll(iterate([started, { ...finished, result: { ok: true }, usage }]));
  expect(chunks.at(-1)).toEqual({
    type: "done",
    finishReason: "stop",
    data: { ok: true },
    usage: { inputTokens: 4, outputTokens: 2 },
    usageByModel: usage.slice(0, 2),
  });
});

test("a cancelled run was stopped", async () => {
  const { chunks } = await readAll(iterate([started, { ...finished, outcome: { type: "cancelled" } }]));
  expect(chunks.at(-1)).toEqual({ type: "abort", reason: "stopped" });
});

test("one turn of a loop has no end of its own", async () => {
  const { chunks, turn } = await readAll(iterate([started, finished]), { terminal: false });
  expect(chunks.map(({ type }) => type)).toEqual(["session", "metadata"]);
  expect(turn?.finishReason).toBe("stop");
});

test("an error of the run is thrown, with its code", async () => {
  const { error } = await readAll(iterate([started, { type: "RUN_ERROR", message: "boom", code: "c" }]));
  expect(error).toMatchObject({ message: "boom", code: "c" });
});

test("an event of an unknown type goes to onUnknown, and nothing else", async () => {
  const onUnknown = vi.fn();
  const event = { type: "LATER", x: 1 };
  const silent = [
    { type: "RAW", event: {} },
    { type: "MESSAGES_SNAPSHOT", messages: [] },
    { type: "REASONING_START", messageId: "m" },
  ];
  expect(await read([event, ...silent], { onUnknown })).toEqual([]);
  expect(onUnknown.mock.calls).toEqual([[event]]);
});

test("a run that is cut anywhere keeps what came, and is truncated", async () => {
  const events: AGUISourceEvent[] = [
    started,
    { type: "TEXT_MESSAGE_CHUNK", messageId: "a", delta: "1" },
    ...call,
    { type: "TOOL_CALL_RESULT", toolCallId: "c", messageId: "x", content: "21" },
    { type: "STATE_SNAPSHOT", snapshot: { a: 1 } },
    finished,
  ];
  const { chunks: whole } = await readAll(iterate(events));
  await fc.assert(
    fc.asyncProperty(fc.nat(events.length - 1), async (length) => {
      const { chunks, error } = await readAll(iterate(events.slice(0, length)));
      expect(error).toMatchObject({ code: "truncated" });
      expect(whole.slice(0, chunks.length)).toEqual(chunks);
    }),
  );
});

test("an aborted signal throws its reason, though the events have ended", async () => {
  const reason = new Error("stop");
  expect((await readAll(iterate([started]), { signal: AbortSignal.abort(reason) })).error).toBe(reason);
});

/** An Observable that is emitted to by hand. */
function createObservable() {
  const unsubscribe = vi.fn();
  let observer: Parameters<AGUIObservable<AGUISourceEvent>["subscribe"]>[0] | undefined;
  const observable: AGUIObservable<AGUISourceEvent> = {
    subscribe(given) {
      observer = given;
      return { unsubscribe };
    },
  };
  return { observable, unsubscribe, observer: () => observer! };
}

test("an Observable is subscribed to at once: what it emits before it is read is kept", async () => {
  const { observable, observer } = createObservable();
  const chunks = fromAGUI(observable);
  observer().next({ type: "RUN_STARTED", threadId: "t1", runId: "r1" });
  observer().next({ type: "TEXT_MESSAGE_CHUNK", messageId: "m1", delta: "Early" });
  observer().next({ type: "RUN_FINISHED", threadId: "t1", runId: "r1" });
  observer().complete();
  const read: StreamChunk[] = [];
  for await (const chunk of chunks) read.push(chunk);
  expect(read).toContainEqual(expect.objectContaining({ type: "text-delta", delta: "Early" }));
  expect(read.at(-1)).toMatchObject({ type: "done" });
});

test("an aborted signal unsubscribes from an Observable that is not read", () => {
  const { observable, unsubscribe } = createObservable();
  const controller = new AbortController();
  fromAGUI(observable, { signal: controller.signal });
  controller.abort();
  expect(unsubscribe).toHaveBeenCalledOnce();
});

test("an Observable is unsubscribed from at the end", async () => {
  const { observable, unsubscribe, observer } = createObservable();
  const reading = readAll(observable);
  await vi.waitFor(() => expect(observer()).toBeDefined());
  for (const event of [started, finished]) observer().next(event);
  expect((await reading).chunks.at(-1)).toMatchObject({ type: "done" });
  expect(unsubscribe).toHaveBeenCalledOnce();
});

test("an Observable that fails or completes ends the run", async () => {
  const failing = createObservable();
  const reading = readAll(failing.observable);
  await vi.waitFor(() => expect(failing.observer()).toBeDefined());
  failing.observer().next(started);
  failing.observer().error(new Error("down"));
  expect(await reading).toMatchObject({ chunks: [{ type: "session" }, {}], error: { message: "down" } });
  const early = createObservable();
  const second = readAll(early.observable);
  await vi.waitFor(() => expect(early.observer()).toBeDefined());
  early.observer().complete();
  expect(await second).toMatchObject({ error: { code: "truncated" } });
});

test("an aborted signal unsubscribes, though no event comes", async () => {
  const { observable, unsubscribe, observer } = createObservable();
  const leave = new AbortController();
  const removed = vi.spyOn(leave.signal, "removeEventListener");
  const reading = readAll(observable, { signal: leave.signal });
  await vi.waitFor(() => expect(observer()).toBeDefined());
  leave.abort(new Error("stop"));
  expect(await reading).toMatchObject({ error: { message: "stop" } });
  expect(unsubscribe).toHaveBeenCalledOnce();
  expect(removed).toHaveBeenCalledWith("abort", expect.any(Function));
});

const respond = (body: string, init?: ResponseInit) => new Response(body, init);

test("a response is read as its events, and one that is no stream is an error", async () => {
  const frames = [started, finished]
    .map((event) => `data: ${JSON.stringify(event)}\n\n`)
    .join(": comment\n\n");
  expect((await readAll(Promise.resolve(respond(frames)))).chunks.at(-1)).toMatchObject({ type: "done" });
  expect((await readAll(respond("No.", { status: 401 }))).error).toMatchObject({
    message: "The AG-UI agent answered 401: No.",
    status: 401,
  });
  expect((await readAll(respond("data: {\n\n"))).error).toMatchObject({ code: "invalid-json" });
});
