import { expect, test } from "vitest";
import { createChatRoute } from "../../src/route/create-chat-route.ts";
import { createMemoryRunStore } from "../../src/stores/memory-run-store.ts";
import { toSSE } from "../../src/stream/to-sse.ts";
import { createScriptedAgent } from "../../src/testing/scripted-agent.ts";
import { collectTranscript } from "../../src/testing/transcript.ts";

const delta = (text: string) => ({ type: "text-delta", delta: text }) as const;
const done = "data: [DONE]\n\n";
const question = () =>
  new Request("http://host/", {
    method: "POST",
    headers: { "content-type": "application/json", accept: "text/event-stream" },
    body: JSON.stringify({ messages: [{ role: "user", content: "Hello" }] }),
  });
const frame = (chunk: object) => `data: ${JSON.stringify(chunk)}\n\n`;

test("two answers of a route with runs have the same transcript", async () => {
  const input = { kind: "text" as const, multiple: false as const, question: "Which city?" };
  const agent = createScriptedAgent([
    delta("Hi"),
    { type: "interrupt", requestId: "q", resumeToken: "t", input },
    { type: "done", finishReason: "interrupt" },
  ]);
  const store = createMemoryRunStore();
  const { POST } = createChatRoute({
    agent,
    authorize: () => "ann",
    runs: { store },
    resumeSecret: "0123456789abcdef0123456789abcdef",
  });
  for (let answer = 0; answer < 2; answer++) {
    expect(await collectTranscript(await POST(question()))).toEqual([
      expect.objectContaining({ type: "run-start", runId: "runId-1" }),
      delta("Hi"),
      { type: "interrupt", requestId: "q", resumeToken: "resumeToken-1", input },
      { type: "done", finishReason: "interrupt" },
    ]);
  }
  await store.close();
});

test("random values are numbered by field in their order, and equal ones have one name wherever they are", async () => {
  const [first, second] = [crypto.randomUUID(), crypto.randomUUID()];
  const chunks = [
    { type: "run-start", runId: "a1", continues: "a1" },
    { type: "tool-call-ready", toolCallId: first, tool: "pay", input: { ids: ["a1", second, first] } },
    { type: "tool-call-ready", toolCallId: second, tool: "pay", input: { ids: [null, 1, "call"] } },
    { type: "error", message: `${first.slice(1)}, run ${second}`, correlationId: "b1" },
    { type: "error", message: "no", correlationId: "b2" },
  ];
  expect(await collectTranscript(chunks.map(frame).join("") + done)).toEqual([
    { type: "run-start", runId: "runId-1", continues: "runId-1" },
    {
      type: "tool-call-ready",
      toolCallId: "toolCallId-1",
      tool: "pay",
      input: { ids: ["runId-1", "ids-1", "toolCallId-1"] },
    },
    { type: "tool-call-ready", toolCallId: "ids-1", tool: "pay", input: { ids: [null, 1, "call"] } },
    { type: "error", message: `${first.slice(1)}, run ids-1`, correlationId: "correlationId-1" },
    { type: "error", message: "no", correlationId: "correlationId-2" },
  ]);
});

test("chunks of unknown types are in their place", async () => {
  const chunks = [delta("a"), { type: "future", a: 1 }, delta("b"), { type: "done" }];
  expect(await collectTranscript(chunks.map(frame).join("") + done)).toEqual(chunks);
});

test("a large answer has a transcript", async () => {
  const chunk = { type: "text-delta" as const, delta: "x".repeat(9 * 1024 * 1024) };
  expect((await collectTranscript(toSSE([chunk, { type: "done" }]))).length).toBe(2);
});

test("the error of a stream that was cut, broke or has a wrong chunk has the chunks before it", async () => {
  const text = frame(delta("a"));
  const reset = new Error("reset");
  const pieces = [new TextEncoder().encode(text)];
  const broken = new ReadableStream({
    pull(controller) {
      const piece = pieces.shift();
      if (piece) controller.enqueue(piece);
      else controller.error(reset);
    },
  });
  await expect(
    collectTranscript(new Response(broken, { headers: { "content-type": "text/event-stream" } })),
  ).rejects.toBe(reset);
  expect(reset).toMatchObject({ transcript: [delta("a")] });
  await expect(collectTranscript(text)).rejects.toMatchObject({
    name: "StreamTruncatedError",
    transcript: [delta("a")],
  });
  await expect(collectTranscript(text + frame({ type: "text-delta" }) + done)).rejects.toMatchObject({
    name: "StreamProtocolError",
    code: "invalid-chunk",
    transcript: [delta("a")],
  });
});

test("the beginning of a stream that never ends has a transcript, which leaves the stream", async () => {
  const agent = createScriptedAgent([delta("a"), delta("b"), new Promise(() => {})]);
  const response = await createChatRoute({ agent }).POST(question());
  expect(await collectTranscript(response, { maxChunks: 1 })).toEqual([delta("a")]);
  await expect.poll(() => agent.calls[0]!.isOpen).toBe(false);
  await expect(collectTranscript(done, { maxChunks: -1 })).rejects.toThrow(RangeError);
});

test("a response that is not a stream is shown in the error", async () => {
  const refused = Response.json({ error: "No." }, { status: 403 });
  await expect(collectTranscript(refused)).rejects.toThrow(
    new Error('Expected a stream; got status 403, application/json: {"error":"No."}'),
  );
  await expect(collectTranscript(Response.json({ text: "" }))).rejects.toThrow("got status 200");
  const streamed = { status: 500, headers: { "content-type": "text/event-stream" } };
  await expect(collectTranscript(new Response(done, streamed))).rejects.toThrow("got status 500");
  await expect(collectTranscript(new Response(null))).rejects.toThrow("got status 200, no content-type: ");
});
