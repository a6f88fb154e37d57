import { describe, expect, test } from "vitest";
import type { ChatMessagePart } from "../src/chat-request.ts";
import type { InterruptChunk, StreamChunk } from "../src/chunks.ts";
import { contentOf, translate, typesOf } from "./ai-sdk-events.ts";

const call = { toolCallId: "c1", tool: "pay" };
const start: StreamChunk = { type: "tool-call-start", ...call };
const delta = (text: string): StreamChunk => ({ type: "tool-call-delta", toolCallId: "c1", delta: text });
const ready: StreamChunk = { type: "tool-call-ready", ...call, input: { euros: 20 } };
const result: StreamChunk = { type: "tool-call-result", ...call, content: "ok" };
const available = { type: "tool-input-available", toolCallId: "c1", toolName: "pay", input: { euros: 20 } };
const output = { type: "tool-output-available", toolCallId: "c1", output: "ok" };
const question: InterruptChunk = {
  type: "interrupt",
  requestId: "q1",
  resumeToken: "t1",
  toolCallId: "c1",
  reason: "tool-approval",
  input: {
    kind: "choice",
    multiple: false,
    question: "Pay?",
    options: [
      { id: "approve", label: "Pay" },
      { id: "deny", label: "Cancel" },
    ],
  },
};
const resolved = (answer: unknown, outcome = "answered"): StreamChunk => ({
  type: "interrupt-resolved",
  requestId: "q1",
  outcome,
  answer,
});
const eventsOf = (...chunks: StreamChunk[]) => contentOf(translate(chunks));

describe("a call", () => {
  test("has its start, the pieces of its input, the input and its result", () => {
    expect(eventsOf(start, delta('{"euros":'), delta(""), delta("20}"), ready, result)).toEqual([
      { type: "tool-input-start", toolCallId: "c1", toolName: "pay" },
      { type: "tool-input-delta", toolCallId: "c1", inputTextDelta: '{"euros":' },
      { type: "tool-input-delta", toolCallId: "c1", inputTextDelta: "20}" },
      available,
      output,
    ]);
  });

  test("has what describes it, also what only its start said", () => {
    const described = {
      title: "Paying",
      isDynamic: true,
      inputFormat: "text",
      executor: "provider",
    } as const;
    const providerMetadata = { openai: { itemId: "1" }, "ai-sdk": { toolMetadata: { a: 1 } } };
    const [first, second, third] = eventsOf(
      { ...start, ...described, providerMetadata } as StreamChunk,
      ready,
      result,
    );
    const common = { toolCallId: "c1", dynamic: true, providerExecuted: true };
    const whole = { ...common, toolName: "pay", title: "Paying", toolMetadata: { a: 1 }, providerMetadata };
    expect(first).toEqual({ type: "tool-input-start", ...whole, inputEncoding: "text" });
    expect(second).toEqual({ type: "tool-input-available", ...whole, input: { euros: 20 } });
    expect(third).toEqual({ type: "tool-output-available", ...common, output: "ok" });
  });

  test("is dynamic by its own chunks before the option, and stays what it began as", () => {
    const isDynamicTool = (tool: string) => tool === "pay";
    const dynamicOf = (...chunks: StreamChunk[]) =>
      contentOf(translate(chunks, { isDynamicTool })).map((event) => (event as { dynamic?: true }).dynamic);
    expect(dynamicOf(start, ready)).toEqual([true, true]);
    expect(
      dynamicOf({ ...start, isDynamic: false } as StreamChunk, { ...ready, isDynamic: true } as StreamChunk),
    ).toEqual([undefined, undefined]);
  });

  test("is not made ready twice for one input, which a page would run twice, nor partial again", () => {
    expect(eventsOf(start, ready, delta("{"), ready, start)).toEqual([
      { type: "tool-input-start", toolCallId: "c1", toolName: "pay" },
      available,
    ]);
  });

  test("without a start has one where its pieces or its result need it", () => {
    expect(typesOf(eventsOf(delta("{")))).toEqual(["tool-input-start", "tool-input-delta"]);
    expect(typesOf(eventsOf(result))).toEqual(["tool-input-start", "tool-output-available"]);
  });

  test("of a page has what its result needs", () => {
    const [event] = eventsOf({
      ...ready,
      executor: "client",
      resumeToken: "t",
      parentSegmentId: "1",
    } as StreamChunk);
    expect(event).toEqual({
      ...available,
      providerMetadata: { kortyx: { executor: "client", parentSegmentId: "1", resumeToken: "t" } },
    });
  });
});

