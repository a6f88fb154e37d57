import { describe, expect, test } from "vitest";
import type { AISDKChunk } from "../src/ai-sdk-chunks.ts";
import { createAISDKTranslator, toAISDK } from "../src/ai-sdk-translator.ts";
import type { StreamChunk } from "../src/chunks.ts";
import { contentOf, translate, typesOf } from "./ai-sdk-events.ts";
import { sampleSequences } from "./chunk-sequences.ts";

const text = (delta: string) => ({ type: "text-delta", delta }) as const;
const call = { toolCallId: "c1", tool: "search" };
const ready: StreamChunk = { type: "tool-call-ready", ...call, input: {} };
const result: StreamChunk = { type: "tool-call-result", ...call, content: "found" };
const stop: StreamChunk = { type: "done", finishReason: "stop" };
const stepsOf = (events: AISDKChunk[]) => typesOf(events).filter((type) => type.endsWith("-step"));

test("a text is a message with one step", () => {
  const events = translate([
    { type: "run-start", runId: "r1", sessionId: "s1" },
    text("Hello"),
    text(", world"),
    { ...stop, usage: { totalTokens: 3 } } as StreamChunk,
  ]);
  expect(events).toEqual([
    { type: "start", messageId: "r1", messageMetadata: { kortyx: { sessionId: "s1" } } },
    { type: "start-step" },
    { type: "text-start", id: "text-1" },
    { type: "text-delta", id: "text-1", delta: "Hello" },
    { type: "text-delta", id: "text-1", delta: ", world" },
    { type: "text-end", id: "text-1" },
    { type: "finish-step" },
    { type: "finish", finishReason: "stop", messageMetadata: { kortyx: { usage: { totalTokens: 3 } } } },
  ]);
});

describe("the id of the message", () => {
  const idOf = (chunks: StreamChunk[], options = {}) =>
    (translate(chunks, options)[0] as { messageId?: string }).messageId;
  const run = { type: "run-start", runId: "r1" } as const;

  test("is that of the run, before the option", () => {
    expect(idOf([{ type: "session", sessionId: "s" }, run], { messageId: "m" })).toBe("r1");
    expect(idOf([text("Hi")], { messageId: "m" })).toBe("m");
    expect(idOf([text("Hi")])).toBeUndefined();
  });

  test("is that of the continued message, as the run or the request names it", () => {
    expect(idOf([{ ...run, continues: "a1" }])).toBe("a1");
    expect(idOf([run], { continuedMessage: { id: "a1", parts: [] } })).toBe("a1");
  });

  test("waits for the run, however often there is nothing to send", () => {
    const translator = createAISDKTranslator();
    expect([
      translator.flush(),
      translator.translate({ type: "session", sessionId: "s" }),
      translator.flush(),
    ]).toEqual([[], [], []]);
    expect(translator.translate(run)).toMatchObject([{ type: "start", messageId: "r1" }]);
  });
});

describe("steps", () => {
  test("of the agent's own are kept, and their facts are metadata of the message", () => {
    const events = translate([
      { type: "step-start", stepId: "1" },
      text("a"),
      { type: "step-end", stepId: "1", model: "m", usage: { totalTokens: 1 } },
      { type: "step-start", stepId: "2" },
      text("b"),
      stop,
    ]);
    expect(stepsOf(events)).toEqual(["start-step", "finish-step", "start-step", "finish-step"]);
    expect(events).toContainEqual({
      type: "message-metadata",
      messageMetadata: { kortyx: { steps: { 1: { model: "m", usage: { totalTokens: 1 } } } } },
    });
  });

  test("without the agent's own, a text after the results of calls begins one", () => {
    const open = { ...ready, toolCallId: "c2" } as StreamChunk;
    expect(stepsOf(translate([text("a"), ready, result, text("b"), stop]))).toHaveLength(4);
    expect(stepsOf(translate([text("a"), ready, text("b"), result, text("c"), stop]))).toHaveLength(4);
    expect(stepsOf(translate([ready, open, result, text("b"), { type: "done" }]))).toHaveLength(2);
    const own = [{ type: "step-start", stepId: "1" }, ready, result, text("b"), stop] as StreamChunk[];
    // With the empty one that the page needs.
    expect(stepsOf(translate(own))).toHaveLength(4);
  });

  test("an empty one follows calls that no page has to answer, in an event that the page shows", () => {
    for (const end of [stop, { type: "abort", reason: "stopped" } as const]) {
      const events = translate([ready, result, end]);
      expect(typesOf(events).slice(-4, -1)).toEqual(
        end === stop
          ? ["finish-step", "start-step", "finish-step"]
          : ["start-step", "finish-step", "message-metadata"],
      );
      if (end === stop) expect(events.at(-1)).toHaveProperty("messageMetadata");
    }
    for (const finishReason of ["tool-calls", "interrupt"]) {
      expect(stepsOf(translate([ready, { type: "done", finishReason }]))).toHaveLength(2);
    }
    const provider = { ...ready, executor: "provider" } as StreamChunk;
    expect(stepsOf(translate([provider, result, stop]))).toHaveLength(2);
    // A call that is open may wait for the page.
    expect(stepsOf(translate([ready, { type: "done" }]))).toHaveLength(2);
    expect(stepsOf(translate([ready, result, { type: "done" }]))).toHaveLength(4);
  });
});

