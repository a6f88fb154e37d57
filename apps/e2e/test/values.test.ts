/**
 * Values that TypeScript lets an agent yield, that providers report, and that other languages send: none breaks an
 * answer.
 */
import { consumeStream, createChat, readStream, requestChat, toMessageText } from "@kortyx/client";
import { createChatRoute, createMemoryRunStore, type StreamChunk } from "@kortyx/server";
import { sendStream } from "@kortyx/server/node";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type LiveServer, listen, listenOnNode, until } from "./live-server.ts";

const log = vi.spyOn(console, "error").mockImplementation(() => {});
beforeEach(() => void log.mockClear());
let server: LiveServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

const messages = [{ role: "user" as const, content: "Hello" }];
const call = { tool: "save", toolCallId: "1" };

/** Values as void tools, providers without token counts and JavaScript produce them. */
const yielded = [
  { type: "text-delta", delta: "The answer.", node: null, segmentId: undefined },
  { type: "tool-call-start", ...call, input: { at: null, ratio: Number.NaN } },
  { type: "tool-call-result", ...call, content: undefined, isError: null },
  { type: "source", id: "s", title: null, url: "https://docs.test/" },
  { type: "file", mediaType: "image/png", url: "https://files.test/a.png", name: null },
  {
    type: "interrupt",
    requestId: "r",
    resumeToken: "k",
    meta: null,
    input: {
      kind: "choice",
      multiple: false,
      question: "Which?",
      id: null,
      options: [{ id: "a", label: "A", description: null }],
    },
  },
  {
    type: "done",
    finishReason: "interrupt",
    usage: { inputTokens: Number.NaN, outputTokens: 2, totalTokens: Number.POSITIVE_INFINITY },
  },
] as unknown as StreamChunk[];

const sent = [
  { type: "text-delta", delta: "The answer." },
  { type: "tool-call-start", ...call, input: { at: null, ratio: null } },
  { type: "tool-call-result", ...call, content: null },
  { type: "source", id: "s", url: "https://docs.test/" },
  { type: "file", mediaType: "image/png", url: "https://files.test/a.png" },
  {
    type: "interrupt",
    requestId: "r",
    resumeToken: "k",
    input: { kind: "choice", multiple: false, question: "Which?", options: [{ id: "a", label: "A" }] },
  },
  { type: "done", finishReason: "interrupt", usage: { outputTokens: 2 } },
];

describe.each<[string, boolean]>([
  ["a plain route", false],
  ["a route with runs", true],
])("over %s", (_, hasRuns) => {
  test("an answer with void results, unknown token counts and nulls is complete, and conforms to the protocol", async () => {
    const finished: unknown[] = [];
    const onFinish = (finish: object) => finished.push(finish);
    const route = createChatRoute({
      agent: { streamChat: () => yielded },
      ...(hasRuns
        ? { runs: { store: createMemoryRunStore(), onFinish }, authorize: () => "ada" }
        : { collectMessage: true, onFinish }),
    });
    server = await listen(route.fetch);
    const seen: StreamChunk[] = [];
    const chat = createChat({ endpoint: server.url, onChunk: (chunk) => void seen.push(chunk) });
    await chat.send("Hello");
    const { status, error, messages: shown, interrupt } = chat.getSnapshot();
    expect({ status, error }).toEqual({ status: "ready", error: undefined });
    expect(toMessageText(shown[1]!)).toBe("The answer.");
    expect(interrupt).toMatchObject({ requestId: "r" });
    expect(seen.filter(({ type }) => type !== "run-start")).toEqual(sent);
    await until(() => finished.length === 1, "the route reports the end");
    expect(finished[0]).toMatchObject({ message: { status: "done", usage: { outputTokens: 2 } } });
    const { chunks } = await requestChat({ endpoint: server.url, messages });
    expect(chunks.filter(({ type }) => type !== "run-start")).toEqual(sent);
    expect(log).not.toHaveBeenCalled();
  });
});

test("sendStream sends the same", async () => {
  server = await listenOnNode((req, res) => void sendStream(req, res, yielded));
  const seen: StreamChunk[] = [];
  await consumeStream(readStream(await fetch(server.url)), { onChunk: (chunk) => void seen.push(chunk) });
  expect(seen).toEqual(sent);
});

