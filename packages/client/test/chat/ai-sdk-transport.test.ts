import { afterEach, expect, test, vi } from "vitest";
import {
  type AISDKSendOptions,
  type AISDKTransportOptions,
  createChatTransport,
} from "../../src/chat/ai-sdk-transport.ts";
import { createScriptedFetch } from "../../src/testing/scripted-fetch.ts";
import {
  collect,
  delta,
  doneMarker,
  eventStream,
  frame,
  greeting,
  macrotask,
  streamResponse,
  testBody,
} from "../stream/bodies.ts";

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const transportOf = (options: Partial<AISDKTransportOptions> = {}) =>
  createChatTransport({ endpoint: "/api", ...options });

const request = (options: Partial<AISDKSendOptions> = {}): AISDKSendOptions => ({
  chatId: "s1",
  trigger: "submit-message",
  messageId: undefined,
  messages: [{ id: "1", role: "user", parts: [{ type: "text", text: "Hello" }] }],
  abortSignal: undefined,
  ...options,
});

const typesOf = ({ chunks }: { chunks: { type: string }[] }) => chunks.map(({ type }) => type);
const runStart = (continues?: string) => ({ type: "run-start", runId: "r1", sessionId: "s1", continues });
const whole = streamOf(runStart(), delta("Hi"), { type: "done", finishReason: "stop" }) + doneMarker;

function streamOf(...chunks: object[]): string {
  return chunks.map((chunk, seq) => `id: r1.${seq}\n${frame(chunk)}`).join("");
}

test("posts our body, with what transport and request add to it", async () => {
  const { calls, fetch } = createScriptedFetch(greeting);
  const transport = transportOf({
    fetch,
    body: async () => ({ workflowId: "w" }),
    headers: { a: "1", b: "1" },
  });
  const stream = await transport.sendMessages(request({ body: { context: { c: 1 } }, headers: { B: "2" } }));
  expect(typesOf(await collect(stream))).toEqual([
    "start",
    "start-step",
    "text-start",
    "text-delta",
    "text-end",
    "finish-step",
    "finish",
  ]);
  const { method, body, headers } = calls[0]!.init;
  expect([method, headers.get("a"), headers.get("b")]).toEqual(["POST", "1", "2"]);
  expect(JSON.parse(String(body))).toEqual({
    messages: [{ id: "1", role: "user", content: "Hello" }],
    sessionId: "s1",
    trigger: "send",
    workflowId: "w",
    context: { c: 1 },
  });
});

test("with runs, each request has a key of its own, and a stop before the first chunk names it", async () => {
  const { calls, fetch } = createScriptedFetch(({ method }) =>
    method === "POST" ? new Response(testBody([], { stays: true }).stream, eventStream) : new Response("{}"),
  );
  const transport = transportOf({ fetch, runs: true });
  const abort = new AbortController();
  const reading = collect(await transport.sendMessages(request({ abortSignal: abort.signal })));
  await macrotask();
  abort.abort();
  expect(typesOf(await reading)).toEqual(["start", "message-metadata", "abort"]);
  const key = JSON.parse(String(calls[0]!.init.body)).idempotencyKey;
  expect(key).toMatch(/^[\w-]{36}$/);
  await vi.waitFor(() => expect(calls).toHaveLength(2));
  expect([calls[1]!.init.method, calls[1]!.url]).toEqual(["DELETE", `/api?key=${key}`]);
});

test("a stop names the run, leaves its connection and ends the stream with what has come", async () => {
  const body = testBody([streamOf(runStart(), delta("Hi"))], { stays: true });
  const { calls, fetch } = createScriptedFetch(({ method }) =>
    method === "POST" ? new Response(body.stream, eventStream) : new Response("{}"),
  );
  const abort = new AbortController();
  const stream = await transportOf({ fetch, runs: true }).sendMessages(
    request({ abortSignal: abort.signal }),
  );
  const reading = collect(stream);
  await vi.waitFor(() => expect(body.pulls).toBe(2));
  abort.abort();
  expect(typesOf(await reading).slice(-4)).toEqual(["text-end", "finish-step", "message-metadata", "abort"]);
  await vi.waitFor(() => expect(calls.map(({ url }) => url)).toEqual(["/api", "/api?run=r1"]));
  await vi.waitFor(() => expect(body.cancelled).toBeDefined());
});

test("a reader that leaves without a stop leaves the run alone", async () => {
  const body = testBody([streamOf(runStart(), delta("Hi"))], { stays: true });
  const { calls, fetch } = createScriptedFetch(() => new Response(body.stream, eventStream));
  const stream = await transportOf({ fetch, runs: true }).sendMessages(request());
  for await (const { type } of stream) if (type === "text-delta") break;
  await vi.waitFor(() => expect(body.cancelled).toBeDefined());
  expect(calls).toHaveLength(1);
});

