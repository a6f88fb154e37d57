import { reduceMessage, type StreamChunk, StreamTruncatedError } from "@kortyx/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";
import { fromOpenAIResponses } from "../../src/openai.ts";
import { call, message, read, streamOf } from "./openai-responses-kit.ts";
import { toEvents, toItemEvents } from "./openai-responses-wire.ts";

test("a text is streamed, with the facts first and the end last", async () => {
  const { chunks, turn } = await read(toEvents([message("Hello")]));
  expect(chunks).toEqual([
    { type: "metadata", metadata: { openai: { id: "resp_1", model: "gpt-5.2", service_tier: "default" } } },
    { type: "text-start", segmentId: "resp_1:0:0" },
    { type: "text-delta", segmentId: "resp_1:0:0", delta: "Hel" },
    { type: "text-delta", segmentId: "resp_1:0:0", delta: "lo" },
    { type: "text-end", segmentId: "resp_1:0:0", providerMetadata: { openai: { item_id: "msg_1" } } },
    {
      type: "done",
      finishReason: "stop",
      usage: {
        inputTokens: 12,
        outputTokens: 30,
        totalTokens: 42,
        reasoningTokens: 9,
        cachedInputTokens: 4,
        cacheWriteInputTokens: 0,
      },
      usageByModel: [
        {
          provider: "openai",
          model: "gpt-5.2",
          inputTokens: 12,
          outputTokens: 30,
          totalTokens: 42,
          reasoningTokens: 9,
          cachedInputTokens: 4,
          cacheWriteInputTokens: 0,
        },
      ],
    },
  ]);
  expect(turn).toMatchObject({ finishReason: "stop", model: "gpt-5.2", toolCalls: [] });
});

test("one turn of a loop ends without done", async () => {
  const { chunks, turn } = await read(toEvents([message("Hello")]), { terminal: false });
  expect(chunks.at(-1)).toMatchObject({ type: "text-end" });
  expect(turn.usage?.totalTokens).toBe(42);
});

test("facts that change are sent again, before the end", async () => {
  const events = toEvents([message("Hello")]);
  (events.at(-1)!.response as Record<string, unknown>).service_tier = "priority";
  const { chunks } = await read(events);
  expect(chunks.at(-2)).toEqual({
    type: "metadata",
    metadata: { openai: { id: "resp_1", model: "gpt-5.2", service_tier: "priority" } },
  });
});

test("each delta is sent before the next event is requested", async () => {
  const events = toItemEvents(message("Hello"), 0);
  let requested = 0;
  const stream = fromOpenAIResponses(
    (async function* () {
      for (const event of events) {
        requested++;
        yield event;
      }
    })(),
  );
  await stream.next();
  expect((await stream.next()).value).toMatchObject({ type: "text-delta", delta: "Hel" });
  expect(requested).toBe(3);
});

test("a response that fails throws what OpenAI reports", async () => {
  const events = toEvents([message("Hello")]);
  const error = { code: "rate_limit_exceeded", message: "Too many tokens" };
  events.splice(-1, 1, { type: "response.failed", response: { error } });
  const thrown = {
    name: "ProviderError",
    provider: "OpenAI",
    code: "rate_limit_exceeded",
    message: "OpenAI reports a failure: Too many tokens",
  };
  await expect(read(events)).rejects.toMatchObject(thrown);
  await expect(read([{ type: "error", ...error, param: null }])).rejects.toMatchObject(thrown);
  await expect(read([{ type: "error", error }])).rejects.toMatchObject(thrown);
  const bare = [{ type: "response.failed", response: {} }];
  await expect(read(bare)).rejects.toThrow("OpenAI reports a failure: null");
});

test("an aborted signal throws its reason, whether the SDK ends or continues", async () => {
  const controller = new AbortController();
  controller.abort(new Error("The client left"));
  const { signal } = controller;
  await expect(read([], { signal })).rejects.toThrow("The client left");
  await expect(read(toEvents([message("Hello")]), { signal })).rejects.toThrow("The client left");
});

test("after an abort, nothing more is sent", async () => {
  const controller = new AbortController();
  const chunks: StreamChunk[] = [];
  const reading = (async () => {
    for await (const chunk of fromOpenAIResponses(streamOf(toEvents([message("Hello")])), controller)) {
      chunks.push(chunk);
      controller.abort(new Error("The client left"));
    }
  })();
  await expect(reading).rejects.toThrow("The client left");
  expect(chunks.map(({ type }) => type)).toEqual(["metadata"]);
});

test("what this version does not know is passed over, and reported", async () => {
  const unknown: unknown[] = [];
  const events = toEvents([{ type: "hologram", id: "h_1" }]);
  events.splice(2, 0, { type: "response.hologram.delta" });
  events.splice(2, 0, {
    type: "response.content_part.done",
    item_id: "m",
    output_index: 0,
    content_index: 0,
    part: { type: "smell" },
  });
  const { chunks } = await read(events, { onUnknown: (event) => unknown.push(event) });
  expect(unknown).toMatchObject([
    { type: "smell" },
    { type: "response.hologram.delta" },
    { type: "hologram" },
  ]);
  expect(chunks.map(({ type }) => type)).toEqual(["metadata", "done"]);
});

test("usage of nothing is left out", async () => {
  const { turn } = await read(toEvents([message("Hi")], { usage: { input_tokens: 0, output_tokens: 0 } }));
  expect([turn.usage, turn.usageByModel]).toEqual([undefined, undefined]);
});

test("a transcript is a text", async () => {
  const events = toEvents([]);
  events.splice(
    2,
    0,
    { type: "response.audio.delta", delta: "AAAA" },
    { type: "response.audio.transcript.delta", delta: "Hel" },
    { type: "response.audio.transcript.delta", delta: "lo" },
    { type: "response.audio.transcript.done" },
  );
  const { chunks } = await read(events);
  expect(reduceMessage(chunks).parts).toMatchObject([{ type: "text", text: "Hello", state: "done" }]);
});

const whole = toEvents([
  { type: "reasoning", id: "rs_1", summary: [{ type: "summary_text", text: "Let me see" }] },
  message("It is 21 °C."),
  call(),
  { type: "mcp_call", id: "mcp_1", name: "find", server_label: "wiki", arguments: "{}", output: "Found." },
]);

test("a stream that is cut anywhere throws, after exactly a prefix of its chunks", async () => {
  const { chunks: expected } = await read(whole);
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: whole.length - 1 }), async (length) => {
      const stream = fromOpenAIResponses(streamOf(whole.slice(0, length)));
      const chunks: StreamChunk[] = [];
      const reading = (async () => {
        for await (const chunk of stream) chunks.push(chunk);
      })();
      await expect(reading).rejects.toBeInstanceOf(StreamTruncatedError);
      expect(chunks).toEqual(expected.slice(0, chunks.length));
      const said = whole
        .slice(0, length)
        .flatMap(({ type, delta }) => (type === "response.output_text.delta" ? [delta] : []));
      const shown = chunks.flatMap((chunk) => (chunk.type === "text-delta" ? [chunk.delta] : []));
      expect(shown).toEqual(said);
    }),
  );
});
