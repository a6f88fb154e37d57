import { describe, expect, test } from "vitest";
import { createTextPieces } from "../src/answer-text.ts";
import type { ToolCallPart } from "../src/assistant-message.ts";
import type { InterruptChunk, StreamChunk, StreamChunkOf } from "../src/chunks.ts";
import { createMessageAccumulator, reduceMessage } from "../src/fold-message.ts";

const call = { tool: "delete_file", toolCallId: "1" };
const start = (fields: Partial<StreamChunkOf<"tool-call-start">> = {}): StreamChunk => ({
  type: "tool-call-start",
  ...call,
  ...fields,
});
const ready = (fields: Partial<StreamChunkOf<"tool-call-ready">> = {}): StreamChunk => ({
  type: "tool-call-ready",
  ...call,
  input: "a.txt",
  ...fields,
});
const progress = (content: unknown): StreamChunk => ({ type: "tool-call-progress", ...call, content });
const result = (content: unknown): StreamChunk => ({ type: "tool-call-result", ...call, content });
const failed: StreamChunk = { type: "tool-call-error", ...call, message: "No such file." };
const denied: StreamChunk = { type: "tool-call-denied", ...call, reason: "Keep it." };
const ask = (fields: Partial<InterruptChunk> = {}): StreamChunk => ({
  type: "interrupt",
  requestId: "q",
  resumeToken: "t",
  input: { kind: "text", multiple: false },
  toolCallId: "1",
  ...fields,
});
const resolved = (outcome: string, requestId = "q"): StreamChunk => ({
  type: "interrupt-resolved",
  requestId,
  outcome,
});
const answered = (answer: unknown, requestId = "q"): StreamChunk => ({
  type: "interrupt-resolved",
  requestId,
  outcome: "answered",
  answer,
  reason: "I said so.",
});

/** The calls so far, before the end of the stream. */
const callsAfter = (...chunks: StreamChunk[]): ToolCallPart[] => {
  const accumulator = createMessageAccumulator();
  for (const chunk of chunks) accumulator.apply(chunk);
  return accumulator.message.parts.filter((part) => part.type === "tool-call");
};
const statesAfter = (...chunks: StreamChunk[]) => callsAfter(...chunks).map(({ state }) => state);

