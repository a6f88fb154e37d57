import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { type AISDKStreamPart, type FromAISDKOptions, fromAISDK } from "../../src/ai-sdk.ts";

type Part = AISDKStreamPart;

const finish = (finishReason = "stop"): Part => ({ type: "finish", finishReason });
const text = (id: string, delta: string): Part[] => [
  { type: "text-start", id },
  { type: "text-delta", id, text: delta },
  { type: "text-end", id },
];
const call = (toolCallId: string, fields = {}) => ({
  toolCallId,
  toolName: "search",
  input: { query: "a" },
  ...fields,
});
const usage = {
  inputTokens: 30,
  inputTokenDetails: { cacheReadTokens: 10, cacheWriteTokens: undefined },
  outputTokens: 5,
  outputTokenDetails: { reasoningTokens: 2 },
  totalTokens: 35,
};

async function* streamOf(parts: readonly Part[]): AsyncGenerator<Part> {
  yield* parts;
}

/** What a consumer has read, how it ended, and the turn. */
async function read(parts: readonly Part[], options?: FromAISDKOptions) {
  const chunks: unknown[] = [];
  const stream = fromAISDK(streamOf(parts), options);
  try {
    for (;;) {
      const next = await stream.next();
      if (next.done) return { chunks, turn: next.value };
      chunks.push(next.value);
    }
  } catch (error) {
    return { chunks, error };
  }
}

const chunksOf = async (...parts: Part[]): Promise<unknown[]> => {
  const { chunks, error } = await read([...parts, finish()]);
  expect(error).toBeUndefined();
  return chunks.slice(0, -1);
};

const doneOf = async (...parts: Part[]): Promise<unknown> => (await read(parts)).chunks.at(-1);

test("texts and reasoning keep their ids and what their provider wants back", async () => {
  const providerMetadata = { anthropic: { signature: "s" } };
  expect(
    await chunksOf(
      { type: "reasoning-start", id: "0" },
      { type: "reasoning-delta", id: "0", text: "Hm" },
      { type: "text-start", id: "0", providerMetadata: null },
      { type: "reasoning-end", id: "0", providerMetadata },
      { type: "text-delta", id: "0", text: "Hi" },
      { type: "text-end", id: "0" },
    ),
  ).toEqual([
    { type: "reasoning-start", segmentId: "0" },
    { type: "reasoning-delta", segmentId: "0", delta: "Hm" },
    { type: "text-start", segmentId: "0" },
    { type: "reasoning-end", segmentId: "0", providerMetadata },
    { type: "text-delta", segmentId: "0", delta: "Hi" },
    { type: "text-end", segmentId: "0" },
  ]);
});

test("a citation names its source, which is sent first if it has not come", async () => {
  const known = { sourceType: "url", id: "s1", url: "https://a.example", title: "A" };
  const document = {
    sourceType: "document",
    id: "s2",
    mediaType: "text/plain",
    title: "B",
    filename: "b.txt",
  };
  const citations = [
    { source: known, startIndex: 0, endIndex: 2, citedText: "Hi" },
    { source: document },
    { source: document, startIndex: 1 },
    { source: { ...known, providerMetadata: { openai: { fileId: "f" } } } },
  ];
  expect(await chunksOf({ type: "source", ...known }, { type: "text-end", id: "0", citations })).toEqual([
    { type: "source", id: "s1", url: "https://a.example", title: "A" },
    { type: "source", id: "s2", mediaType: "text/plain", title: "B", name: "b.txt" },
    {
      type: "text-end",
      segmentId: "0",
      citations: [
        { sourceId: "s1", start: 0, end: 2, quote: "Hi" },
        { sourceId: "s2" },
        { sourceId: "s2", start: 1 },
        { sourceId: "s1", providerMetadata: { openai: { fileId: "f" } } },
      ],
    },
  ]);
});

