/** The tables of docs/ag-ui.md: each row is a run, a stream or a request. */
import type { StreamChunk } from "@kortyx/server";
import { type AGUISourceEvent, createAGUITranslator, fromAGUI, fromAGUIRequest } from "@kortyx/server/ag-ui";
import { describe, expect, test } from "vitest";
import { readTable, testTable } from "./kit/doc-tables.ts";

const page = "docs/ag-ui.md";
const ids = { threadId: "t", runId: "r" };
const started = { type: "RUN_STARTED", ...ids };
const finished = { type: "RUN_FINISHED", ...ids };

const chunkTypes = [
  "session",
  "metadata",
  "text-start",
  "text-delta",
  "text-end",
  "reasoning-start",
  "reasoning-delta",
  "reasoning-end",
  "part-metadata",
  "tool-call-start",
  "tool-call-delta",
  "tool-call-ready",
  "tool-call-error",
  "tool-call-result",
  "step-start",
  "step-end",
  "structured-data",
  "structured-data-invalidated",
  "data",
  "interrupt",
  "done",
  "abort",
];

async function* iterate(events: AGUISourceEvent[]) {
  yield* events;
}

async function read(events: AGUISourceEvent[]): Promise<string[]> {
  const types: string[] = [];
  try {
    for await (const { type } of fromAGUI(iterate(events))) types.push(type);
  } catch {
    // A row of its own.
  }
  return types;
}

/** The chunks of events in the middle of a run; those of `before` are left out. */
const inRun =
  (events: AGUISourceEvent[], before: AGUISourceEvent[] = []) =>
  async () => {
    const skipped = await read([started, ...before, finished]);
    return (await read([started, ...before, ...events, finished])).slice(skipped.length - 1, -1);
  };

const end = (event: AGUISourceEvent) => async () => (await read([started, event])).slice(2);

const call = { toolCallId: "c" };
const patch = (...operations: object[]) => [{ type: "STATE_DELTA", delta: operations }];
const snapshot = [{ type: "STATE_SNAPSHOT", snapshot: { a: 1, b: { c: 1 }, list: [], text: "a" } }];

