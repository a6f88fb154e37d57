import type { StreamChunk } from "@kortyx/protocol";
import {
  type AISDKChunk,
  type AISDKTranslatorOptions,
  createAISDKTranslator,
  fromAISDKRequest,
} from "@kortyx/protocol/ai-sdk";
import { expect, test } from "vitest";
import { testTable } from "./kit/doc-tables.ts";

const page = "docs/ai-sdk.md";

/** The events of the last chunk, after those before it. The beginning of message and step is a row of its own. */
function eventsOf(chunks: unknown[], options?: AISDKTranslatorOptions): AISDKChunk[] {
  const translator = createAISDKTranslator(options);
  const events = chunks.map((chunk) => translator.translate(chunk as StreamChunk));
  return events.at(-1)!;
}

const typesOf = (events: AISDKChunk[]) => events.map(({ type }) => type as string);

const last = (...chunks: unknown[]) =>
  typesOf(eventsOf(chunks)).filter((type) => type !== "start" && type !== "start-step");

/** The events of all chunks and of the end. */
function whole(chunks: unknown[], end: "complete" | "truncated" = "complete"): AISDKChunk[] {
  const translator = createAISDKTranslator();
  const events = chunks.flatMap((chunk) => translator.translate(chunk as StreamChunk));
  return [...events, ...translator.end(end)];
}

const call = { toolCallId: "c1", tool: "search" };
const ready = { type: "tool-call-ready", ...call, input: {} };
const result = { type: "tool-call-result", ...call, content: "found" };
const text = { type: "text-delta", segmentId: "1", delta: "Hi" };
const textEnd = { type: "text-end", segmentId: "1" };
const object = { type: "structured-data", streamId: "o1", dataType: "recipe" };
const question = {
  type: "interrupt",
  requestId: "q1",
  resumeToken: "t1",
  input: { kind: "text", multiple: false, question: "Where?" },
};
const asked = { ...question, toolCallId: "c1" };
const answered = { type: "interrupt-resolved", requestId: "q1", outcome: "answered", answer: "approve" };
const file = { type: "file", mediaType: "image/png", url: "https://example.com/a.png" };
const named = (type: string) => type.replace(/^data-(recipe|weather)$/, "data-<name>");

const events = [
  "start start-step finish-step message-metadata data-status data-transition data-interrupt data-error data-file",
  "text-start text-delta text-end reasoning-start reasoning-delta reasoning-end custom finish abort error",
  "tool-input-start tool-input-delta tool-input-available tool-input-error tool-output-available tool-output-error",
  "tool-output-denied tool-approval-request tool-approval-response source-url source-document file reasoning-file",
  "data-<name> data-<dataType>",
];

