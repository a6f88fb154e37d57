import type { AgentSubscriber, BaseEvent } from "@ag-ui/client";
import { createAGUITranslator } from "@kortyx/protocol/ag-ui";
import { type AGUISourceEvent, fromAGUI } from "@kortyx/server/ag-ui";
import { expect, test } from "vitest";
import { isInstalled } from "../install.ts";

const { HttpAgent } = isInstalled() ? await import("@ag-ui/client") : ({} as never);

const ids = { threadId: "t", runId: "r" };
const started = { type: "RUN_STARTED", ...ids };
const finished = { type: "RUN_FINISHED", ...ids };

/** What a page has of a run: everything that the client folds and hands to its subscribers. */
async function fold(events: object[]) {
  const frames = events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("");
  const response = new Response(frames, { headers: { "content-type": "text/event-stream" } });
  const agent = new HttpAgent({ url: "http://127.0.0.1/", threadId: "t", fetch: async () => response });
  agent.state = { before: true };
  const seen: unknown[] = [];
  const see = ({ event }: { event: BaseEvent }) => {
    const { type, stepName, name, value, subagentRunId, result, message, outcome, usage } = event;
    // The run's ids, for readers of ours.
    if (name === "metadata") return;
    seen.push({ type, stepName, name, value, subagentRunId, result, message, outcome, usage });
  };
  const subscriber: AgentSubscriber = {
    onStepStartedEvent: see,
    onStepFinishedEvent: see,
    onCustomEvent: see,
    onSubagentStartedEvent: see,
    onSubagentFinishedEvent: see,
    onSubagentErrorEvent: see,
    onRunFinishedEvent: see,
  };
  const { result } = await agent.runAgent({ runId: "r" }, subscriber);
  return { messages: agent.messages, state: agent.state, interrupts: agent.pendingInterrupts, result, seen };
}

async function there(events: AGUISourceEvent[]) {
  const translator = createAGUITranslator(ids);
  const sent: object[] = [];
  const run = (async function* () {
    yield* events;
  })();
  for await (const chunk of fromAGUI(run, { input: { state: { before: true } } }))
    sent.push(...translator.translate(chunk));
  return [...sent, ...translator.end("complete")];
}

const metadata = { a: { b: 1 } };
const patch = (...operations: object[]) => operations;