describe("a call that a question is about", () => {
  test("awaits approval, whichever comes first, and whether its input is whole or not", () => {
    expect(statesAfter(ready(), ask())).toEqual(["awaiting-approval"]);
    expect(statesAfter(ask(), ready())).toEqual(["awaiting-approval"]);
    expect(statesAfter(start(), ask())).toEqual(["awaiting-approval"]);
    const piece: StreamChunk = { type: "tool-call-delta", toolCallId: "1", delta: "{" };
    expect(statesAfter(start(), ask(), piece, ready(), progress(1))).toEqual(["awaiting-approval"]);
  });

  test("runs after the answer, whatever that is, unless it denies the call", () => {
    for (const answer of ["approve", "edit", ["approve", "deny"], { deny: true }, undefined]) {
      expect(statesAfter(ready(), ask(), answered(answer))).toEqual(["running"]);
      expect(statesAfter(start(), ask(), answered(answer))).toEqual(["running"]);
    }
    for (const answer of ["deny", ["deny"]]) {
      expect(callsAfter(ready(), ask(), answered(answer))).toMatchObject([
        { state: "denied", errorMessage: "I said so." },
      ]);
    }
  });

  test("does not run if nothing was answered", () => {
    for (const outcome of ["cancelled", "expired", "delegated"]) {
      expect(statesAfter(ready(), ask(), resolved(outcome))).toEqual(["interrupted"]);
    }
  });

  test("has ended with the denial: the same id then begins another call, here and in the text", () => {
    const text: StreamChunk = { type: "text-delta", delta: "x" };
    const chunks = [ready(), ask(), answered("deny"), text, ready(), text];
    expect(statesAfter(...chunks)).toEqual(["denied"]);
    expect(statesAfter(...chunks, start({ input: "a.txt" }))).toEqual(["denied", "running"]);
    expect([...chunks, start(), text].map(createTextPieces()).join("")).toBe("xx\n\nx");
  });

  test("is denied by a chunk, too, whose reason replaces that of the answer", () => {
    expect(callsAfter(ready(), ask(), denied)).toMatchObject([{ state: "denied", errorMessage: "Keep it." }]);
    expect(callsAfter(ready(), ask(), answered("deny"), denied)).toMatchObject([
      { state: "denied", errorMessage: "Keep it." },
    ]);
    const silent: StreamChunk = { type: "tool-call-denied", ...call };
    expect(callsAfter(ready(), ask(), answered("deny"), silent)).toMatchObject([
      { state: "denied", errorMessage: "I said so." },
    ]);
  });

  test("awaits approval until every question about it is closed", () => {
    const both = [ready(), ask(), ask({ requestId: "r" })];
    expect(statesAfter(...both, resolved("answered"))).toEqual(["awaiting-approval"]);
    expect(statesAfter(...both, resolved("expired"))).toEqual(["awaiting-approval"]);
    expect(statesAfter(...both, resolved("answered"), resolved("answered", "r"))).toEqual(["running"]);
    expect(statesAfter(...both, answered("deny"))).toEqual(["denied"]);
  });

  test("waits for the client after the approval if the client runs it", () => {
    const client = ready({ executor: "client" });
    expect(statesAfter(client, ask())).toEqual(["awaiting-approval"]);
    expect(statesAfter(client, ask(), resolved("answered"))).toEqual(["awaiting-client"]);
  });

  test("keeps its end: a finished call is not asked about, and an answer does not reopen it", () => {
    for (const [end, state] of [
      [result(1), "done"],
      [failed, "error"],
      [denied, "denied"],
    ] as const) {
      expect(statesAfter(ready(), end, ask())).toEqual([state]);
      for (const late of [resolved("answered"), resolved("expired"), answered("deny")]) {
        expect(statesAfter(ready(), ask(), end, late)).toEqual([state]);
      }
    }
  });

  test("is not waited for if a policy answers, which may deny it", () => {
    const automatic = ask({ isAutomatic: true });
    expect(statesAfter(ready(), automatic)).toEqual(["running"]);
    expect(statesAfter(start(), automatic, answered("approve"))).toEqual(["input-streaming"]);
    expect(statesAfter(ready(), automatic, answered("deny"))).toEqual(["denied"]);
  });

  test("closes the questions about it when it ends without their answers", () => {
    const outcomes = (...chunks: StreamChunk[]) => {
      const accumulator = createMessageAccumulator();
      for (const chunk of [ready(), ask(), ask({ requestId: "r" }), ...chunks]) accumulator.apply(chunk);
      expect(accumulator.message).not.toHaveProperty("interrupts");
      return accumulator.message.parts.flatMap((part) =>
        part.type === "interrupt" ? [part.resolution] : [],
      );
    };
    const closed = { type: "interrupt-resolved", outcome: "answered" };
    for (const end of [result(1), failed, { type: "tool-result", content: 1 } as const]) {
      expect(outcomes(end)).toStrictEqual([
        { ...closed, requestId: "q" },
        { ...closed, requestId: "r" },
      ]);
    }
    expect(outcomes(denied)).toStrictEqual([
      { ...closed, requestId: "q", answer: "deny" },
      { ...closed, requestId: "r", answer: "deny" },
    ]);
    expect(outcomes(answered("deny"))).toEqual([
      answered("deny"),
      { ...closed, requestId: "r", answer: "deny" },
    ]);
    expect(outcomes(result(1), answered("approve"))[0]).toEqual(answered("approve"));
  });

  test("is another call if the question names none", () => {
    const unnamed = ask({ toolCallId: undefined });
    const empty: StreamChunk = { type: "tool-call-start", tool: "t", toolCallId: "", input: 1 };
    expect(statesAfter(ready(), empty, unnamed, resolved("answered"))).toEqual(["running", "running"]);
  });

  test("takes the changed input of an edit, while a call without a question would be another call", () => {
    const edited = ready({ input: "b.txt" });
    expect(callsAfter(start(), ready(), ask(), resolved("answered"), edited, result(1))).toMatchObject([
      { input: "b.txt", state: "done" },
    ]);
    expect(callsAfter(start(), ready(), edited)).toHaveLength(2);
  });
});

describe("a call that the client runs", () => {
  test("waits for it as soon as its input is whole, whichever chunk names the client", () => {
    expect(statesAfter(start({ executor: "client" }))).toEqual(["input-streaming"]);
    expect(statesAfter(start({ executor: "client" }), ready())).toEqual(["awaiting-client"]);
    expect(statesAfter(start({ executor: "client", input: null }))).toEqual(["awaiting-client"]);
    expect(statesAfter(start(), ready({ executor: "client" }))).toEqual(["awaiting-client"]);
    for (const executor of ["server", "provider", "other"]) {
      expect(statesAfter(ready({ executor }))).toEqual(["running"]);
    }
  });

  test("ends with its result, its failure or a denial", () => {
    const client = ready({ executor: "client" });
    expect(statesAfter(client, result(1))).toEqual(["done"]);
    expect(statesAfter(client, failed)).toEqual(["error"]);
    expect(statesAfter(client, denied)).toEqual(["denied"]);
  });

  test("may be named only by the `done`, which changes no finished call and no unknown one", () => {
    const done: StreamChunk = { type: "done", finishReason: "tool-calls", pendingToolCallIds: ["1", "9"] };
    expect(statesAfter(ready(), done)).toEqual(["awaiting-client"]);
    expect(statesAfter(start(), done)).toEqual(["awaiting-client"]);
    expect(statesAfter(ready(), result(1), done)).toEqual(["done"]);
    expect(statesAfter(ready(), ask(), done)).toEqual(["awaiting-approval"]);
  });
});