testTable(page, "Chunks as the SDK reads them", events.join(" ").split(" "), {
  "any, first": () => typesOf(eventsOf([file])).filter((type) => type.startsWith("start")),
  "`run-start`": () => typesOf(eventsOf([{ type: "run-start", runId: "r1" }])),
  "`session`, `checkpoint`, `trace`": () => [
    ...last({ type: "status", message: "" }, { type: "session", sessionId: "s1" }),
    ...last({ type: "checkpoint", id: "1", sessionId: "s1", turnIndex: 0 }),
    ...last({ type: "trace", traceId: "t", spanId: "s", runId: "r", rootSpanName: "n" }),
  ],
  "`metadata`": () => last({ type: "metadata", metadata: { model: "m" } }),
  "`status`": () => last({ type: "status", message: "Searching" }),
  "`transition`": () => last({ type: "transition", transitionTo: "next" }),
  "`step-start`, `step-end`": () => [
    ...typesOf(eventsOf([text, { type: "step-start", stepId: "1" }])).filter((type) => type.endsWith("step")),
    ...last({ type: "step-start", stepId: "1" }, { type: "step-end", stepId: "1", model: "m" }),
  ],
  "no steps of the agent's": () =>
    typesOf(eventsOf([ready, result, { type: "text-delta", delta: "Found." }])).filter((type) =>
      type.endsWith("step"),
    ),
  "`message`": () => {
    const streamed = [
      { type: "text-delta", delta: "Hello" },
      { type: "message", content: "Hello" },
    ];
    expect(last(...streamed)).toEqual([]);
    return typesOf(whole([{ type: "message", content: "Hello" }])).filter((type) => type.startsWith("text"));
  },
  "`text-start`, `text-delta`, `text-end`": () =>
    typesOf(whole([{ ...textEnd, type: "text-start" }, text, textEnd])).filter((type) =>
      type.startsWith("text"),
    ),
  "`citations` of a `text-end`": () => {
    const cited = { ...textEnd, citations: [{ sourceId: "p1", start: 0, end: 2, quote: "Hi" }] };
    const source = { type: "source", id: "p1", url: "https://example.com", title: "A page" };
    const event = whole([text, cited, source]).find(({ type }) => type === "text-end");
    const page = { type: "source", sourceType: "url", id: "p1", url: "https://example.com", title: "A page" };
    expect(event).toEqual({
      type: "text-end",
      id: "1",
      citations: [{ source: page, startIndex: 0, endIndex: 2, citedText: "Hi" }],
    });
    return [event!.type];
  },
  "`reasoning-start`, `reasoning-delta`, `reasoning-end`": () =>
    typesOf(whole([{ ...text, type: "reasoning-delta" }])).filter((type) => type.startsWith("reasoning")),
  "`part-metadata` of a text": () =>
    ["text", "reasoning"].map((type) => {
      const providerMetadata = { openai: { itemId: "1" } };
      const [delta, end] = [
        { ...text, type: `${type}-delta` },
        { ...textEnd, type: `${type}-end` },
      ];
      const event = whole([delta, end, { type: "part-metadata", segmentId: "1", providerMetadata }]).find(
        (one) => one.type.endsWith("-end"),
      );
      expect(event).toMatchObject({ providerMetadata });
      return event!.type;
    }),
  "`part-metadata` of a call": () => {
    const about = { type: "part-metadata", toolCallId: "c1", providerMetadata: { openai: { itemId: "1" } } };
    return [
      ...last({ ...ready, executor: "provider" }, about),
      ...last(ready, result, { ...about, isResult: true }),
    ];
  },
  "a text that continues after a file or data": () => {
    const said = (delta: string) => ({ type: "text-delta", delta });
    return last(said("a"), file, said("b")).filter((type) => type === "text-start");
  },
  "`tool-call-start`": () => [
    ...last({ type: "tool-call-start", ...call }),
    ...last({ type: "tool-call-start", ...call, input: {} }),
  ],
  "`tool-call-delta`": () =>
    last({ type: "tool-call-start", ...call }, { type: "tool-call-delta", ...call, delta: "{" }),
  "`tool-call-ready`": () => last(ready),
  "`tool-call-progress`": () => last(ready, { type: "tool-call-progress", ...call, content: 1 }),
  "`tool-call-result`": () => last(ready, { ...result, structuredContent: { a: 1 } }),
  "`tool-call-result` with `isError`": () => last(ready, { ...result, isError: true }),
  "`tool-call-error` before the input is whole": () =>
    last({ type: "tool-call-error", ...call, message: "No.", input: "{" }),
  "`tool-call-error`": () => last(ready, { type: "tool-call-error", ...call, message: "No." }),
  "`tool-call-denied`": () => last(ready, { type: "tool-call-denied", ...call }),
  "`tool-result`": () => [
    ...last(ready, { type: "tool-result", content: 1 }),
    ...last({ type: "tool-result", tool: "search", content: 1 }),
  ],
  "a call of the continued message": () => {
    const continuedMessage = {
      id: "m1",
      parts: [{ type: "tool-call", ...call, state: "running", input: {} } as const],
    };
    const types = typesOf(eventsOf([ready, result], { continuedMessage }));
    expect(typesOf(eventsOf([ready], { continuedMessage }))).toEqual([]);
    return types.filter((type) => type !== "start");
  },
  "an id that is used again after its result": () => last(ready, result, { ...ready, input: { page: 2 } }),
  "`structured-data`": () =>
    last({ ...object, kind: "set", path: "title", value: "Pasta" }).map(() => "data-<dataType>"),
  "`structured-data-invalidated`": () => {
    const gone = { type: "structured-data-invalidated", streamId: "o1", checkpointId: "1" };
    return last({ ...object, kind: "final", data: {} }, gone).map(() => "data-<dataType>");
  },
  "`data`": () => last({ type: "data", name: "weather", data: 1 }).map(named),
  "`data` with `null`, a name with a dot and `providerMetadata`": () =>
    last({ type: "data", name: "openai.note", data: null, providerMetadata: { openai: { a: 1 } } }),
  "`interrupt` about a call": () => last(ready, asked),
  "`interrupt`, other": () => last(question),
  "`interrupt-resolved` about a call": () => [
    ...last(ready, asked, answered),
    ...last(ready, asked, { ...answered, answer: "deny" }),
  ],
  "`interrupt-resolved`, other": () => last(question, answered),
  "`source` with `url`": () => last({ type: "source", id: "1", url: "https://example.com" }),
  "`source` without": () => last({ type: "source", id: "1", name: "a.pdf" }),
  "`file`": () => [...last(file), ...last({ ...file, isReasoning: true })],
  "`file` with an `id`": () =>
    typesOf(
      whole([
        { ...file, id: "f" },
        { ...file, id: "f" },
      ]),
    ).filter((type) => type.endsWith("file")),
  "`error`, a warning": () =>
    last({ type: "error", message: "A warning" }, { type: "data", name: "a", data: 1 }).slice(0, 1),
  "`error`, the outcome": () => typesOf(whole([{ type: "error", message: "No." }])).slice(-2),
  "`abort`, `stopped` or `cancelled`": () => last({ type: "abort", reason: "stopped" }),
  "`abort`, other": () => last({ type: "abort", reason: "timeout" }),
  "`done`": () => last(file, { type: "done", finishReason: "interrupt" }),
  "a stream without an end": () => [
    typesOf(whole([file])).at(-1)!,
    typesOf(whole([file], "truncated")).at(-1)!,
  ],
  "an unknown chunk": () => last({ type: "x-new" }),
});