describe("events", () => {
  testTable(page, "Events as chunks", chunkTypes, {
    "`RUN_STARTED`": async () => (await read([started])).slice(0, 2),
    "`TEXT_MESSAGE_START`, `_CONTENT`, `_END`": inRun([
      { type: "TEXT_MESSAGE_START", messageId: "m" },
      { type: "TEXT_MESSAGE_CONTENT", messageId: "m", delta: "a" },
      { type: "TEXT_MESSAGE_END", messageId: "m" },
    ]),
    "`TEXT_MESSAGE_CHUNK`": inRun([{ type: "TEXT_MESSAGE_CHUNK", messageId: "m", delta: "a" }]),
    "`REASONING_MESSAGE_START`, `_CONTENT`, `_END`": inRun([
      { type: "REASONING_MESSAGE_START", messageId: "m", role: "reasoning" },
      { type: "REASONING_MESSAGE_CONTENT", messageId: "m", delta: "a" },
      { type: "REASONING_MESSAGE_END", messageId: "m" },
    ]),
    "`REASONING_MESSAGE_CHUNK`": inRun([{ type: "REASONING_MESSAGE_CHUNK", messageId: "m", delta: "a" }]),
    "`REASONING_START`, `REASONING_END`": inRun([
      { type: "REASONING_START", messageId: "m" },
      { type: "REASONING_END", messageId: "m" },
    ]),
    "`REASONING_ENCRYPTED_VALUE`": inRun([
      { type: "REASONING_ENCRYPTED_VALUE", subtype: "message", entityId: "m", encryptedValue: "e" },
    ]),
    "`TOOL_CALL_START`, `_ARGS`, `_END`": inRun([
      { type: "TOOL_CALL_START", ...call, toolCallName: "x" },
      { type: "TOOL_CALL_ARGS", ...call, delta: "{}" },
      { type: "TOOL_CALL_END", ...call },
    ]),
    "`TOOL_CALL_CHUNK`": inRun([{ type: "TOOL_CALL_CHUNK", ...call, toolCallName: "x", delta: "{}" }]),
    "`TOOL_CALL_END` of an input that is not JSON": async () =>
      (
        await read([
          started,
          { type: "TOOL_CALL_START", ...call, toolCallName: "x" },
          { type: "TOOL_CALL_ARGS", ...call, delta: "{" },
          { type: "TOOL_CALL_END", ...call },
        ])
      ).slice(-1),
    "`TOOL_CALL_RESULT`": inRun([{ type: "TOOL_CALL_RESULT", ...call, messageId: "m", content: "a" }]),
    "`STEP_STARTED`, `STEP_FINISHED`": inRun([
      { type: "STEP_STARTED", stepName: "a" },
      { type: "STEP_FINISHED", stepName: "a" },
    ]),
    "`STATE_SNAPSHOT`": inRun(snapshot),
    "`STATE_DELTA`": inRun(
      patch(
        { op: "add", path: "/list/-", value: 1 },
        { op: "replace", path: "/text", value: "ab" },
        { op: "remove", path: "/b/c" },
      ),
      snapshot,
    ),
    "`STATE_DELTA` that removes a name of the state itself": inRun(
      patch({ op: "remove", path: "/a" }),
      snapshot,
    ),
    "`ACTIVITY_SNAPSHOT`, `ACTIVITY_DELTA`": inRun([
      { type: "ACTIVITY_SNAPSHOT", messageId: "m", activityType: "card", content: { a: 1 } },
      {
        type: "ACTIVITY_DELTA",
        messageId: "m",
        activityType: "card",
        patch: [{ op: "add", path: "/b", value: 1 }],
      },
    ]),
    "`MESSAGES_SNAPSHOT`": inRun([{ type: "MESSAGES_SNAPSHOT", messages: [] }]),
    "`SUBAGENT_STARTED`, `_FINISHED`, `_ERROR`": inRun([
      { type: "SUBAGENT_STARTED", subagentRunId: "n", name: "N" },
      { type: "SUBAGENT_FINISHED", subagentRunId: "n" },
    ]),
    "`CUSTOM`": inRun([{ type: "CUSTOM", name: "a", value: 1 }]),
    "`RAW`": inRun([{ type: "RAW", event: {} }]),
    "`RUN_FINISHED`": end(finished),
    "`RUN_FINISHED` with the outcome `interrupt`": end({
      ...finished,
      outcome: { type: "interrupt", interrupts: [{ id: "q", reason: "why" }] },
    }),
    "`RUN_FINISHED` with the outcome `cancelled`": end({ ...finished, outcome: { type: "cancelled" } }),
    "`RUN_ERROR`": end({ type: "RUN_ERROR", message: "a" }),
  });
});

const eventTypes = [
  "RUN_STARTED",
  "RUN_FINISHED",
  "RUN_ERROR",
  "STEP_STARTED",
  "STEP_FINISHED",
  "TEXT_MESSAGE_START",
  "TEXT_MESSAGE_CONTENT",
  "TEXT_MESSAGE_END",
  "REASONING_START",
  "REASONING_MESSAGE_START",
  "REASONING_MESSAGE_CONTENT",
  "REASONING_MESSAGE_END",
  "REASONING_END",
  "REASONING_ENCRYPTED_VALUE",
  "TOOL_CALL_START",
  "TOOL_CALL_ARGS",
  "TOOL_CALL_END",
  "TOOL_CALL_RESULT",
  "STATE_SNAPSHOT",
  "STATE_DELTA",
  "ACTIVITY_SNAPSHOT",
  "ACTIVITY_DELTA",
  "SUBAGENT_STARTED",
  "SUBAGENT_FINISHED",
  "SUBAGENT_ERROR",
  "CUSTOM",
];

