import type { ChatMessage, ChatMessagePart, ToolCallMessagePart } from "@kortyx/protocol";
import { expect, test } from "vitest";
import { type ToModelMessagesOptions, toModelMessages } from "../../src/ai-sdk.ts";

const call = (fields: Partial<ToolCallMessagePart> = {}): ToolCallMessagePart => ({
  type: "tool-call",
  toolCallId: "1",
  tool: "pay",
  state: "done",
  input: { euros: 5 },
  ...fields,
});
const answer = (parts: ChatMessagePart[]): ChatMessage => ({ role: "assistant", content: "", parts });
const modelMessagesOf = (parts: ChatMessagePart[], options?: ToModelMessagesOptions) =>
  toModelMessages([answer(parts)], options);

const said = { type: "tool-call", toolCallId: "1", toolName: "pay", input: { euros: 5 } };
const returned = (output: unknown) => ({ type: "tool-result", toolCallId: "1", toolName: "pay", output });
const interrupted = "The call was interrupted before it had a result.";

test("texts, files and reasoning keep what their provider wants back", () => {
  const providerMetadata = { openai: { itemId: "i" } };
  const file = { type: "file" as const, mediaType: "image/png" };
  expect(
    toModelMessages([
      { role: "system", content: "Be brief." },
      {
        role: "user",
        content: "Look",
        parts: [
          { ...file, url: "data:image/png;base64,AAAA", name: "a.png" },
          { ...file, url: "", providerReference: { openai: "file-1" } },
          { type: "data", name: "place", data: "Bern" },
        ],
      },
      answer([
        { type: "reasoning", text: "Hm", providerMetadata },
        { type: "text", text: "A cat", providerMetadata: {} },
        { ...file, url: "https://files.example/1.png", providerMetadata },
        { type: "data", name: "openai.compaction", data: null, providerMetadata },
        { type: "data", name: "openai.compaction", data: {} },
        { type: "data", name: "place", data: null },
      ]),
    ]),
  ).toEqual([
    { role: "system", content: "Be brief." },
    {
      role: "user",
      content: [
        { type: "text", text: "Look" },
        { ...file, filename: "a.png", data: { type: "url", url: new URL("data:image/png;base64,AAAA") } },
        { ...file, data: { type: "reference", reference: { openai: "file-1" } } },
      ],
    },
    {
      role: "assistant",
      content: [
        { type: "reasoning", text: "Hm", providerOptions: providerMetadata },
        { type: "text", text: "A cat" },
        {
          ...file,
          data: { type: "url", url: new URL("https://files.example/1.png") },
          providerOptions: providerMetadata,
        },
        { type: "custom", kind: "openai.compaction", providerOptions: providerMetadata },
      ],
    },
  ]);
});

test("a file that cannot be loaded is named, and a message without anything for a model is left out", () => {
  const file = { type: "file" as const, mediaType: "image/png" };
  const messages: ChatMessage[] = [
    {
      role: "user",
      content: "",
      parts: [
        { ...file, url: "/a.png", name: "a.png" },
        { ...file, url: "" },
      ],
    },
    { role: "user", content: "", parts: [{ type: "data", name: "place", data: "Bern" }] },
  ];
  expect(toModelMessages(messages)).toEqual([
    {
      role: "user",
      content: [
        { type: "text", text: "[File: a.png, image/png]" },
        { type: "text", text: "[File: image/png]" },
      ],
    },
  ]);
});

test("a turn is what the model said, and then the results of its calls", () => {
  expect(
    modelMessagesOf([
      { type: "step", stepId: "a" },
      { type: "text", text: "One moment." },
      call({ content: "Paid" }),
      { type: "step", stepId: "b" },
      { type: "text", text: "Done." },
    ]),
  ).toEqual([
    { role: "assistant", content: [{ type: "text", text: "One moment." }, said] },
    { role: "tool", content: [returned({ type: "text", value: "Paid" })] },
    { role: "assistant", content: [{ type: "text", text: "Done." }] },
  ]);
});

