import { expect, test } from "vitest";
import type { AGUIEvent } from "../src/ag-ui-events.ts";
import { type AGUITranslatorOptions, createAGUITranslator, toAGUI } from "../src/ag-ui-translator.ts";
import type { StreamChunk } from "../src/chunks.ts";
import { fc, relatedChunk } from "./related-chunks.ts";

const ids = { threadId: "t", runId: "r" };

/** The events between RUN_STARTED and the end. */
function between(chunks: StreamChunk[], options: AGUITranslatorOptions = ids): AGUIEvent[] {
  return all(chunks, options).slice(1, -1);
}

function all(
  chunks: StreamChunk[],
  options: AGUITranslatorOptions = ids,
  end: "complete" | "truncated" = "complete",
) {
  const translator = createAGUITranslator(options);
  return [...chunks.flatMap((chunk) => translator.translate(chunk)), ...translator.end(end)];
}

const last = (chunks: StreamChunk[], end: "complete" | "truncated" = "complete") =>
  all(chunks, ids, end).at(-1);

test("a stream begins with RUN_STARTED and ends with RUN_FINISHED", () => {
  expect(all([{ type: "done" }])).toEqual([
    { type: "RUN_STARTED", threadId: "t", runId: "r" },
    { type: "RUN_FINISHED", threadId: "t", runId: "r", outcome: { type: "success" } },
  ]);
});

test("without ids, a stream takes those of its first chunk", () => {
  const chunk: StreamChunk = { type: "run-start", runId: "run1", sessionId: "s1" };
  expect(all([chunk], {})[0]).toEqual({ type: "RUN_STARTED", threadId: "s1", runId: "run1" });
  expect(all([{ type: "session", sessionId: "s1" }], {})[0]).toMatchObject({ threadId: "s1", runId: "run" });
});

test("nothing follows the end", () => {
  const translator = createAGUITranslator(ids);
  translator.translate({ type: "done" });
  expect(translator.translate({ type: "text-delta", delta: "x" })).toEqual([]);
  expect(translator.flush()).toEqual([]);
  expect(translator.end("truncated")).toEqual([]);
});

test("a text begins with its first delta, and ends before the run does", () => {
  expect(between([{ type: "text-delta", delta: "Hi", segmentId: "a" }])).toEqual([
    { type: "TEXT_MESSAGE_START", messageId: "a", role: "assistant" },
    { type: "TEXT_MESSAGE_CONTENT", messageId: "a", delta: "Hi" },
    { type: "TEXT_MESSAGE_END", messageId: "a" },
  ]);
});

test("a text never has an id of a message that the client knows", () => {
  const chunks: StreamChunk[] = [
    { type: "text-delta", delta: "1", segmentId: "a" },
    { type: "text-end", segmentId: "a" },
    { type: "text-delta", delta: "2", segmentId: "a" },
    { type: "text-delta", delta: "3", segmentId: "old" },
  ];
  const options = { ...ids, messages: [{ id: "old", role: "assistant", content: "0" }, null, 5, { id: 7 }] };
  const contents = between(chunks, options).filter(({ type }) => type === "TEXT_MESSAGE_CONTENT");
  expect(contents.map((event) => (event as { messageId: string }).messageId)).toEqual(["a", "r:0", "r:1"]);
});

test("reasoning is a span with one message", () => {
  const events = between([
    { type: "reasoning-delta", delta: "Hm", segmentId: "a" },
    { type: "reasoning-end", segmentId: "a", providerMetadata: { anthropic: { signature: "s" } } },
  ]);
  expect(events.map(({ type }) => type)).toEqual([
    "REASONING_START",
    "REASONING_MESSAGE_START",
    "REASONING_MESSAGE_CONTENT",
    "REASONING_MESSAGE_END",
    "REASONING_END",
    "REASONING_ENCRYPTED_VALUE",
  ]);
  expect(events.at(-1)).toEqual({
    type: "REASONING_ENCRYPTED_VALUE",
    subtype: "message",
    entityId: "a",
    encryptedValue: '{"kortyx":{"anthropic":{"signature":"s"}}}',
  });
});