test("files, reasoning files and content of the provider are kept", async () => {
  const file = { mediaType: "image/png", base64: "AAAA" };
  const providerMetadata = { openai: { id: "f" } };
  expect(
    await chunksOf(
      { type: "file", file, providerMetadata },
      { type: "reasoning-file", file },
      { type: "custom", kind: "openai.compaction", providerMetadata },
    ),
  ).toEqual([
    { type: "file", mediaType: "image/png", url: "data:image/png;base64,AAAA", providerMetadata },
    { type: "file", mediaType: "image/png", url: "data:image/png;base64,AAAA", isReasoning: true },
    { type: "data", name: "openai.compaction", data: null, providerMetadata },
  ]);
});

test("steps have ids of their own, and their usage by model is added up", async () => {
  const step = (modelId: string): Part[] => [
    { type: "start-step" },
    { type: "finish-step", finishReason: "stop", usage, response: { id: "r", modelId } },
  ];
  const { chunks, turn } = await read([
    ...step("a"),
    ...step("b"),
    ...step("a"),
    { type: "finish", finishReason: "stop", totalUsage: { ...usage, inputTokens: 90 } },
  ]);
  const counted = {
    inputTokens: 30,
    outputTokens: 5,
    totalTokens: 35,
    reasoningTokens: 2,
    cachedInputTokens: 10,
  };
  const [start, end, metadata, next] = chunks as Record<string, unknown>[];
  expect(end).toEqual({
    type: "step-end",
    stepId: start!.stepId,
    finishReason: "stop",
    usage: counted,
    model: "a",
  });
  expect(metadata).toEqual({ type: "metadata", metadata: { "ai-sdk": { id: "r", model: "a" } } });
  expect(next!.stepId).not.toBe(start!.stepId);
  const twice = {
    inputTokens: 60,
    outputTokens: 10,
    totalTokens: 70,
    reasoningTokens: 4,
    cachedInputTokens: 20,
  };
  const expected = {
    finishReason: "stop",
    usage: { ...counted, inputTokens: 90 },
    usageByModel: [
      { model: "a", ...twice },
      { model: "b", ...counted },
    ],
  };
  expect(chunks.at(-1)).toEqual({ type: "done", ...expected });
  expect(turn).toEqual({ ...expected, model: "a", toolCalls: [] });
});

test("usage that counts nothing is left out", async () => {
  const nothing = { inputTokens: 0, outputTokens: undefined, totalTokens: 0 };
  expect(
    await doneOf(
      { type: "finish-step", finishReason: "stop", usage: nothing },
      { type: "finish", finishReason: "stop", totalUsage: nothing },
    ),
  ).toEqual({ type: "done", finishReason: "stop" });
});

test("a call of the provider is described, and waits for no client", async () => {
  const described = { title: "Search", dynamic: true, providerExecuted: true, toolMetadata: { icon: "🔎" } };
  const providerMetadata = { openai: { itemId: "i" } };
  const expected = {
    tool: "search",
    toolCallId: "1",
    title: "Search",
    isDynamic: true,
    executor: "provider",
    providerMetadata: { openai: { itemId: "i" }, "ai-sdk": { toolMetadata: { icon: "🔎" } } },
  };
  const { chunks, turn } = await read([
    {
      type: "tool-input-start",
      id: "1",
      toolName: "search",
      inputEncoding: "text",
      ...described,
      providerMetadata,
    },
    { type: "tool-input-delta", id: "1", delta: "a" },
    { type: "tool-input-end" },
    { type: "tool-call", ...call("1", described), providerMetadata },
    finish(),
  ]);
  expect(chunks).toEqual([
    { type: "tool-call-start", ...expected, inputFormat: "text" },
    { type: "tool-call-delta", toolCallId: "1", delta: "a" },
    { type: "tool-call-ready", ...expected, input: { query: "a" } },
    { type: "done", finishReason: "stop" },
  ]);
  expect(turn!.toolCalls).toEqual([]);
});

test("results so far are progress, and nothing at all is null", async () => {
  const providerMetadata = { openai: { id: "i" } };
  expect(
    await chunksOf(
      { type: "tool-call", ...call("1", { input: undefined }) },
      { type: "tool-result", ...call("1"), output: 1, preliminary: true },
      { type: "tool-result", ...call("1"), output: undefined, providerMetadata },
    ),
  ).toEqual([
    { type: "tool-call-ready", tool: "search", toolCallId: "1", input: null },
    { type: "tool-call-progress", tool: "search", toolCallId: "1", content: 1 },
    { type: "tool-call-result", tool: "search", toolCallId: "1", content: null, providerMetadata },
  ]);
});