test.each<[string, Partial<ToolCallMessagePart>, object]>([
  ["a text", { content: "Paid" }, { type: "text", value: "Paid" }],
  ["a value", { content: { paid: 5 } }, { type: "json", value: { paid: 5 } }],
  ["nothing", { content: null }, { type: "json", value: null }],
  ["a program's data alone", { structuredContent: [1] }, { type: "json", value: [1] }],
  ["a failure", { state: "error", errorMessage: "No." }, { type: "error-text", value: "No." }],
  ["a failure with content", { state: "error", content: [1] }, { type: "error-text", value: "[1]" }],
  ["a denial", { state: "denied" }, { type: "error-text", value: "Tool call execution denied." }],
  [
    "a denial with a reason",
    { state: "denied", errorMessage: "Too dear" },
    { type: "error-text", value: "Too dear" },
  ],
  ["no result", { state: "interrupted" }, { type: "error-text", value: interrupted }],
  ["no decision", { state: "awaiting-approval" }, { type: "error-text", value: interrupted }],
])("the result of a call is %s", (_, fields, output) => {
  expect(modelMessagesOf([call(fields)])).toEqual([
    { role: "assistant", content: [said] },
    { role: "tool", content: [returned(output)] },
  ]);
});

test("a provider's call has its result in the message of the assistant, or none yet", () => {
  const providerMetadata = { anthropic: { type: "server_tool_use" }, "ai-sdk": { toolMetadata: {} } };
  const resultProviderMetadata = { anthropic: { type: "web_search_tool_result" } };
  const byProvider = call({ executor: "provider", providerMetadata });
  const { "ai-sdk": _, ...providerOptions } = providerMetadata;
  const saidByProvider = { ...said, providerExecuted: true, providerOptions };
  const resultsOf = (fields: Partial<ToolCallMessagePart>) => modelMessagesOf([{ ...byProvider, ...fields }]);
  const output = { type: "json", value: [1] };
  expect(resultsOf({ content: [1], resultProviderMetadata })).toEqual([
    {
      role: "assistant",
      content: [saidByProvider, { ...returned(output), providerOptions: resultProviderMetadata }],
    },
  ]);
  expect(resultsOf({ content: [1] })).toEqual([
    { role: "assistant", content: [saidByProvider, { ...returned(output), providerOptions }] },
  ]);
  expect(resultsOf({ state: "error", errorMessage: '{"code":1}' })).toEqual([
    {
      role: "assistant",
      content: [
        saidByProvider,
        { ...returned({ type: "error-json", value: '{"code":1}' }), providerOptions },
      ],
    },
  ]);
  expect(resultsOf({ state: "running" })).toEqual([{ role: "assistant", content: [saidByProvider] }]);
});

test("a call's provider gets its metadata back with the result, too, and the SDK's own is not sent", () => {
  const providerMetadata = { openai: { itemId: "i" }, "ai-sdk": { toolMetadata: { a: 1 } } };
  const providerOptions = { openai: { itemId: "i" } };
  expect(modelMessagesOf([call({ content: "Paid", providerMetadata })])).toEqual([
    { role: "assistant", content: [{ ...said, providerOptions }] },
    { role: "tool", content: [{ ...returned({ type: "text", value: "Paid" }), providerOptions }] },
  ]);
});

const resume = { requestId: "a", resumeToken: "s", toolCallId: "1" };
const waiting = call({
  state: "awaiting-approval",
  providerMetadata: { "ai-sdk": { inputSchemaInput: "5 €" } },
});

test("an approved call has its question and the answer, and no result", () => {
  expect(modelMessagesOf([waiting], { resumes: [{ ...resume, answer: "approve" }] })).toEqual([
    {
      role: "assistant",
      content: [
        said,
        {
          type: "tool-approval-request",
          approvalId: "a",
          toolCallId: "1",
          signature: "s",
          inputSchemaInput: "5 €",
        },
      ],
    },
    { role: "tool", content: [{ type: "tool-approval-response", approvalId: "a", approved: true }] },
  ]);
});

test.each([
  ["deny", {}],
  ["edit", { input: { euros: 500 } }],
  [["approve", "deny"], {}],
  ["approve", { outcome: "cancelled" as const }],
])("the answer %j with %j denies the call", (given, fields) => {
  const resumes = [{ ...resume, resumeToken: "", answer: given, reason: "Too dear", ...fields }];
  expect(modelMessagesOf([call({ state: "awaiting-approval" })], { resumes })).toEqual([
    {
      role: "assistant",
      content: [said, { type: "tool-approval-request", approvalId: "a", toolCallId: "1" }],
    },
    {
      role: "tool",
      content: [
        { type: "tool-approval-response", approvalId: "a", approved: false, reason: "Too dear" },
        returned({ type: "execution-denied", reason: "Too dear" }),
      ],
    },
  ]);
});

test("a decision about a provider's call is the provider's to carry out", () => {
  const byProvider = call({ state: "awaiting-approval", executor: "provider" });
  const messages = modelMessagesOf([byProvider], { resumes: [{ ...resume, answer: ["approve"] }] });
  expect(messages.at(-1)).toEqual({
    role: "tool",
    content: [{ type: "tool-approval-response", approvalId: "a", approved: true, providerExecuted: true }],
  });
});