test("what a provider wants back later belongs to the newer of two texts", () => {
  const events = between([
    { type: "text-delta", delta: "1", segmentId: "a" },
    { type: "reasoning-delta", delta: "2", segmentId: "a" },
    { type: "part-metadata", segmentId: "a", providerMetadata: { "agui-encrypted": { value: "e" } } },
  ]);
  const [reasoning] = events.filter(({ type }) => type === "REASONING_START");
  expect(events.find(({ type }) => type === "REASONING_ENCRYPTED_VALUE")).toEqual({
    type: "REASONING_ENCRYPTED_VALUE",
    subtype: "message",
    entityId: (reasoning as { messageId: string }).messageId,
    encryptedValue: "e",
  });
});

const call = { toolCallId: "c", tool: "weather" };

test("a call belongs to the text before it; a result begins another turn", () => {
  const events = between([
    { type: "text-delta", delta: "Let me see.", segmentId: "a" },
    { type: "tool-call-start", ...call },
    { type: "tool-call-delta", toolCallId: "c", delta: '{"city":' },
    { type: "tool-call-delta", toolCallId: "c", delta: '"Rome"}' },
    { type: "tool-call-ready", ...call, input: { city: "Rome" } },
    { type: "tool-call-result", ...call, content: { degrees: 21 } },
    { type: "tool-call-start", ...call, toolCallId: "d", input: {} },
    { type: "done" },
  ]);
  const calls = events.filter(({ type }) => type.startsWith("TOOL"));
  expect(calls.slice(0, 7)).toEqual([
    { type: "TOOL_CALL_START", toolCallId: "c", toolCallName: "weather", parentMessageId: "a" },
    { type: "TOOL_CALL_ARGS", toolCallId: "c", delta: '{"city":' },
    { type: "TOOL_CALL_ARGS", toolCallId: "c", delta: '"Rome"}' },
    { type: "TOOL_CALL_END", toolCallId: "c" },
    {
      type: "TOOL_CALL_RESULT",
      messageId: "c:result",
      toolCallId: "c",
      role: "tool",
      content: '{"degrees":21}',
      metadata: { kortyx: { isJSON: true } },
    },
    { type: "TOOL_CALL_START", toolCallId: "d", toolCallName: "weather", parentMessageId: "d" },
    { type: "TOOL_CALL_ARGS", toolCallId: "d", delta: "{}" },
  ]);
});

test("a call whose tool is named late begins when it is", () => {
  const events = between([
    { type: "tool-call-delta", toolCallId: "c", delta: '{"a":' },
    { type: "tool-call-delta", toolCallId: "c", delta: "1}", tool: "weather" },
    { type: "tool-call-ready", ...call, input: { a: 1 } },
  ]);
  expect(events.slice(0, 3)).toMatchObject([
    { type: "TOOL_CALL_START", toolCallName: "weather" },
    { type: "TOOL_CALL_ARGS", delta: '{"a":1}' },
    { type: "TOOL_CALL_END" },
  ]);
});

test("the id of a finished call, used again, becomes a fresh one", () => {
  const events = between([
    { type: "tool-call-result", ...call, content: "1" },
    { type: "tool-call-start", ...call, input: { a: 1 } },
    { type: "tool-call-result", ...call, content: "2" },
  ]);
  const results = events.filter(({ type }) => type === "TOOL_CALL_RESULT");
  expect(results).toMatchObject([{ toolCallId: "c" }, { toolCallId: "r:0" }]);
});

test("a call of an earlier run gets its result, and does not begin again", () => {
  const toolCalls = [{ id: "c", type: "function", function: { name: "weather", arguments: '{"a":1}' } }];
  const options = { ...ids, messages: [{ id: "m", role: "assistant", toolCalls }] };
  const events = between(
    [
      { type: "tool-call-ready", ...call, input: { a: 1 } },
      { type: "tool-call-result", ...call, content: "x" },
      { type: "done" },
    ],
    options,
  );
  expect(events).toMatchObject([{ type: "TOOL_CALL_RESULT", toolCallId: "c", content: "x" }]);
});

test("a failed call has a result, marked for TanStack's client and for the next request", () => {
  expect(between([{ type: "tool-call-error", ...call, message: "Down." }]).at(-1)).toEqual({
    type: "TOOL_CALL_RESULT",
    messageId: "c:result",
    toolCallId: "c",
    role: "tool",
    content: "Down.",
    metadata: { tanstack: { state: "output-error" }, kortyx: { isError: true } },
  });
});