/** The events of the last chunks, or of the end of the stream; those of `before` are left out. */
const events =
  (chunks: StreamChunk[], before: StreamChunk[] = []) =>
  () => {
    const translator = createAGUITranslator(ids);
    translator.flush();
    for (const chunk of before) translator.translate(chunk);
    return [...chunks.flatMap((chunk) => translator.translate(chunk)), ...translator.flush()].map(
      ({ type }) => type,
    );
  };

const ready: StreamChunk = { type: "tool-call-ready", ...call, tool: "x", input: {} };
const card = { type: "structured-data", streamId: "s", dataType: "card" } as const;
const question: StreamChunk = {
  type: "interrupt",
  requestId: "q",
  resumeToken: "t",
  input: { kind: "text", multiple: false },
};
const error: StreamChunk = { type: "error", message: "a" };
const subagent = (data: object): StreamChunk => ({ type: "data", name: "subagent", id: "n", data });

describe("chunks", () => {
  testTable(page, "Chunks as events", eventTypes, {
    "any, first": () =>
      createAGUITranslator(ids)
        .translate({ type: "run-start", runId: "a" })
        .map(({ type }) => type),
    "`run-start`": events([{ type: "run-start", runId: "a" }]),
    "`session` of another thread": events([{ type: "session", sessionId: "other" }]),
    "`status`, `checkpoint`, `trace`, `metadata`, `source`, `file`": events([
      { type: "status", message: "a" },
      { type: "checkpoint", id: "a", sessionId: "t", turnIndex: 0 },
      { type: "trace", traceId: "a", spanId: "b", runId: "c", rootSpanName: "d" },
      { type: "metadata", metadata: {} },
      { type: "source", id: "a" },
      { type: "file", mediaType: "image/png", url: "https://example.com/a.png" },
    ]),
    "`text-start`, `text-delta`, `text-end`": events([
      { type: "text-start" },
      { type: "text-delta", delta: "a" },
      { type: "text-end" },
    ]),
    "`message`": events([{ type: "message", content: "a" }]),
    "`reasoning-start`, `reasoning-delta`, `reasoning-end`": events([
      { type: "reasoning-start" },
      { type: "reasoning-delta", delta: "a" },
      { type: "reasoning-end" },
    ]),
    "`providerMetadata`, `part-metadata`": events(
      [{ type: "part-metadata", providerMetadata: { a: 1 } }],
      [{ type: "text-delta", delta: "a" }],
    ),
    "`tool-call-start`, `tool-call-delta`, `tool-call-ready`": events([
      { type: "tool-call-start", ...call, tool: "x" },
      { type: "tool-call-delta", ...call, delta: "{}" },
      ready,
    ]),
    "`tool-call-progress`": events([{ type: "tool-call-progress", ...call, tool: "x", content: 1 }], [ready]),
    "`tool-call-result`, `tool-result`": events(
      [{ type: "tool-call-result", ...call, tool: "x", content: 1 }],
      [ready],
    ),
    "`tool-call-error`, `tool-call-denied`": events(
      [{ type: "tool-call-denied", ...call, tool: "x" }],
      [ready],
    ),
    "`structured-data`": events([
      { ...card, kind: "set", path: "a", value: 1 },
      { ...card, kind: "set", path: "b", value: 1 },
    ]),
    "`structured-data` of the type `state`": events([
      { ...card, dataType: "state", kind: "set", path: "a", value: 1 },
      { ...card, dataType: "state", kind: "set", path: "b", value: 1 },
    ]),
    "`structured-data-invalidated`": events(
      [{ type: "structured-data-invalidated", streamId: "s", checkpointId: "c" }],
      [{ ...card, kind: "set", path: "a", value: 1 }],
    ),
    "`data`": events([{ type: "data", name: "a", data: 1 }]),
    "`data` named `subagent`": () => [
      ...events([subagent({ state: "running", name: "N" }), subagent({ state: "done" })])(),
      ...events([subagent({ state: "error", message: "a" })], [subagent({ state: "running", name: "N" })])(),
    ],
    "`step-start`, `step-end`": events([
      { type: "step-start", stepId: "a" },
      { type: "step-end", stepId: "a" },
    ]),
    "`transition`": events([
      { type: "transition", transitionTo: "a" },
      { type: "transition", transitionTo: "b" },
    ]),
    "`interrupt`, then `done`": events([question, { type: "done", finishReason: "interrupt" }]),
    "`interrupt` that a policy answers, `interrupt-resolved`": events([
      { ...question, isAutomatic: true },
      { type: "interrupt-resolved", requestId: "q", outcome: "answered" },
    ]),
    "`done`": events([{ type: "done", finishReason: "stop" }], [ready]),
    "`error`, and nothing after it": () => {
      const translator = createAGUITranslator(ids);
      translator.translate(error);
      return translator.end("complete").map(({ type }) => type);
    },
    "`error`, and more after it": events([{ type: "run-start", runId: "a" }], [error]),
    "`abort` of `stopped` or `cancelled`": events([{ type: "abort", reason: "stopped" }]),
    "`abort` for another reason": events([{ type: "abort", reason: "timeout" }]),
    "a stream that is cut off": () => {
      const translator = createAGUITranslator(ids);
      translator.flush();
      return translator.end("truncated").map(({ type }) => type);
    },
    "an unknown type": events([{ type: "later" } as never]),
  });
});