test("an invalid call fails once, with what the model wrote", async () => {
  const unknown = Object.assign(new Error("Available tools: secret"), { name: "AI_NoSuchToolError" });
  const { chunks } = await read([
    { type: "tool-input-start", id: "1", toolName: "search" },
    { type: "tool-call", ...call("1", { input: "{", invalid: true, error: new Error("secret") }) },
    { type: "tool-error", ...call("1", { input: "{" }), error: "secret" },
    { type: "tool-call", ...call("2", { dynamic: true, invalid: true, error: unknown }) },
    { type: "tool-error", ...call("2"), error: "secret" },
    finish("tool-calls"),
  ]);
  expect(chunks).toEqual([
    { type: "tool-call-start", tool: "search", toolCallId: "1" },
    {
      type: "tool-call-error",
      tool: "search",
      toolCallId: "1",
      message: "The model wrote an input that the tool refuses.",
      code: "invalid-input",
      input: "{",
    },
    { type: "tool-call-start", tool: "search", toolCallId: "2", isDynamic: true },
    {
      type: "tool-call-error",
      tool: "search",
      toolCallId: "2",
      message: "The model called an unknown tool.",
      code: "unknown-tool",
      input: { query: "a" },
    },
    { type: "done", finishReason: "max-turns" },
  ]);
});

test("what a tool throws is logged, and the text that is sent has none of it", async () => {
  const log = vi.spyOn(console, "error").mockReturnValue();
  const error = new Error("postgres://user:secret@host");
  expect(
    await chunksOf({ type: "tool-call", ...call("1") }, { type: "tool-error", ...call("1"), error }),
  ).toEqual([
    { type: "tool-call-ready", tool: "search", toolCallId: "1", input: { query: "a" } },
    { type: "tool-call-error", tool: "search", toolCallId: "1", message: "The tool failed." },
  ]);
  expect(log.mock.calls).toEqual([['The tool "search" failed (call "1"):', error]]);
});

test("onToolError chooses the text, and logs nothing", async () => {
  const log = vi.spyOn(console, "error").mockReturnValue();
  const error = new Error("secret");
  const onToolError = vi.fn(() => "Try later.");
  const { chunks } = await read([{ type: "tool-error", ...call("1"), error }, finish()], { onToolError });
  expect(chunks[0]).toEqual({
    type: "tool-call-error",
    tool: "search",
    toolCallId: "1",
    message: "Try later.",
  });
  expect(onToolError.mock.calls).toEqual([
    [error, { toolCallId: "1", tool: "search", input: { query: "a" } }],
  ]);
  expect(log).not.toHaveBeenCalled();
});

test("an onToolError without a text, or one that throws, leaves the default", async () => {
  const log = vi.spyOn(console, "error").mockReturnValue();
  const failed: Part = { type: "tool-error", ...call("1"), error: "secret" };
  const expected = { type: "tool-call-error", tool: "search", toolCallId: "1", message: "The tool failed." };
  const silent = await read([failed, finish()], { onToolError: () => undefined });
  expect(silent.chunks[0]).toEqual(expected);
  const broken = new Error("broken");
  const throwing = await read([failed, finish()], {
    onToolError() {
      throw broken;
    },
  });
  expect(throwing.chunks[0]).toEqual(expected);
  expect(log.mock.calls).toEqual([
    ['The tool "search" failed (call "1"):', "secret"],
    ["onToolError failed; the default text is sent:", broken],
    ['The tool "search" failed (call "1"):', "secret"],
  ]);
});

test("what a provider reports of its own tool is sent, because it wants it back", async () => {
  const providerExecuted = true;
  const failures = [{ errorCode: "max_uses_exceeded" }, "No.", undefined];
  const chunks = await chunksOf(
    ...failures.map((error): Part => ({ type: "tool-error", ...call("1", { providerExecuted }), error })),
  );
  expect(chunks.map((chunk) => (chunk as { message: string }).message)).toEqual([
    '{"errorCode":"max_uses_exceeded"}',
    "No.",
    "The tool failed.",
  ]);
});