test("calls of the client are pending at the end, and other calls without a result are closed", () => {
  const events = all([
    { type: "tool-call-ready", ...call, input: {}, executor: "client", resumeToken: "token" },
    { type: "tool-call-ready", ...call, toolCallId: "d", input: {} },
    { type: "done", finishReason: "tool-calls" },
  ]);
  expect(events.find(({ type }) => type === "TOOL_CALL_END")).toMatchObject({ toolCallId: "c" });
  expect(events.filter(({ type }) => type === "TOOL_CALL_START")[0]).toMatchObject({
    metadata: { kortyx: { executor: "client", resumeToken: "token" } },
  });
  expect(events.at(-2)).toMatchObject({ type: "TOOL_CALL_RESULT", toolCallId: "d" });
  expect(events.at(-1)).toMatchObject({ outcome: { type: "success", pendingToolCallIds: ["c"] } });
});

test("open questions are the outcome, and their ids hold what an answer repeats", () => {
  const asked: StreamChunk = {
    type: "interrupt",
    requestId: "q",
    resumeToken: "token",
    toolCallId: "c",
    expiresAt: 0,
    input: {
      kind: "choice",
      multiple: false,
      question: "Send it?",
      options: [
        { id: "approve", label: "Yes" },
        { id: "deny", label: "No" },
      ],
    },
  };
  const ready: StreamChunk = { type: "tool-call-ready", ...call, input: {} };
  const { input } = asked;
  expect(last([ready, asked, { type: "done", finishReason: "interrupt" }])).toEqual({
    type: "RUN_FINISHED",
    threadId: "t",
    runId: "r",
    outcome: {
      type: "interrupt",
      interrupts: [
        {
          id: '["q","token","c"]',
          reason: "tool-approval",
          message: "Send it?",
          toolCallId: "c",
          responseSchema: { type: "string", enum: ["approve", "deny"] },
          expiresAt: "1970-01-01T00:00:00.000Z",
          metadata: { kortyx: { input } },
        },
      ],
    },
    metadata: { kortyx: { finishReason: "interrupt" } },
  });
  const resolved: StreamChunk = { type: "interrupt-resolved", requestId: "q", outcome: "expired" };
  expect(last([ready, asked, resolved, { type: "done" }])).toMatchObject({ outcome: { type: "success" } });
});

test("an error is the outcome if the stream ends after it, and otherwise a warning", () => {
  const error: StreamChunk = { type: "error", message: "Down.", code: "down", retryable: true };
  const failure = {
    type: "RUN_ERROR",
    message: "Down.",
    code: "down",
    metadata: { kortyx: { retryable: true } },
  };
  expect(last([error])).toEqual(failure);
  expect(last([error], "truncated")).toEqual(failure);
  expect(last([error, { type: "done" }])).toEqual(failure);
  expect(between([error, { type: "text-delta", delta: "x" }])[0]).toMatchObject({
    type: "CUSTOM",
    name: "error",
  });
  expect(between([error, { type: "done", finishReason: "stop" }])).toMatchObject([{ name: "error" }]);
});

test("a stream that is cut off fails, after everything open is closed", () => {
  expect(all([{ type: "text-delta", delta: "x" }], ids, "truncated").slice(-2)).toMatchObject([
    { type: "TEXT_MESSAGE_END" },
    { type: "RUN_ERROR", code: "truncated" },
  ]);
});

test("a stopped answer is cancelled; another abort fails", () => {
  expect(last([{ type: "abort", reason: "stopped" }])).toMatchObject({ outcome: { type: "cancelled" } });
  expect(last([{ type: "abort", reason: "timeout" }])).toMatchObject({
    type: "RUN_ERROR",
    code: "abort:timeout",
  });
});