test.each<[string, ChatMessage[]]>([
  ["has its result", [answer([call({ content: "Paid" })])]],
  ["was denied", [answer([call({ state: "denied" })])]],
  ["is in an earlier turn", [answer([waiting, { type: "text", text: "Well?" }])]],
  ["is in an earlier message", [answer([waiting]), { role: "user", content: "Never mind." }]],
  ["is an earlier one of the same id", [answer([waiting, call({ content: "Paid" })])]],
])("no decision reaches a call that %s", (_, messages) => {
  const resumes = [{ ...resume, answer: "approve" }];
  expect(JSON.stringify(toModelMessages(messages, { resumes }))).not.toContain("approval");
});

test("a result of the page belongs to the newest call with its id, if that is still open", () => {
  const open = call({ tool: "locate", state: "awaiting-client" });
  const toolResults = [{ toolCallId: "1", tool: "locate", content: "Bern" }];
  const outputsOf = (messages: ChatMessage[], results = toolResults) =>
    toModelMessages(messages, { toolResults: results }).flatMap(({ content }) =>
      typeof content === "string" ? [] : content.flatMap((part) => ("output" in part ? [part.output] : [])),
    );
  const bern = { type: "text", value: "Bern" };
  const unknown = { type: "error-text", value: interrupted };
  expect(outputsOf([answer([open])])).toEqual([bern]);
  expect(outputsOf([answer([open, open])])).toEqual([unknown, bern]);
  expect(outputsOf([answer([open]), answer([open])])).toEqual([unknown, bern]);
  expect(outputsOf([answer([{ ...open, state: "done", content: "Rome" }])])).toEqual([
    { type: "text", value: "Rome" },
  ]);
  expect(outputsOf([answer([open])], [{ ...toolResults[0]!, toolCallId: "2" }])).toEqual([unknown]);
  const failed = [{ toolCallId: "1", tool: "locate", errorMessage: "No signal." }] as never;
  expect(outputsOf([answer([open])], failed)).toEqual([{ type: "error-text", value: "No signal." }]);
});

test("an input that is not JSON, or was never whole, is sent as an empty one; the text of a text tool stays", () => {
  const inputsOf = (fields: Partial<ToolCallMessagePart>) =>
    modelMessagesOf([call(fields)]).flatMap(({ content }) =>
      typeof content === "string" ? [] : content.flatMap((part) => ("input" in part ? [part.input] : [])),
    );
  expect(inputsOf({ state: "interrupted", input: undefined })).toEqual([{}]);
  expect(inputsOf({ input: null })).toEqual([{}]);
  expect(inputsOf({ state: "error", input: '{"euros":' })).toEqual([{}]);
  expect(inputsOf({ state: "error", input: "ls", inputFormat: "text" })).toEqual(["ls"]);
  expect(inputsOf({ input: "ls" })).toEqual(["ls"]);
});

test("a file that the SDK could not load, and the handle of a provider in an answer, are named", () => {
  const file = { type: "file", mediaType: "image/png", name: "a.png" } as const;
  const named = [{ type: "text", text: "[File: a.png, image/png]" }];
  const contentOf = (message: ChatMessage) => toModelMessages([message])[0]!.content;
  const ofUser = (url: string) => contentOf({ role: "user", content: "", parts: [{ ...file, url }] });
  expect(ofUser("blob:https://a.example/1")).toEqual(named);
  expect(ofUser("file:///etc/passwd")).toEqual(named);
  expect(contentOf(answer([{ ...file, url: "", providerReference: { anthropic: "file_1" } }]))).toEqual(
    named,
  );
});

test("toOutput decides what a model reads of a result", () => {
  const options: ToModelMessagesOptions = {
    toOutput: ({ content }) => (content === "Paid" ? { type: "text", value: "OK" } : undefined),
  };
  const [, first] = modelMessagesOf([call({ content: "Paid" })], options);
  const [, second] = modelMessagesOf([call({ content: "Refused" })], options);
  expect(first!.content).toEqual([returned({ type: "text", value: "OK" })]);
  expect(second!.content).toEqual([returned({ type: "text", value: "Refused" })]);
});

test("the messages that are given are not changed", () => {
  const messages = [answer([call({ state: "awaiting-client" })])];
  const before = structuredClone(messages);
  toModelMessages(messages, { toolResults: [{ toolCallId: "1", tool: "pay", content: 1 }] });
  expect(messages).toEqual(before);
});