describe("a result", () => {
  test("of both forms is one value, and marked as that", () => {
    const both = {
      ...result,
      structuredContent: { id: 1 },
      providerMetadata: { a: { b: 1 } },
    } as StreamChunk;
    expect(eventsOf(ready, both).at(-1)).toEqual({
      ...output,
      output: { content: "ok", structuredContent: { id: 1 } },
      providerMetadata: { a: { b: 1 }, kortyx: { isPair: true } },
    });
  });

  test("that is an error keeps its content beside the text", () => {
    const failed = (content: unknown) =>
      eventsOf(ready, { ...result, content, isError: true } as StreamChunk).at(-1);
    expect(failed("No money")).toEqual({
      type: "tool-output-error",
      toolCallId: "c1",
      errorText: "No money",
      providerMetadata: { kortyx: { content: "No money" } },
    });
    expect(failed({ left: 1 })).toMatchObject({
      errorText: '{"left":1}',
      providerMetadata: { kortyx: { content: { left: 1 } } },
    });
  });

  test("so far is preliminary, and none follows the result", () => {
    const progress: StreamChunk = { type: "tool-call-progress", ...call, content: "o" };
    expect(eventsOf(ready, progress, result, progress)).toEqual([
      available,
      { ...output, output: "o", preliminary: true },
      output,
    ]);
  });

  test("without an id is that of the newest open call of its tool, or of a call of its own", () => {
    const other = { ...ready, toolCallId: "c2" } as StreamChunk;
    const legacy: StreamChunk = { type: "tool-result", tool: "pay", content: 1 };
    const ids = eventsOf(ready, other, legacy, legacy, legacy, legacy)
      .filter(({ type }) => type === "tool-output-available")
      .map((event) => (event as { toolCallId: string }).toolCallId);
    expect(ids).toEqual(["c2", "c1", "tool-result", "tool-result:2"]);
  });

  test("has what comes for it later", () => {
    const later: StreamChunk = {
      type: "part-metadata",
      toolCallId: "c1",
      isResult: true,
      providerMetadata: { anthropic: { id: "1" } },
    };
    expect(eventsOf(ready, result, later).at(-1)).toEqual({
      ...output,
      providerMetadata: later.providerMetadata,
    });
    // What belongs to the call itself would run it again, unless the provider does.
    const ofCall = { ...later, isResult: false };
    expect(typesOf(eventsOf(ready, ofCall))).toEqual(["tool-input-available"]);
    expect(eventsOf({ ...ready, executor: "provider" } as StreamChunk, ofCall).at(-1)).toEqual({
      ...available,
      providerExecuted: true,
      providerMetadata: later.providerMetadata,
    });
  });
});

describe("a failure", () => {
  const error: StreamChunk = {
    type: "tool-call-error",
    ...call,
    message: "Not JSON",
    code: "invalid-input",
    input: "{",
  };
  const providerMetadata = { kortyx: { code: "invalid-input" } };

  test("before the input is whole is one of the input", () => {
    const event = { type: "tool-input-error", toolCallId: "c1", toolName: "pay", errorText: "Not JSON" };
    expect(eventsOf(error)).toEqual([{ ...event, input: "{", providerMetadata }]);
    expect(eventsOf(start, error).at(-1)).toEqual({ ...event, input: "{", providerMetadata });
  });

  test("otherwise is one of the output, also in a later step, where the part would be doubled", () => {
    const event = { type: "tool-output-error", toolCallId: "c1", errorText: "Not JSON", providerMetadata };
    expect(eventsOf(ready, error).at(-1)).toEqual(event);
    expect(eventsOf(start, { type: "step-start", stepId: "2" }, error).at(-1)).toEqual(event);
  });
});

describe("an id that is used again after its result", () => {
  test("is another one for the page, which knows the agent's", () => {
    const again = { ...ready, input: { euros: 30 } } as StreamChunk;
    expect(eventsOf(ready, result, again, result).slice(2)).toEqual([
      {
        ...available,
        toolCallId: "c1:2",
        input: { euros: 30 },
        providerMetadata: { kortyx: { toolCallId: "c1" } },
      },
      { ...output, toolCallId: "c1:2" },
    ]);
  });

  test("is never one that another call has", () => {
    const named = (toolCallId: string, euros: number) =>
      [
        { ...ready, toolCallId, input: { euros } },
        { ...result, toolCallId },
      ] as StreamChunk[];
    const ids = eventsOf(...named("c1:2", 1), ...named("c1", 1), ...named("c1", 2), ...named("__proto__", 1))
      .filter(({ type }) => type === "tool-input-available")
      .map((event) => (event as { toolCallId: string }).toolCallId);
    expect(ids).toEqual(["c1:2", "c1", "c1:3", "__proto__"]);
  });
});