test("steps have unique names while they are open", () => {
  const names = between([
    { type: "step-start", stepId: "1", name: "search" },
    { type: "step-start", stepId: "2", name: "search" },
    { type: "step-end", stepId: "1", finishReason: "stop" },
    { type: "transition", transitionTo: "write" },
    { type: "transition", transitionTo: "check" },
  ]).map((event) => `${event.type} ${(event as { stepName: string }).stepName}`);
  expect(names).toEqual([
    "STEP_STARTED search",
    "STEP_STARTED search (2)",
    "STEP_FINISHED search",
    "STEP_STARTED write",
    "STEP_FINISHED write",
    "STEP_STARTED check",
    "STEP_FINISHED search (2)",
    "STEP_FINISHED check",
  ]);
});

const card = { type: "structured-data", streamId: "s", dataType: "card" } as const;

test("an object is a snapshot and then patches", () => {
  const events = between([
    { ...card, kind: "set", path: "title", value: "A" },
    { ...card, kind: "set", path: "a/b.c", value: 1 },
    { ...card, kind: "append", path: "items", items: [1] },
    { ...card, kind: "append", path: "items", items: [2, 3] },
    { ...card, kind: "set", path: "title", value: "B" },
    { ...card, kind: "final", data: { title: "C" } },
  ]);
  const ofCard = { messageId: "s", activityType: "card" };
  const delta = { type: "ACTIVITY_DELTA", ...ofCard };
  expect(events).toEqual([
    { type: "ACTIVITY_SNAPSHOT", ...ofCard, content: { title: "A" } },
    { ...delta, patch: [{ op: "add", path: "/a~1b", value: { c: 1 } }] },
    { ...delta, patch: [{ op: "add", path: "/items", value: [1] }] },
    {
      ...delta,
      patch: [
        { op: "add", path: "/items/-", value: 2 },
        { op: "add", path: "/items/-", value: 3 },
      ],
    },
    { ...delta, patch: [{ op: "replace", path: "/title", value: "B" }] },
    { type: "ACTIVITY_SNAPSHOT", ...ofCard, content: { title: "C" } },
  ]);
});

test("a growing text is sent whole, at most once for each flush", () => {
  const translator = createAGUITranslator(ids);
  translator.translate({ ...card, kind: "set", path: "text", value: "" });
  const grow = () => translator.translate({ ...card, kind: "text-delta", path: "text", delta: "x" });
  expect([grow(), grow(), grow()]).toEqual([[], [], []]);
  expect(translator.flush()).toMatchObject([{ patch: [{ op: "replace", path: "/text", value: "xxx" }] }]);
  expect(translator.flush()).toEqual([]);
});

test("a long text that grows slowly is sent in all a few times its size, and whole at the end", () => {
  const translator = createAGUITranslator(ids);
  const events: object[] = [...translator.translate({ ...card, kind: "set", path: "text", value: "" })];
  const size = 100_000;
  for (let length = 0; length < size; length += 20) {
    const delta = "x".repeat(20);
    events.push(...translator.translate({ ...card, kind: "text-delta", path: "text", delta }));
    events.push(...translator.flush());
  }
  events.push(...translator.end("complete"));
  const texts = events.flatMap((event) => ("patch" in event ? (event.patch as { value: string }[]) : []));
  expect(texts.at(-1)!.value).toHaveLength(size);
  expect(JSON.stringify(events).length).toBeLessThan(20 * size);
});

test("a text that another change has replaced is not sent", () => {
  const translator = createAGUITranslator(ids);
  const send = (...chunks: StreamChunk[]) => chunks.flatMap((chunk) => translator.translate(chunk));
  const long = "x".repeat(10_000);
  send({ ...card, kind: "set", path: "a", value: { text: long } });
  send({ ...card, kind: "text-delta", path: "a.text", delta: "x" });
  expect(send({ ...card, kind: "set", path: "a", value: 1 })).toMatchObject([{ patch: [{ value: 1 }] }]);
  expect(translator.end("complete").map(({ type }) => type)).toEqual(["RUN_FINISHED"]);
});

test("a state that another one has replaced does not change it", () => {
  const translator = createAGUITranslator(ids);
  const state = (streamId: string) => ({ ...card, streamId, dataType: "state" }) as const;
  translator.translate({ ...state("one"), kind: "set", path: "text", value: "" });
  translator.translate({ ...state("one"), kind: "text-delta", path: "text", delta: "x" });
  expect(translator.translate({ ...state("two"), kind: "set", path: "b", value: 2 })).toEqual([
    { type: "STATE_SNAPSHOT", snapshot: { b: 2 } },
  ]);
  expect(translator.flush()).toEqual([]);
  expect(translator.translate({ ...state("one"), kind: "text-delta", path: "text", delta: "y" })).toEqual([
    { type: "STATE_SNAPSHOT", snapshot: { text: "xy" } },
  ]);
});