const base = { ...ids, messages: [], tools: [], context: [], state: {}, forwardedProps: {} };
const toBody = (fields: object) => fromAGUIRequest({ ...base, ...fields }) as Record<string, unknown>;
const asked = {
  id: "a",
  role: "assistant",
  toolCalls: [{ id: "c", function: { name: "x", arguments: "{}" } }],
};
const tools = [{ name: "x", description: "" }];

/** What each row of the third table yields, and the request that yields it. */
const requests: Record<string, [fields: object, body: object]> = {
  "`threadId`": [{}, { sessionId: "t" }],
  "`runId`": [{}, { idempotencyKey: "r" }],
  "`messages` of the user": [
    { messages: [{ id: "m", role: "user", content: "a" }] },
    { messages: [{ id: "m", role: "user", content: "a" }] },
  ],
  "`messages` of the roles `assistant`, `reasoning`, `tool`": [
    { messages: [asked, { id: "b", role: "tool", toolCallId: "c", content: "1" }] },
    { messages: [{ role: "assistant", parts: [{ toolCallId: "c", state: "done", content: "1" }] }] },
  ],
  "… `system`, `developer`": [
    { messages: [{ id: "m", role: "developer", content: "a" }] },
    { messages: [{ role: "system" }] },
  ],
  "… `activity`": [{ messages: [{ id: "m", role: "activity" }] }, { messages: [] }],
  "`resume`": [
    { resume: [{ interruptId: "q", status: "cancelled" }] },
    { resumes: [{ requestId: "q", resumeToken: "q", outcome: "cancelled" }] },
  ],
  "results at the end": [
    { messages: [asked, { id: "b", role: "tool", toolCallId: "c", content: "1" }], tools },
    { toolResults: [{ toolCallId: "c", tool: "x", content: "1" }] },
  ],
  "`tools`": [{ tools }, { tools }],
  "`state`, `context`, `forwardedProps`": [{ state: { a: 1 } }, { context: { state: { a: 1 } } }],
};

describe("requests", () => {
  const rows = readTable(page, "Requests as ours").map(({ source }) => source);
  test("every row has a request, and every request a row", () => {
    expect(Object.keys(requests)).toEqual(rows);
  });
  test.each(Object.entries(requests))("%s", (_, [fields, body]) => {
    expect(toBody(fields)).toMatchObject(body);
  });
});