test("an abort that its reader has not asked for is an error: the SDK shows an aborted answer as a whole one", () => {
  const endOf = (reason: string) => translate([text("Hel"), { type: "abort", reason }]).slice(-2);
  expect(["stopped", "cancelled"].map((reason) => endOf(reason).at(-1))).toEqual([
    { type: "abort", reason: "stopped" },
    { type: "abort", reason: "cancelled" },
  ]);
  const message = "The answer was stopped before it was complete.";
  expect(endOf("timeout")).toEqual([
    { type: "message-metadata", messageMetadata: { kortyx: { error: { message, code: "abort:timeout" } } } },
    { type: "error", errorText: message },
  ]);
});

describe("metadata", () => {
  test("of the application is at the top, and ours has a key of its own", () => {
    const events = translate([
      { type: "metadata", metadata: { model: "m" } },
      { type: "checkpoint", id: "1", sessionId: "s", turnIndex: 0 },
      { type: "session", sessionId: "s" },
      { type: "done", finishReason: "pause", data: 1, pendingToolCallIds: ["x"] },
    ]);
    const all = events.flatMap((event) => ("messageMetadata" in event ? [event.messageMetadata] : []));
    expect(all).toEqual([
      { model: "m" },
      { kortyx: { checkpoint: { id: "1", sessionId: "s", turnIndex: 0 } } },
      { kortyx: { sessionId: "s" } },
      { kortyx: { finishReason: "pause", data: 1 } },
    ]);
    expect(events.at(-1)).toMatchObject({ finishReason: "other" });
  });

  test("names the calls that wait for the page without saying so", () => {
    const marked = { ...ready, toolCallId: "c2", executor: "client" } as StreamChunk;
    const end = { type: "done", finishReason: "tool-calls", pendingToolCallIds: ["c1", "c2"] } as const;
    expect(translate([ready, marked, end]).at(-1)).toMatchObject({
      messageMetadata: { kortyx: { pendingToolCallIds: ["c1"] } },
    });
  });
});

describe("an error", () => {
  const error = { type: "error", message: "No.", code: "internal", retryable: true } as const;

  test("at the end is the end, with its facts before it", () => {
    for (const rest of [[], [{ type: "text-end" }, { type: "done" }], [{ type: "status", message: "x" }]]) {
      const events = translate([text("Hi"), error, ...(rest as StreamChunk[])]);
      expect(events.slice(-3)).toEqual([
        { type: "finish-step" },
        { type: "message-metadata", messageMetadata: { kortyx: { error: { ...error, type: undefined } } } },
        { type: "error", errorText: "No." },
      ]);
      expect(typesOf(events).filter((type) => type === "data-error")).toEqual([]);
    }
  });

  test("before anything else is a warning, which the page gets for the moment", () => {
    for (const next of [text("Hi"), stop, { ...error, message: "Again." }]) {
      const warnings = translate([error, next]).filter(({ type }) => type === "data-error");
      expect(warnings).toEqual([{ type: "data-error", data: error, transient: true }]);
    }
  });

  test("stands for the end of a stream that was cut off, unless the agent sent one", () => {
    expect(translate([text("Hi")], {}, "truncated").at(-1)).toEqual({
      type: "error",
      errorText: "The answer was cut off.",
    });
    expect(translate([error], {}, "truncated").at(-1)).toEqual({ type: "error", errorText: "No." });
  });

  test("that the stream throws follows the events that end it", async () => {
    async function* answer() {
      yield text("Hel");
      throw new Error("The model is down.");
    }
    const events: AISDKChunk[] = [];
    const reading = async () => {
      for await (const event of toAISDK(answer())) events.push(event);
    };
    await expect(reading()).rejects.toThrow("The model is down.");
    expect(typesOf(events).slice(-4)).toEqual(["text-end", "finish-step", "message-metadata", "error"]);
  });
});