test("the object of the type state is the client's state", () => {
  const state = { ...card, dataType: "state" } as const;
  const events = between([
    { ...state, kind: "set", path: "a", value: 1 },
    { ...state, kind: "set", path: "b", value: 2 },
    { type: "structured-data-invalidated", streamId: "s", checkpointId: "c" },
  ]);
  expect(events).toEqual([
    { type: "STATE_SNAPSHOT", snapshot: { a: 1 } },
    { type: "STATE_DELTA", delta: [{ op: "add", path: "/b", value: 2 }] },
    { type: "STATE_SNAPSHOT", snapshot: {} },
  ]);
});

test("an event never changes after it was sent", () => {
  const translator = createAGUITranslator(ids);
  const [, sent] = translator.translate({ ...card, kind: "set", path: "list", value: [{ a: 1 }] });
  const before = JSON.stringify(sent);
  translator.translate({ ...card, kind: "append", path: "list", items: [2] });
  translator.translate({ ...card, kind: "set", path: "list.0.a", value: 2 });
  expect(JSON.stringify(sent)).toBe(before);
});

test("a subagent owns the chunks of its node until it ends", () => {
  const events = between([
    { type: "data", name: "subagent", id: "n", data: { state: "running", name: "Researcher" } },
    { type: "text-delta", delta: "x", node: "n" },
    { type: "data", name: "subagent", id: "n", data: { state: "done", result: 1 } },
    { type: "status", message: "y", node: "n" },
  ]);
  expect(events).toMatchObject([
    { type: "SUBAGENT_STARTED", subagentRunId: "n", name: "Researcher" },
    { type: "TEXT_MESSAGE_START", subagentRunId: "n" },
    { type: "TEXT_MESSAGE_CONTENT", subagentRunId: "n" },
    { type: "SUBAGENT_FINISHED", subagentRunId: "n", result: 1 },
    { type: "CUSTOM" },
    { type: "TEXT_MESSAGE_END", subagentRunId: "n" },
  ]);
  expect(events[4]).not.toHaveProperty("subagentRunId");
});

test("a whole stream throws what its source throws, after a RUN_ERROR", async () => {
  async function* fail(): AsyncGenerator<StreamChunk> {
    yield { type: "text-delta", delta: "x" };
    throw new Error("down");
  }
  const types: string[] = [];
  const read = async () => {
    for await (const { type } of toAGUI(fail(), ids)) types.push(type);
  };
  await expect(read()).rejects.toThrow("down");
  expect(types.at(-1)).toBe("RUN_ERROR");
});

test("a client keeps the first result of a call", () => {
  const events = between([
    { type: "tool-call-result", ...call, content: "1" },
    { type: "tool-call-result", ...call, content: "2" },
  ]);
  expect(events.filter(({ type }) => type === "TOOL_CALL_RESULT")).toMatchObject([{ content: "1" }]);
});

test("an open call of an earlier run stays open", () => {
  const toolCalls = [{ id: "c", function: { name: "weather", arguments: "{}" } }];
  const options = { ...ids, messages: [{ id: "m", role: "assistant", toolCalls }] };
  expect(between([{ type: "done", finishReason: "stop" }], options)).toEqual([]);
});

test("a call that an answer has refused gets its result at the end", () => {
  const events = between([
    { type: "tool-call-ready", ...call, input: {} },
    {
      type: "interrupt",
      requestId: "q",
      resumeToken: "t",
      toolCallId: "c",
      input: { kind: "text", multiple: false },
    },
    { type: "interrupt-resolved", requestId: "q", outcome: "answered", answer: "deny", reason: "No." },
    { type: "done" },
  ]);
  expect(events.at(-1)).toMatchObject({
    type: "TOOL_CALL_RESULT",
    content: "The call was denied: No.",
    metadata: { kortyx: { isDenied: true, reason: "No." } },
  });
});