const user = { id: "1", role: "user", parts: [{ type: "text", text: "Hi" }] };
const answer = (...parts: unknown[]) => ({
  id: "2",
  role: "assistant",
  parts: [{ type: "step-start" }, ...parts],
});
type Body = Record<string, unknown> & { messages: { content?: string; parts?: { type: string }[] }[] };
const bodyOf = (fields: object) =>
  fromAISDKRequest({ trigger: "submit-message", messages: [user], ...fields }) as Body;

/** The parts of an answer with one part, and whether it has text. */
function partsOf(...parts: unknown[]): string[] {
  const { messages } = bodyOf({ messages: [user, answer(...parts)] });
  const { content, parts: mapped = [] } = messages[1]!;
  return [
    ...(content ? ["content"] : []),
    ...mapped.map(({ type }) => type).filter((type) => type !== "step"),
  ];
}
const uiCall = { type: "tool-search", toolCallId: "c1", input: {}, state: "output-available", output: 1 };

const fields = [
  "sessionId|messageId|metadata|content|text|reasoning|file|tool-call|data|step|resumes|toolResults",
  'trigger: "send"|"continue"|trigger: "regenerate"',
];

testTable(page, "Requests of the SDK", fields.join("|").split("|"), {
  "`id`": () => Object.keys(bodyOf({ id: "s1" })).filter((name) => name === "sessionId"),
  '`trigger: "submit-message"`': () => [
    `trigger: "${bodyOf({ messageId: "1" }).trigger}"`,
    `"${bodyOf({ messages: [user, answer()] }).trigger}"`,
  ],
  '`trigger: "regenerate-message"`': () => {
    const { trigger, messageId } = bodyOf({ trigger: "regenerate-message", messageId: "2" });
    expect(messageId).toBe("2");
    return [`trigger: "${trigger}"`, "messageId"];
  },
  "`messageId` of an answer that others follow": () => {
    const body = bodyOf({ messages: [user, answer(), user], messageId: "2" });
    expect(body).toMatchObject({ trigger: "continue", messageId: "2", messages: [{}, {}] });
    return [];
  },
  "other fields of the body": () => {
    expect(bodyOf({ workflowId: "w", context: { a: 1 } })).toMatchObject({
      workflowId: "w",
      context: { a: 1 },
    });
    return [];
  },
  "`metadata` of a message": () => {
    const { messages } = bodyOf({ messages: [{ ...user, metadata: { a: 1, kortyx: { usage: {} } } }] });
    expect(messages[0]).toMatchObject({ metadata: { a: 1 } });
    expect(JSON.stringify(messages)).not.toContain("kortyx");
    return ["metadata"];
  },
  "a part `text`": () => partsOf({ type: "text", text: "Hi", providerMetadata: { openai: { a: 1 } } }),
  "a part `reasoning`": () => partsOf({ type: "reasoning", text: "Hm" }),
  "a part `file`, `reasoning-file`": () => [
    ...partsOf(file),
    ...partsOf({ ...file, type: "reasoning-file" }),
  ],
  "a part `tool-<name>`, `dynamic-tool`": () => [
    ...partsOf(uiCall),
    ...partsOf({ ...uiCall, type: "dynamic-tool", toolName: "search" }),
  ],
  "a part `data-<name>`": () => {
    expect(partsOf({ type: "data-interrupt", data: question })).toEqual([]);
    return partsOf({ type: "data-weather", data: 1 });
  },
  "a part `custom`": () => partsOf({ type: "custom", kind: "openai.note" }),
  "a part `step-start`": () => {
    const { messages } = bodyOf({ messages: [answer({ type: "reasoning", text: "Hm" })] });
    return [messages[0]!.parts![0]!.type];
  },
  "a part `source-url`, `source-document`, `steering-message`": () => [
    ...partsOf({ type: "source-url", sourceId: "1", url: "https://example.com" }),
    ...partsOf({ type: "source-document", sourceId: "1", mediaType: "text/plain", title: "A" }),
    ...partsOf({ type: "steering-message", id: "1", parts: [] }),
  ],
  "a call with `approval-responded`": () => {
    const approval = { id: "q1", approved: false, reason: "No.", signature: "t1" };
    const { resumes } = bodyOf({ messages: [answer({ ...uiCall, state: "approval-responded", approval })] });
    const decided = { toolCallId: "c1", answer: "deny", reason: "No." };
    expect(resumes).toEqual([{ requestId: "q1", resumeToken: "t1", ...decided }]);
    return ["resumes"];
  },
  "an output of the page's, in the last step": () => {
    const client = { ...uiCall, callProviderMetadata: { kortyx: { executor: "client", resumeToken: "t" } } };
    const messages = [answer({ ...client, toolCallId: "c0" }, { type: "step-start" }, client, uiCall)];
    const { toolResults } = bodyOf({ messages });
    expect(toolResults).toEqual([{ toolCallId: "c1", tool: "search", resumeToken: "t", content: 1 }]);
    return ["toolResults"];
  },
});

test("every type of chunk has a row", async () => {
  const { sampleSequences } = await import("../../../packages/protocol/test/chunk-sequences.ts");
  const { readTable } = await import("./kit/doc-tables.ts");
  const rows = readTable(page, "Chunks as the SDK reads them").map(({ source }) => source);
  const types = new Set(sampleSequences(3, 300).flatMap((chunks) => chunks.map(({ type }) => type)));
  expect([...types].filter((type) => !rows.some((row) => row.includes(`\`${type}\``)))).toEqual([]);
});