test("a client reads nulls from a server in another language as absent", async () => {
  const nulls = [
    { type: "text-delta", delta: "The answer.", node: null, id: null, opId: null, segmentId: null },
    { type: "tool-call-result", ...call, content: null, structuredContent: null, isError: null },
    { type: "tool-call-result", ...call },
    { type: "done", data: null, finishReason: null, usage: { inputTokens: null, outputTokens: 2 } },
  ];
  const body = `${nulls.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join("")}data: [DONE]\n\n`;
  server = await listen(() => new Response(body, { headers: { "content-type": "text/event-stream" } }));
  const chat = createChat({ endpoint: server.url });
  await chat.send("Hello");
  expect(chat.getSnapshot()).toMatchObject({ status: "ready", error: undefined });
  expect(toMessageText(chat.getSnapshot().messages[1]!)).toBe("The answer.");

  await server.close();
  const buffered = { chunks: nulls, text: "The answer.", structured: [], error: null };
  server = await listen(() => Response.json(buffered));
  const result = await requestChat({ endpoint: server.url, messages });
  expect(result).not.toHaveProperty("error");
  expect(result.chunks).toEqual([
    { type: "text-delta", delta: "The answer." },
    { type: "tool-call-result", ...call, content: null, structuredContent: null },
    { type: "tool-call-result", ...call, content: null },
    { type: "done", data: null, usage: { outputTokens: 2 } },
  ]);
});

test("a route reads nulls from clients in Swift, Go, Kotlin and Python as absent", async () => {
  const asked: unknown[] = [];
  const route = createChatRoute({
    agent: {
      streamChat(given, { sessionId, workflowId, context, resume }) {
        asked.push({ given, sessionId, workflowId, context, resume });
        return [{ type: "text-delta", delta: "Hi" }];
      },
    },
    runs: { store: createMemoryRunStore() },
    authorize: () => "ada",
  });
  server = await listen(route.fetch);
  const request = {
    messages: [{ id: null, role: "user", content: "Hello", timestamp: null, metadata: null, name: null }],
    sessionId: null,
    workflowId: null,
    context: null,
    stream: null,
    idempotencyKey: null,
    resume: null,
  };
  const response = await fetch(server.url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(request),
  });
  expect(response.status).toBe(200);
  expect(await response.text()).toContain('"delta":"Hi"');
  expect(asked).toEqual([
    {
      given: [{ role: "user", content: "Hello", name: null }],
      sessionId: undefined,
      workflowId: undefined,
      context: undefined,
      resume: undefined,
    },
  ]);
});

describe("an invalid chunk", () => {
  const wrong = [...sent.slice(0, 2), { type: "text-delta", delta: undefined }] as unknown as StreamChunk[];
  const reason = 'Chunk 3 ("text-delta"): delta must be a string; got undefined.';

  for (const hasRuns of [false, true]) {
    const route = (exposeErrors?: boolean) =>
      createChatRoute({
        agent: { streamChat: () => wrong },
        exposeErrors,
        ...(hasRuns && { runs: { store: createMemoryRunStore() }, authorize: () => "ada" }),
      });

    test(`is reported with its number in the log only, ${hasRuns ? "with runs" : "without runs"}`, async () => {
      server = await listen(route().fetch);
      const chat = createChat({ endpoint: server.url });
      await chat.send("Hello");
      const { error } = chat.getSnapshot();
      expect(error).toMatchObject({ message: "Something went wrong on the server." });
      expect(log.mock.calls).toEqual([
        [expect.stringContaining("invalid-chunk"), expect.objectContaining({ message: reason })],
      ]);
    });

    test(`is reported to the client with exposeErrors, ${hasRuns ? "with runs" : "without runs"}`, async () => {
      server = await listen(route(true).fetch);
      const chat = createChat({ endpoint: server.url });
      await chat.send("Hello");
      expect(chat.getSnapshot().error).toMatchObject({
        message: reason,
        chunk: { code: "invalid-chunk", correlationId: expect.any(String) },
      });
      expect(log).toHaveBeenCalledTimes(1);
      const buffered = await requestChat({ endpoint: server.url, messages }).catch((error: unknown) => error);
      expect(buffered).toMatchObject({ status: 500, body: { error: { message: reason } } });
    });
  }
});