test("what is known only at the end of a call's input is on its end, with what was sent before", () => {
  const events = between([
    { type: "tool-call-start", ...call, executor: "client" },
    { type: "tool-call-delta", toolCallId: "c", delta: "{" },
    { type: "tool-call-ready", ...call, input: { repaired: true }, resumeToken: "token" },
    { type: "done", finishReason: "tool-calls" },
  ]);
  expect(events.at(-1)).toEqual({
    type: "TOOL_CALL_END",
    toolCallId: "c",
    metadata: { kortyx: { executor: "client", resumeToken: "token", input: { repaired: true } } },
  });
});

test("a text that has grown is sent before the next change of its object", () => {
  const events = between([
    { ...card, kind: "set", path: "a~b", value: "x" },
    { ...card, kind: "text-delta", path: "a~b", delta: "y" },
    { ...card, kind: "set", path: "c", value: 1 },
  ]);
  expect(events.slice(1)).toMatchObject([
    { patch: [{ op: "replace", path: "/a~0b", value: "xy" }] },
    { patch: [{ op: "add", path: "/c" }] },
  ]);
});

test("an answer that has stopped waits for no decision about a call, and a policy's question for none at all", () => {
  const asked: StreamChunk = {
    type: "interrupt",
    requestId: "q",
    resumeToken: "t",
    input: { kind: "text", multiple: false },
  };
  const aboutCall = { ...asked, toolCallId: "c" };
  const stop: StreamChunk = { type: "done", finishReason: "stop" };
  expect(last([{ type: "tool-call-ready", ...call, input: {} }, aboutCall, stop])).toMatchObject({
    outcome: { type: "success" },
  });
  expect(last([asked, stop])).toMatchObject({ outcome: { type: "interrupt" } });
  expect(last([{ ...asked, isAutomatic: true }, { type: "done" }])).toMatchObject({
    outcome: { type: "success" },
  });
});

test("a subagent's steps end with it, and its parent is one that has begun", () => {
  const begin = (id: string, more: object = {}): StreamChunk => ({
    type: "data",
    name: "subagent",
    id,
    data: { state: "running", name: id, ...more },
  });
  const events = between([
    begin("n", { parentSubagentRunId: "unknown" }),
    begin("o", { parentSubagentRunId: "n" }),
    { type: "step-start", stepId: "s", node: "n" },
    { type: "data", name: "subagent", id: "n", data: { state: "done" } },
  ]);
  expect(events[0]).toEqual({ type: "SUBAGENT_STARTED", subagentRunId: "n", name: "n" });
  expect(events[1]).toMatchObject({ parentSubagentRunId: "n" });
  expect(events.slice(2, 5).map(({ type }) => type)).toEqual([
    "STEP_STARTED",
    "STEP_FINISHED",
    "SUBAGENT_FINISHED",
  ]);
});

test("calls of two subagents have messages of their own", () => {
  const begin = (id: string): StreamChunk => ({
    type: "data",
    name: "subagent",
    id,
    data: { state: "running", name: id },
  });
  const events = between([
    begin("n"),
    begin("o"),
    { type: "text-delta", delta: "x", segmentId: "a", node: "n" },
    { type: "tool-call-start", tool: "x", toolCallId: "c", node: "o" },
  ]);
  expect(events.find(({ type }) => type === "TOOL_CALL_START")).toMatchObject({ parentMessageId: "c" });
});

test("any chunks, cut anywhere, give one beginning and one end, after the same events", () => {
  fc.assert(
    fc.property(fc.array(relatedChunk, { maxLength: 20 }), fc.nat(20), (chunks, length) => {
      const cut = createAGUITranslator(ids);
      const whole = createAGUITranslator(ids);
      const seen = chunks.slice(0, length).flatMap((chunk) => cut.translate(chunk));
      const events = chunks.flatMap((chunk) => whole.translate(chunk));
      expect(events.slice(0, seen.length)).toEqual(seen);
      for (const one of [
        [...seen, ...cut.end("truncated")],
        [...events, ...whole.end("complete")],
      ]) {
        expect(one.filter(({ type }) => type === "RUN_STARTED")).toEqual(one.slice(0, 1));
        expect(one.filter(({ type }) => /^RUN_(FINISHED|ERROR)$/.test(type))).toEqual(one.slice(-1));
      }
    }),
  );
});