test("a stop that fails is reported; one of a run that has ended is not", async () => {
  const log = vi.spyOn(console, "error").mockImplementation(() => {});
  const onStopError = vi.fn();
  for (const [status, options] of [
    [500, { onStopError }],
    [404, { onStopError }],
    [500, {}],
  ] as const) {
    const { calls, fetch } = createScriptedFetch(({ method }) =>
      method === "POST"
        ? new Response(testBody([streamOf(runStart())], { stays: true }).stream, eventStream)
        : new Response("{}", { status }),
    );
    const abort = new AbortController();
    const transport = transportOf({ fetch, runs: true, ...options });
    const reading = collect(await transport.sendMessages(request({ abortSignal: abort.signal })));
    await vi.waitFor(() => expect(calls).toHaveLength(1));
    abort.abort();
    await reading;
    await vi.waitFor(() => expect(calls).toHaveLength(2));
    await macrotask();
  }
  await vi.waitFor(() => expect(log).toHaveBeenCalledOnce());
  expect(log.mock.calls[0]).toMatchObject(["The answer could not be stopped.", { status: 500 }]);
  expect(onStopError.mock.calls).toMatchObject([[{ name: "StreamHttpError", status: 500 }]]);
});

test("what fails without an answer is the error of the stream", async () => {
  const { fetch } = createScriptedFetch(() => new Response('{"error":"No such workflow."}', { status: 400 }));
  const { error } = await collect(await transportOf({ fetch }).sendMessages(request()));
  expect(error).toMatchObject({ name: "StreamHttpError", status: 400 });
});

test("a request that is refused for its headers is repeated only if a function may return others", async () => {
  for (const [headers, count] of [
    [{ a: "1" }, 1],
    [() => ({ a: "1" }), 2],
  ] as const) {
    const { calls, fetch } = createScriptedFetch(() => new Response(null, { status: 401 }));
    const stream = await transportOf({ fetch, headers }).sendMessages(request({ headers: { b: "2" } }));
    expect((await collect(stream)).error).toMatchObject({ status: 401 });
    expect(calls).toHaveLength(count);
    expect(Object.fromEntries(calls.at(-1)!.init.headers)).toMatchObject({ a: "1", b: "2" });
  }
});

test("an answer that is cut off keeps what came, and fails with our error", async () => {
  const { fetch } = createScriptedFetch(
    () => new Response(testBody([frame(delta("Ha"))]).stream, eventStream),
  );
  const { chunks, error } = await collect(await transportOf({ fetch }).sendMessages(request()));
  expect(chunks.at(-1)).toEqual({ type: "text-delta", id: "text-1", delta: "Ha" });
  expect(error).toMatchObject({ name: "StreamTruncatedError" });
});

test("the calls of a continued answer get their results, not parts of their own", async () => {
  const result = { type: "tool-call-result", toolCallId: "c1", tool: "locate", content: "Rome" };
  const { fetch } = createScriptedFetch(() => streamResponse(frame(result) + frame({ type: "done" })));
  const part = { type: "tool-locate", toolCallId: "c1", state: "input-available", input: {} };
  const messages = [{ id: "2", role: "assistant", parts: [part] }];
  const { chunks } = await collect(await transportOf({ fetch }).sendMessages(request({ messages })));
  expect(chunks.slice(0, 2)).toEqual([
    { type: "start", messageId: "2" },
    { type: "tool-output-available", toolCallId: "c1", output: "Rome" },
  ]);
});

test("reconnecting finds nothing where no run is open: none, no runs at all, and one that has ended", async () => {
  for (const respond of [
    () => new Response(null, { status: 204 }),
    () => new Response("{}", { status: 404 }),
    () => new Response("{}", { status: 405 }),
    () => streamResponse(whole),
  ]) {
    const { calls, fetch } = createScriptedFetch(respond);
    expect(await transportOf({ fetch }).reconnectToStream({ chatId: "s 1" })).toBeNull();
    expect(calls.map(({ url, init }) => [url, init.method])).toEqual([["/api?session=s+1", "GET"]]);
  }
});

test("reconnecting follows an open run from its beginning, and knows whether it continues a message", async () => {
  for (const continues of [undefined, "m1"]) {
    const body = testBody([streamOf(runStart(continues), delta("Hi"))], { stays: true });
    const { fetch } = createScriptedFetch(() => new Response(body.stream, eventStream));
    const transport = transportOf({ fetch });
    expect(transport.resumeStreamIsReplay).toBe(true);
    const stream = await transport.reconnectToStream({ chatId: "s1" });
    expect(transport.resumeStreamIsReplay).toBe(continues === undefined);
    const reading = collect(stream!);
    body.push(`id: r1.2\n${frame({ type: "done", finishReason: "stop" })}${doneMarker}`);
    const { chunks } = await reading;
    expect(chunks[0]).toMatchObject({ type: "start", messageId: continues ?? "r1" });
    expect(chunks.at(-1)).toEqual({ type: "finish", finishReason: "stop" });
  }
});

test("options of the wrong type are refused at once", () => {
  expect(() => transportOf({ endpoint: 1 as never })).toThrow(TypeError);
  for (const name of ["isDynamicTool", "onStopError", "onConnectionChange"]) {
    expect(() => transportOf({ [name]: 1 })).toThrow(name);
  }
});

test("a reconnect whose headers are invalid leaves no listener on the signal", async () => {
  const transport = createChatTransport({ endpoint: "/api/chat", headers: { "not a name": "1" } });
  const { signal } = new AbortController();
  const added = vi.spyOn(signal, "addEventListener");
  const removed = vi.spyOn(signal, "removeEventListener");
  await expect(transport.reconnectToStream({ chatId: "c", abortSignal: signal })).rejects.toThrow();
  expect(added).toHaveBeenCalled();
  expect(removed).toHaveBeenCalledTimes(added.mock.calls.length);
});