describe("at the end of a stream", () => {
  const waiting = [
    ready(),
    ask(),
    ready({ toolCallId: "2", executor: "client" }),
    ready({ toolCallId: "3" }),
  ];
  const after = (...chunks: StreamChunk[]) =>
    reduceMessage([...waiting, ...chunks]).parts.flatMap((part) =>
      part.type === "tool-call" ? [part.state] : [],
    );

  test("calls keep waiting after a `done`, unless it ends the answer for another reason", () => {
    for (const finishReason of ["interrupt", "tool-calls", undefined, null as never]) {
      expect(after({ type: "done", finishReason })).toEqual([
        "awaiting-approval",
        "awaiting-client",
        "interrupted",
      ]);
    }
    expect(after()).toEqual(["awaiting-approval", "awaiting-client", "interrupted"]);
  });

  test("every other end interrupts them", () => {
    const all = ["interrupted", "interrupted", "interrupted"];
    expect(after({ type: "done", finishReason: "stop" })).toEqual(all);
    expect(after({ type: "done", finishReason: "stop", pendingToolCallIds: ["1", "2", "3"] })).toEqual(all);
    expect(after({ type: "abort", reason: "stopped" })).toEqual(all);
    expect(after({ type: "error", message: "m" })).toEqual(all);
    expect(after({ type: "error", message: "m" }, { type: "done" })).toEqual(all);
  });

  test("a call that was let run keeps running while another one waits, but no further", () => {
    const let1Run = [resolved("answered"), ask({ requestId: "r", toolCallId: "2" })];
    expect(after(...let1Run, { type: "done", finishReason: "interrupt" })).toEqual([
      "running",
      "awaiting-approval",
      "interrupted",
    ]);
    expect(after(...let1Run, { type: "done", finishReason: "stop" })[0]).toBe("interrupted");
    expect(after(resolved("expired"), ready({ input: 2 }), { type: "done" })[0]).toBe("interrupted");
  });
});

describe("the fields of a call", () => {
  test("are copied from its start and its whole input, each keeping what the other omits", () => {
    expect(
      callsAfter(
        start({ title: "Deleting", executor: "provider", inputFormat: "text", node: "n" }),
        ready({ title: "Deleting a.txt", isDynamic: true, parentSegmentId: "s", resumeToken: "t" }),
      ),
    ).toEqual([
      {
        type: "tool-call",
        ...call,
        state: "running",
        input: "a.txt",
        inputText: "",
        title: "Deleting a.txt",
        executor: "provider",
        inputFormat: "text",
        isDynamic: true,
        parentSegmentId: "s",
        resumeToken: "t",
        node: "n",
      },
    ]);
  });

  test("hold the latest progress, until the result replaces it", () => {
    expect(callsAfter(start(), progress(1), progress({ percent: 50 }))).toMatchObject([
      { state: "running", content: { percent: 50 } },
    ]);
    expect(callsAfter(ready({ executor: "client" }), progress(1))).toMatchObject([
      { state: "awaiting-client", content: 1 },
    ]);
    expect(callsAfter(ready(), progress(1), result(2))).toMatchObject([{ state: "done", content: 2 }]);
    expect(callsAfter(progress(1))).toMatchObject([{ tool: "delete_file", state: "running", content: 1 }]);
  });

  test("no longer change with progress after the end", () => {
    for (const end of [result(2), failed, denied]) {
      const accumulator = createMessageAccumulator();
      for (const chunk of [ready(), end]) accumulator.apply(chunk);
      const { message } = accumulator;
      accumulator.apply(progress(3));
      expect(accumulator.message).toBe(message);
    }
  });

  test("hold the code of a failure, and what the model wrote if that is not a valid input", () => {
    const invalid: StreamChunk = { ...failed, code: "invalid-input", input: "{" } as StreamChunk;
    expect(callsAfter(start(), invalid)).toMatchObject([
      { state: "error", errorMessage: "No such file.", errorCode: "invalid-input", input: "{" },
    ]);
    expect(callsAfter(ready({ input: null }), invalid)).toMatchObject([{ input: null }]);
  });
});

test("progress goes to the oldest open call of its id and tool, and a denial ends that one", () => {
  const other = (chunk: StreamChunk): StreamChunk => ({ ...chunk, tool: "other" }) as StreamChunk;
  expect(
    callsAfter(
      ready(),
      other(ready({ input: 2 })),
      other(progress("late")),
      progress("early"),
      other(denied),
    ),
  ).toMatchObject([
    { tool: "delete_file", content: "early", state: "running" },
    { tool: "other", content: "late", state: "denied" },
  ]);
});