test("a source has its page or its document, and an unsafe URL is left out", () => {
  const source = { type: "source", id: "1", providerMetadata: { openai: { a: 1 } } } as const;
  const events = translate([
    { ...source, url: "https://example.com", title: "A", mediaType: "text/html", name: "a.html" },
    { ...source, url: "javascript:alert(1)", name: "a.pdf" },
  ]);
  expect(contentOf(events)).toEqual([
    {
      type: "source-url",
      sourceId: "1",
      url: "https://example.com",
      title: "A",
      providerMetadata: { openai: { a: 1 }, kortyx: { mediaType: "text/html", name: "a.html" } },
    },
    {
      type: "source-document",
      sourceId: "1",
      mediaType: "application/octet-stream",
      title: "a.pdf",
      filename: "a.pdf",
      providerMetadata: { openai: { a: 1 } },
    },
  ]);
});

test("of a file in stages, the page keeps the last, and sees the others", () => {
  const file = { type: "file", mediaType: "image/png", id: "f" } as const;
  const [first, second] = [
    { ...file, url: "https://example.com/1.png" },
    { ...file, url: "https://example.com/2.png" },
  ];
  expect(contentOf(translate([first, second, stop]))).toEqual([
    { type: "data-file", id: "f", data: first, transient: true },
    { type: "data-file", id: "f", data: second, transient: true },
    { type: "file", mediaType: "image/png", url: "https://example.com/2.png" },
  ]);
});

test("metadata of providers is an object for each, and ours is never theirs", () => {
  const providerMetadata = JSON.parse('{"a":1,"b":{"c":2},"kortyx":{"resumeToken":"x"},"__proto__":{"d":3}}');
  const [event] = contentOf(
    translate([{ type: "file", mediaType: "a/b", url: "https://a.b", providerMetadata }]),
  );
  expect(event).toEqual({
    type: "file",
    mediaType: "a/b",
    url: "https://a.b",
    providerMetadata: { b: { c: 2 } },
  });
});

test("keys that the SDK's parser refuses are left out, at every depth", () => {
  const data = JSON.parse(
    '{"list":[{"__proto__":1,"constructor":{"prototype":1},"kept":2}],"constructor":3}',
  );
  const [event] = contentOf(translate([{ type: "data", name: "a", data }]));
  expect(JSON.stringify(event)).toBe('{"type":"data-a","data":{"list":[{"kept":2}],"constructor":3}}');
});

test("any chunks become one message that ends once, with every text opened and closed", () => {
  for (const [index, chunks] of sampleSequences(2, 300).entries()) {
    const translator = createAISDKTranslator();
    const events = chunks.flatMap((chunk) => translator.translate(chunk));
    events.push(...translator.end(index % 2 ? "complete" : "truncated"));
    expect(events[0]?.type).toBe("start");
    const open = new Set<string>();
    for (const event of events) {
      if (event.type === "text-start" || event.type === "reasoning-start") open.add(event.type + event.id);
      if (event.type === "text-delta") expect(open).toContain(`text-start${event.id}`);
      if (event.type === "reasoning-delta") expect(open).toContain(`reasoning-start${event.id}`);
      if (event.type === "text-end") open.delete(`text-start${event.id}`);
      if (event.type === "reasoning-end") open.delete(`reasoning-start${event.id}`);
    }
    expect([...open]).toEqual([]);
    const ends = typesOf(events).filter((type) => /^(finish|abort|error)$/.test(type));
    expect(ends).toEqual([events.at(-1)!.type]);
    expect(translator.translate({ type: "text-delta", delta: "late" })).toEqual([]);
    expect(translator.flush()).toEqual([]);
    expect(translator.end("truncated")).toEqual([]);
  }
});

test("events before a cut are the same as without it", () => {
  for (const chunks of sampleSequences(5, 60)) {
    const translator = createAISDKTranslator();
    const whole = chunks.flatMap((chunk) => translator.translate(chunk));
    for (let at = 0; at <= chunks.length; at++) {
      const cut = createAISDKTranslator();
      const events = chunks.slice(0, at).flatMap((chunk) => cut.translate(chunk));
      expect(events).toEqual(whole.slice(0, events.length));
    }
  }
});