const runs: Record<string, AGUISourceEvent[]> = {
  "texts of every role, in parallel, with metadata": [
    { type: "TEXT_MESSAGE_START", messageId: "1", role: "assistant", metadata },
    { type: "TEXT_MESSAGE_START", messageId: "2", role: "user", name: "Ann" },
    { type: "TEXT_MESSAGE_CONTENT", messageId: "1", delta: "a", metadata: { c: 1 } },
    { type: "TEXT_MESSAGE_CONTENT", messageId: "2", delta: "b" },
    { type: "TEXT_MESSAGE_END", messageId: "2" },
    { type: "TEXT_MESSAGE_CONTENT", messageId: "1", delta: "c" },
    { type: "TEXT_MESSAGE_END", messageId: "1", metadata: { a: 2 } },
    { type: "TEXT_MESSAGE_START", messageId: "3" },
    { type: "TEXT_MESSAGE_END", messageId: "3" },
    { type: "TEXT_MESSAGE_CHUNK", messageId: "4", role: "assistant", delta: "d" },
    { type: "TEXT_MESSAGE_CHUNK", delta: "e" },
  ],
  "reasoning with an encrypted value": [
    { type: "REASONING_START", messageId: "1" },
    { type: "REASONING_MESSAGE_START", messageId: "1", role: "reasoning", metadata },
    { type: "REASONING_MESSAGE_CONTENT", messageId: "1", delta: "a" },
    { type: "REASONING_MESSAGE_END", messageId: "1" },
    { type: "REASONING_END", messageId: "1" },
    { type: "REASONING_ENCRYPTED_VALUE", subtype: "message", entityId: "1", encryptedValue: "e" },
    { type: "REASONING_MESSAGE_CHUNK", messageId: "2", delta: "b" },
  ],
  "calls with and without a parent, results of text and parts": [
    { type: "TEXT_MESSAGE_CHUNK", messageId: "m", delta: "a" },
    { type: "TOOL_CALL_START", toolCallId: "1", toolCallName: "x", parentMessageId: "m", metadata },
    { type: "TOOL_CALL_ARGS", toolCallId: "1", delta: '{"a":' },
    { type: "TOOL_CALL_ARGS", toolCallId: "1", delta: "1}", metadata: { c: 1 } },
    { type: "TOOL_CALL_END", toolCallId: "1" },
    { type: "REASONING_ENCRYPTED_VALUE", subtype: "tool-call", entityId: "1", encryptedValue: "e" },
    { type: "TOOL_CALL_CHUNK", toolCallId: "2", toolCallName: "y", delta: "{}" },
    { type: "TOOL_CALL_RESULT", messageId: "r1", toolCallId: "1", content: "text", metadata },
    { type: "TOOL_CALL_RESULT", messageId: "r2", toolCallId: "2", content: [{ type: "text", text: "part" }] },
    { type: "REASONING_ENCRYPTED_VALUE", subtype: "message", entityId: "r1", encryptedValue: "f" },
    { type: "TOOL_CALL_START", toolCallId: "3", toolCallName: "x", parentMessageId: "n" },
    { type: "TOOL_CALL_ARGS", toolCallId: "3", delta: "{}" },
    { type: "TOOL_CALL_END", toolCallId: "3" },
  ],
  "a state with every operation": [
    { type: "STATE_DELTA", delta: patch({ op: "add", path: "/list", value: [1] }) },
    { type: "STATE_SNAPSHOT", snapshot: { list: [1], "a.b": 1, text: "a", o: { x: 1 } } },
    {
      type: "STATE_DELTA",
      delta: patch(
        { op: "add", path: "/list/-", value: 2 },
        { op: "add", path: "/list/0", value: 0 },
        { op: "replace", path: "/text", value: "ab" },
        { op: "move", from: "/o/x", path: "/o/y" },
        { op: "copy", from: "/list", path: "/copy" },
        { op: "test", path: "/a.b", value: 1 },
        { op: "remove", path: "/a.b" },
      ),
    },
    {
      type: "STATE_DELTA",
      delta: patch({ op: "remove", path: "/list/1" }, { op: "add", path: "/~0/1".slice(0, 3), value: 1 }),
    },
  ],
  "a state that is a list": [
    { type: "STATE_SNAPSHOT", snapshot: [1] },
    { type: "STATE_DELTA", delta: patch({ op: "add", path: "/-", value: 2 }) },
  ],
  activities: [
    { type: "ACTIVITY_SNAPSHOT", messageId: "1", activityType: "card", content: {} },
    {
      type: "ACTIVITY_DELTA",
      messageId: "1",
      activityType: "card",
      patch: patch({ op: "add", path: "/a", value: [1] }),
    },
    {
      type: "ACTIVITY_DELTA",
      messageId: "1",
      activityType: "card",
      patch: patch({ op: "add", path: "/a/-", value: 2 }),
    },
    { type: "ACTIVITY_SNAPSHOT", messageId: "1", activityType: "card", content: { b: 1 }, replace: false },
    { type: "ACTIVITY_SNAPSHOT", messageId: "2", activityType: "plan", content: { steps: ["x"] } },
    { type: "ACTIVITY_SNAPSHOT", messageId: "2", activityType: "plan", content: { done: true } },
  ],
  "steps and subagents": [
    { type: "STEP_STARTED", stepName: "a" },
    { type: "SUBAGENT_STARTED", subagentRunId: "n", name: "N", description: "d" },
    { type: "STEP_STARTED", stepName: "a", subagentRunId: "n" },
    { type: "TEXT_MESSAGE_CHUNK", messageId: "1", delta: "x", subagentRunId: "n" },
    { type: "TOOL_CALL_CHUNK", toolCallId: "c", toolCallName: "x", delta: "{}", subagentRunId: "n" },
    { type: "TOOL_CALL_RESULT", messageId: "r", toolCallId: "c", content: "x", subagentRunId: "n" },
    { type: "STEP_FINISHED", stepName: "a", subagentRunId: "n" },
    { type: "SUBAGENT_FINISHED", subagentRunId: "n", result: 1, outcome: { type: "success" } },
    { type: "SUBAGENT_STARTED", subagentRunId: "o", name: "O", parentSubagentRunId: "n" },
    { type: "SUBAGENT_ERROR", subagentRunId: "o", message: "Down.", code: "c" },
    { type: "STEP_FINISHED", stepName: "a" },
    { type: "STEP_STARTED", stepName: "a" },
    { type: "STEP_FINISHED", stepName: "a" },
  ],
  "custom events": [
    { type: "CUSTOM", name: "x", value: { a: 1 }, metadata },
    { type: "CUSTOM", name: "y", value: null },
  ],
};

const ends: Record<string, AGUISourceEvent> = {
  success: { ...finished, outcome: { type: "success" }, result: { ok: true } },
  "usage of two models": {
    ...finished,
    outcome: { type: "success" },
    usage: [
      { provider: "p", model: "a", inputTokens: 1 },
      { model: "b", outputTokens: 2, cachedInputTokens: 0 },
    ],
  },
  cancelled: { ...finished, outcome: { type: "cancelled" } },
  interrupts: {
    ...finished,
    outcome: {
      type: "interrupt",
      interrupts: [
        { id: "1", reason: "input", message: "Which?", responseSchema: { type: "object" }, metadata },
        { id: "2", reason: "tool", toolCallId: "c", expiresAt: "2100-01-01T00:00:00.000Z" },
        { id: "3", reason: "list", message: "", responseSchema: { enum: ["a", "b"] } },
      ],
    },
  },
};

const withoutEmpty = (value: unknown) =>
  JSON.parse(JSON.stringify(value, (key, inner) => (key === "message" && inner === "" ? undefined : inner)));

test.skipIf(!isInstalled()).each(Object.entries(runs))("a page shows the same of %s", async (_, events) => {
  const run = [started, ...events, ends.success!];
  const [direct, through] = [await fold(run), await fold(await there(run))];
  // The client expects results of calls that have none.
  delete (through.seen.at(-1) as { outcome?: object }).outcome;
  delete (direct.seen.at(-1) as { outcome?: object }).outcome;
  expect(through).toEqual(direct);
});

test.skipIf(!isInstalled()).each(Object.entries(ends))("a run ends the same: %s", async (_, end) => {
  const run = [started, end];
  expect(withoutEmpty(await fold(await there(run)))).toEqual(withoutEmpty(await fold(run)));
});