const ask = (approvalId: string, toolCallId: string, fields = {}): Part => ({
  type: "tool-approval-request",
  approvalId,
  toolCall: call(toolCallId),
  ...fields,
});

test("an approval is a question with the SDK's signature, and the answer waits for it", async () => {
  const { chunks, turn } = await read([
    { type: "tool-call", ...call("1") },
    ask("a", "1", { signature: "s", reason: "It costs money." }),
    { type: "tool-call", ...call("2") },
    ask("b", "2"),
    { type: "tool-call", ...call("3") },
    finish("tool-calls"),
  ]);
  const question = (text: string) => ({
    kind: "choice",
    multiple: false,
    question: text,
    options: [
      { id: "approve", label: "Approve" },
      { id: "deny", label: "Deny" },
    ],
  });
  const interrupts = chunks.filter(
    (chunk) => (chunk as Part & { type: string }).type === ("interrupt" as string),
  );
  expect(interrupts).toEqual([
    {
      type: "interrupt",
      requestId: "a",
      resumeToken: "s",
      toolCallId: "1",
      reason: "tool-approval",
      input: question("It costs money."),
    },
    {
      type: "interrupt",
      requestId: "b",
      resumeToken: "",
      toolCallId: "2",
      reason: "tool-approval",
      input: question("Run search?"),
    },
  ]);
  expect(chunks.at(-1)).toEqual({ type: "done", finishReason: "interrupt", pendingToolCallIds: ["3"] });
  expect(turn!.toolCalls).toEqual([{ toolCallId: "3", tool: "search", input: { query: "a" } }]);
});

test("a question that a policy answers is not open", async () => {
  const answered = (approvalId: string, toolCallId: string, approved: boolean): Part => ({
    type: "tool-approval-response",
    approvalId,
    toolCall: call(toolCallId),
    approved,
    ...(!approved && { reason: "Not today." }),
  });
  const { chunks } = await read([
    { type: "tool-call", ...call("1") },
    ask("a", "1", { isAutomatic: true }),
    answered("a", "1", false),
    { type: "tool-output-denied", toolCallId: "1", toolName: "search" },
    { type: "tool-call", ...call("2") },
    ask("b", "2", { isAutomatic: true }),
    answered("b", "2", true),
    { type: "tool-result", ...call("2"), output: 1 },
    finish(),
  ]);
  expect(chunks).toMatchObject([
    { type: "tool-call-ready" },
    { type: "interrupt", requestId: "a", isAutomatic: true, input: { question: "" } },
    {
      type: "interrupt-resolved",
      requestId: "a",
      outcome: "answered",
      answer: "deny",
      isAutomatic: true,
      reason: "Not today.",
    },
    { type: "tool-call-denied", tool: "search", toolCallId: "1", reason: "Not today." },
    { type: "tool-call-ready" },
    { type: "interrupt", requestId: "b", isAutomatic: true },
    { type: "interrupt-resolved", requestId: "b", answer: "approve" },
    { type: "tool-call-result" },
    { type: "done", finishReason: "stop" },
  ]);
});

test("a question that is answered in the same stream is not open", async () => {
  const answered: Part = {
    type: "tool-approval-response",
    approvalId: "a",
    toolCall: call("1"),
    approved: true,
  };
  const { chunks } = await read([
    { type: "tool-call", ...call("1") },
    ask("a", "1"),
    answered,
    { type: "tool-result", ...call("1"), output: 1 },
    finish(),
  ]);
  expect(chunks[2]).toEqual({
    type: "interrupt-resolved",
    requestId: "a",
    outcome: "answered",
    answer: "approve",
  });
  expect(chunks.at(-1)).toEqual({ type: "done", finishReason: "stop" });
});