describe("the calls of a continued message", () => {
  const part: ChatMessagePart = { type: "tool-call", ...call, state: "running", input: { euros: 20 } };
  const continued = (chunks: StreamChunk[], ...parts: ChatMessagePart[]) =>
    contentOf(translate(chunks, { continuedMessage: { id: "m1", parts } }));

  test("get their results, and no second part, also if their input was changed", () => {
    expect(continued([start, ready, result], part)).toEqual([output]);
    const changed = { ...ready, input: { euros: 5 } } as StreamChunk;
    expect(continued([changed, result], part)).toEqual([output]);
  });

  test("are counted for the ids of later ones", () => {
    const done: ChatMessagePart = { ...part, state: "done", content: "ok" };
    const events = continued([result, { ...ready, input: { euros: 5 } } as StreamChunk], done, part);
    expect(events).toMatchObject([{ ...output, toolCallId: "c1:2" }, { toolCallId: "c1:3" }]);
  });

  test("that are refused keep their question", () => {
    expect(typesOf(continued([{ type: "tool-call-denied", ...call }], part))).toEqual(["tool-output-denied"]);
  });

  test("from a client that sends anything are passed over", () => {
    const strange = [
      null,
      1,
      { type: "tool-call" },
      { ...part, toolCallId: 1 },
      { ...part, tool: null },
    ] as never[];
    expect(typesOf(continued([ready], ...strange))).toEqual(["tool-input-available"]);
  });
});

describe("a question about a call", () => {
  const request = {
    type: "tool-approval-request",
    approvalId: "q1",
    toolCallId: "c1",
    reason: "Pay?",
    signature: "t1",
  };

  test("is a request for approval, and its answer a response that marks the question as closed", () => {
    expect(eventsOf(ready, question, resolved("approve"), result)).toEqual([
      available,
      request,
      {
        type: "tool-approval-response",
        approvalId: "q1",
        approved: true,
        providerMetadata: { kortyx: { resolved: "q1" } },
      },
      output,
    ]);
  });

  test("that is denied, or not answered, does not let the call run", () => {
    expect(typesOf(eventsOf(ready, question, resolved("deny"))).slice(2)).toEqual([
      "tool-approval-response",
      "tool-output-denied",
    ]);
    const [, , response] = eventsOf(ready, question, resolved(undefined, "expired"));
    expect(response).toMatchObject({ type: "tool-approval-response", approved: false });
  });

  test("with more than approve and deny has all that a page needs in its descriptor", () => {
    const input = { ...question.input, options: [{ id: "edit", label: "Change" }] };
    const [, event] = eventsOf(ready, { ...question, input, expiresAt: 5 } as StreamChunk);
    expect(event).toEqual({
      ...request,
      approvalDescriptor: { expiresAt: 5, input, reason: "tool-approval" },
    });
  });

  test("besides another, about a finished call or about none, is data, and so is its answer", () => {
    const second = { ...question, requestId: "q2" };
    const finished = eventsOf(ready, result, question).at(-1);
    expect(finished).toEqual({ type: "data-interrupt", id: "q1", data: question });
    expect(eventsOf(ready, question, second).at(-1)).toEqual({
      type: "data-interrupt",
      id: "q2",
      data: second,
    });
    const { toolCallId: _, ...alone } = question;
    const answer = resolved("approve");
    expect(eventsOf(alone, answer)).toEqual([
      { type: "data-interrupt", id: "q1", data: alone },
      { type: "data-interrupt", id: "q1", data: { ...alone, resolution: answer } },
    ]);
  });

  test("that the stream does not have is closed without an event: the reader would refuse it", () => {
    expect(eventsOf(ready, resolved("approve"))).toEqual([available]);
    expect(eventsOf(ready, question, result, resolved("approve"))).toEqual([available, request, output]);
  });

  test("is made up for a call that was refused without one, with the reason", () => {
    expect(eventsOf(ready, { type: "tool-call-denied", ...call, reason: "Policy" }).slice(1)).toEqual([
      { type: "tool-approval-request", approvalId: "denied:c1", toolCallId: "c1", isAutomatic: true },
      {
        type: "tool-approval-response",
        approvalId: "denied:c1",
        approved: false,
        reason: "Policy",
        providerMetadata: { kortyx: { resolved: "denied:c1" } },
      },
      { type: "tool-output-denied", toolCallId: "c1" },
    ]);
  });
});