test("what a request answers comes first: only an explicit approval is one", async () => {
  const resume = { resumeToken: "" };
  const { chunks } = await read(
    [{ type: "tool-output-denied", toolCallId: "2", toolName: "search" }, finish()],
    {
      resumes: [
        { ...resume, requestId: "a", toolCallId: "1", answer: "approve" },
        { ...resume, requestId: "b", toolCallId: "2", answer: "deny", reason: "Too dear" },
        { ...resume, requestId: "c", answer: ["approve"] },
        { ...resume, requestId: "d", answer: "edit", input: {} },
        { ...resume, requestId: "e", answer: ["deny", "approve"] },
        { ...resume, requestId: "f", outcome: "cancelled", answer: "approve" },
      ],
      toolResults: [
        { toolCallId: "3", tool: "locate", content: { city: "Bern" } },
        { toolCallId: "4", tool: "locate" },
        { toolCallId: "5", tool: "locate", errorMessage: "No signal." },
      ],
    },
  );
  const answered = { type: "interrupt-resolved", outcome: "answered" };
  expect(chunks).toEqual([
    { ...answered, requestId: "a", answer: "approve" },
    { ...answered, requestId: "b", answer: "deny", reason: "Too dear" },
    { ...answered, requestId: "c", answer: "approve" },
    { ...answered, requestId: "d", answer: "deny" },
    { ...answered, requestId: "e", answer: "deny" },
    { type: "interrupt-resolved", requestId: "f", outcome: "cancelled" },
    { type: "tool-call-result", tool: "locate", toolCallId: "3", content: { city: "Bern" } },
    { type: "tool-call-result", tool: "locate", toolCallId: "4", content: null },
    { type: "tool-call-error", tool: "locate", toolCallId: "5", message: "No signal." },
    { type: "tool-call-denied", tool: "search", toolCallId: "2", reason: "Too dear" },
    { type: "done", finishReason: "stop" },
  ]);
});

test("the input that a schema has transformed is kept where it differs", async () => {
  const symbol = Symbol("ai-sdk-tool-call-input-schema-input");
  const chunks = await chunksOf(
    { type: "tool-call", ...call("1", { input: { n: 5 }, [symbol]: { n: "5" } }) },
    { type: "tool-result", ...call("1"), output: 1 },
    { type: "tool-call", ...call("2", { input: { n: 5 }, [symbol]: { n: 5 } }) },
    { type: "tool-result", ...call("2"), output: 1 },
  );
  expect(chunks).toMatchObject([
    { type: "tool-call-ready", providerMetadata: { "ai-sdk": { inputSchemaInput: { n: "5" } } } },
    { type: "tool-call-result" },
    { type: "tool-call-ready" },
    { type: "tool-call-result" },
  ]);
  expect(chunks[2]).not.toHaveProperty("providerMetadata");
});

test.each([
  ["stop", "stop"],
  ["length", "length"],
  ["content-filter", "content-filter"],
  ["other", "other"],
  ["tool-calls", "max-turns"],
])("the finish reason %s is %s without open calls", async (given, expected) => {
  expect(await doneOf(finish(given))).toEqual({ type: "done", finishReason: expected });
});

test("of an answer that was cut off, no call waits for the client", async () => {
  const ready: Part = { type: "tool-call", ...call("1") };
  expect(await doneOf(ready, finish("length"))).toEqual({ type: "done", finishReason: "length" });
  const waits = { type: "done", finishReason: "tool-calls", pendingToolCallIds: ["1"] };
  expect(await doneOf(ready, finish("stop"))).toEqual(waits);
  expect(await doneOf(ready, finish("tool-calls"))).toEqual(waits);
});

test("the first error is thrown, after everything that came", async () => {
  const first = new Error("Overloaded");
  const { chunks, error } = await read([
    ...text("0", "Hi"),
    { type: "error", error: first },
    ...text("1", "More"),
    { type: "error", error: new Error("later") },
    finish("error"),
  ]);
  expect(error).toBe(first);
  expect(chunks).toHaveLength(6);
});

test("an error is thrown also without a finish, and also when it is not an Error", async () => {
  const { error } = await read([{ type: "error", error: { type: "overloaded_error" } }]);
  expect(error).toBeInstanceOf(Error);
  expect(error).toMatchObject({
    message: "The AI SDK has reported an error.",
    cause: { type: "overloaded_error" },
  });
  expect((await read([finish("error")])).error).toBeInstanceOf(Error);
});

test("a stream without its end, or that was interrupted, is truncated", async () => {
  for (const parts of [text("0", "Hi"), [...text("0", "Hi"), finish("interrupted")]]) {
    const { chunks, error } = await read(parts);
    expect(error).toMatchObject({
      name: "StreamTruncatedError",
      message: expect.stringContaining("The stream of the AI SDK ended too early"),
    });
    expect(chunks).toHaveLength(3);
  }
});

test("an abort by the adapter's signal throws its reason, and any other is a chunk", async () => {
  const reason = new Error("stopped");
  const signal = AbortSignal.abort(reason);
  const abort: Part = { type: "abort", reason: "The step took too long." };
  expect((await read([...text("0", "Hi"), abort], { signal })).error).toBe(reason);
  expect((await read([finish()], { signal })).error).toBe(reason);
  const { chunks } = await read([abort, ...text("0", "Late")], { terminal: false });
  expect(chunks).toEqual([{ type: "abort", reason: "The step took too long." }]);
  expect((await read([{ type: "abort" }])).chunks).toEqual([{ type: "abort", reason: "aborted" }]);
});

test("one turn of a loop has no terminal, and returns the same", async () => {
  const { chunks, turn } = await read([{ type: "tool-call", ...call("1") }, finish()], { terminal: false });
  expect(chunks).toHaveLength(1);
  expect(turn).toMatchObject({ finishReason: "tool-calls", toolCalls: [{ toolCallId: "1" }] });
});

test("parts of unknown types are reported, and others are not", async () => {
  const onUnknown = vi.fn();
  const part = { type: "tool-something-new", id: "1" };
  const { chunks } = await read(
    [
      part as never,
      { type: "start" },
      { type: "ping" },
      { type: "raw" },
      { type: "steering-message" },
      finish(),
    ],
    { onUnknown },
  );
  expect(chunks).toEqual([{ type: "done", finishReason: "stop" }]);
  expect(onUnknown.mock.calls).toEqual([[part]]);
});

test("the result that has the stream, and promises of both, are accepted", async () => {
  const given = [
    { stream: streamOf([finish()]) },
    Promise.resolve(streamOf([finish()])),
    Promise.resolve({ stream: streamOf([finish()]) }),
  ];
  for (const stream of given) {
    expect(await fromAISDK(stream).next()).toEqual({
      done: false,
      value: { type: "done", finishReason: "stop" },
    });
  }
});

test("leaving the chunks leaves the stream", async () => {
  let isLeft = false;
  const stream = (async function* (): AsyncGenerator<Part> {
    try {
      yield* text("0", "Hi");
    } finally {
      isLeft = true;
    }
  })();
  for await (const _chunk of fromAISDK(stream)) break;
  expect(isLeft).toBe(true);
});

test("wherever a stream is cut, it has failed, and what came is kept", async () => {
  const parts: Part[] = [
    { type: "start" },
    { type: "start-step" },
    ...text("0", "Hi"),
    { type: "tool-input-start", id: "1", toolName: "search" },
    { type: "tool-input-delta", id: "1", delta: "{}" },
    { type: "tool-call", ...call("1") },
    { type: "tool-result", ...call("1"), output: 1 },
    { type: "finish-step", finishReason: "tool-calls", usage },
    ...text("1", "Bye"),
    finish(),
  ];
  vi.spyOn(crypto, "randomUUID").mockReturnValue("0-0-0-0-0");
  const whole = (await read(parts)).chunks;
  await fc.assert(
    fc.asyncProperty(fc.nat(parts.length - 1), async (length) => {
      const { chunks, error } = await read(parts.slice(0, length));
      expect(error).toMatchObject({ name: "StreamTruncatedError" });
      expect(chunks).toEqual(whole.slice(0, chunks.length));
      const texts = parts.slice(0, length).filter(({ type }) => type === "text-delta");
      expect(chunks.filter((chunk) => (chunk as Part).type === "text-delta")).toHaveLength(texts.length);
    }),
  );
});
