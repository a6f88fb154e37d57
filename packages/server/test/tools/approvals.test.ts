import type {
  AssistantUIMessage,
  ChatMessage,
  ClientToolResult,
  InterruptAnswer,
  InterruptChunk,
  StreamChunk,
  ToolCallMessagePart,
} from "@kortyx/protocol";
import { createMessageAccumulator, reduceMessage } from "@kortyx/protocol";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import type { ChatAgentOptions } from "../../src/route/chat-agent.ts";
import { defineTool, type Tools } from "../../src/tools/define-tool.ts";
import { runTools } from "../../src/tools/run-tools.ts";
import { call, collect, type ScriptedTurn, scriptTurns, text, user, withoutSteps } from "./scripted-turns.ts";

const inputSchema = z.object({ euros: z.number().max(100) });
const run = vi.fn(async ({ euros }: { euros: number }) => `Paid ${euros}.`);
const tools = {
  pay: defineTool({ description: "Pays.", inputSchema, needsApproval: true, canEdit: true, run }),
  read: defineTool({ description: "Reads.", run: () => "read" }),
  locate: defineTool({ description: "Locates." }),
  photo: defineTool({ description: "Takes a photo.", needsApproval: true }),
};

beforeEach(() => {
  run.mockClear();
});
afterEach(() => {
  vi.restoreAllMocks();
});

async function play(
  scripts: ScriptedTurn[],
  messages: ChatMessage[] = [user("Hi")],
  options: ChatAgentOptions = {},
  used: Tools = tools,
) {
  const { turn, turns } = scriptTurns(...scripts);
  const chunks = await collect(runTools({ messages, options, tools: used, turn }));
  return { chunks, turns };
}

const questionsOf = (chunks: StreamChunk[]) =>
  chunks.filter((chunk): chunk is InterruptChunk => chunk.type === "interrupt");

describe("a call that needs an approval", () => {
  test("is asked about, and waits", async () => {
    const { chunks, turns } = await play([{ calls: [call("pay", { euros: 5 })] }]);
    expect(chunks).toEqual([
      { type: "step-start", stepId: "step-1" },
      { type: "tool-call-ready", ...call("pay", { euros: 5 }) },
      {
        type: "interrupt",
        requestId: expect.stringMatching(/^[\da-f-]{36}$/),
        resumeToken: "pay-1",
        toolCallId: "pay-1",
        reason: "tool-approval",
        input: {
          kind: "choice",
          multiple: false,
          question: 'Run "pay"?',
          options: [
            { id: "approve", label: "Approve" },
            { id: "edit", label: "Edit" },
            { id: "deny", label: "Deny" },
          ],
        },
      },
      { type: "step-end", stepId: "step-1", finishReason: "tool-calls" },
      { type: "done", finishReason: "interrupt" },
    ]);
    expect(run).not.toHaveBeenCalled();
    expect(turns).toHaveLength(1);
  });

  test("may not be edited unless its tool allows it, and has a question of its tool's own", async () => {
    const pay = {
      ...tools.pay,
      canEdit: undefined,
      approvalQuestion: (input: unknown) => JSON.stringify(input),
    };
    const { chunks } = await play([{ calls: [call("pay", { euros: 5 })] }], undefined, {}, { pay });
    const [{ input } = {}] = questionsOf(chunks);
    expect(input).toMatchObject({
      question: '{"euros":5}',
      options: [{ id: "approve" }, { id: "deny" }],
    });
  });

  test("is told apart from others by its input", async () => {
    const pay = { ...tools.pay, needsApproval: async ({ euros }: { euros: number }) => euros > 5 };
    const calls = [call("pay", { euros: 5 }, "a"), call("pay", { euros: 6 }, "b")];
    const { chunks } = await play([{ calls }], undefined, {}, { pay });
    expect(questionsOf(chunks).map(({ toolCallId }) => toolCallId)).toEqual(["b"]);
    expect(run).toHaveBeenCalledExactlyOnceWith({ euros: 5 }, expect.objectContaining({ toolCallId: "a" }));
  });

  test("is asked about if its tool does not clearly decide, and fails if it throws", async () => {
    const log = vi.spyOn(console, "error").mockImplementation(() => {});
    const unsure = { ...tools.pay, needsApproval: (() => undefined) as never };
    const { chunks } = await play([{ calls: [call("pay", { euros: 5 })] }], undefined, {}, { pay: unsure });
    expect(questionsOf(chunks)).toHaveLength(1);
    const failure = new Error("no rule");
    const throwing = { ...tools.pay, needsApproval: () => Promise.reject(failure) };
    const failed = await play([{ calls: [call("pay", { euros: 5 })] }, {}], undefined, {}, { pay: throwing });
    expect(failed.chunks[2]).toMatchObject({ type: "tool-call-error", code: "tool-failed" });
    expect(log).toHaveBeenCalledExactlyOnceWith('The tool "pay" failed (call pay-1):', failure);
    expect(run).not.toHaveBeenCalled();
  });

  test("is not asked about with an invalid input", async () => {
    const { chunks } = await play([{ calls: [call("pay", { euros: 500 })] }, {}]);
    expect(chunks[2]).toMatchObject({ type: "tool-call-error", code: "invalid-input" });
  });

  test("fails if an answer could be for another call", async () => {
    const several = (toolCallId: string) => [
      call("pay", { euros: 5 }, toolCallId),
      call("pay", { euros: 6 }, toolCallId),
    ];
    for (const calls of [several(""), several("same"), [call("pay", { euros: 5 }, "")]]) {
      const [{ toolCallId } = call("pay")] = calls;
      const { chunks } = await play([{ calls }, {}]);
      expect(chunks.filter(({ type }) => type === "tool-call-error")).toEqual(
        calls.map(() => ({
          type: "tool-call-error",
          toolCallId,
          tool: "pay",
          message: "The call has no id of its own, so it cannot be approved.",
          code: "ambiguous-call",
        })),
      );
      expect(questionsOf(chunks)).toEqual([]);
    }
  });

  test("waits beside calls that run at once, and others for the client: a question comes first", async () => {
    const calls = [call("pay", { euros: 5 }), call("locate"), call("read")];
    const { chunks } = await play([{ calls }]);
    expect(chunks).toContainEqual({
      type: "tool-call-result",
      toolCallId: "read-1",
      tool: "read",
      content: "read",
    });
    expect(questionsOf(chunks)).toHaveLength(1);
    expect(chunks.at(-1)).toEqual({ type: "done", finishReason: "interrupt" });
  });
});

/** Plays one turn with the calls, and continues the answer once with a stored message, and once without. */
async function continueAnswer(
  calls: ReturnType<typeof call>[],
  answer: (
    questions: Record<string, InterruptChunk>,
  ) => Pick<ChatAgentOptions, "resumes" | "toolResults" | "trigger">,
  store: "stored" | "sent",
  used: Tools = tools,
  later: Tools = used,
) {
  const first = await play([{ chunks: [text("Wait.")], calls }], undefined, {}, used);
  const message: AssistantUIMessage = { ...reduceMessage(first.chunks), id: "run-1", role: "assistant" };
  const questions = Object.fromEntries(questionsOf(first.chunks).map((chunk) => [chunk.toolCallId!, chunk]));
  const parts = message.parts.filter(({ type }) => type !== "interrupt") as ToolCallMessagePart[];
  const sent: ChatMessage = { role: "assistant", id: "run-1", content: "Wait.", parts };
  run.mockClear();
  const options: ChatAgentOptions = {
    messageId: "run-1",
    trigger: "continue",
    ...(store === "stored" && { continued: message }),
    ...answer(questions),
  };
  const next = await play([{ chunks: [text("Done.")] }], [user("Hi"), sent], options, later);
  const continued = createMessageAccumulator<never, AssistantUIMessage>(message);
  for (const chunk of next.chunks) continued.apply(chunk);
  return { ...next, first: first.chunks, message: continued.message };
}

const answerTo = ({ requestId, resumeToken, toolCallId }: InterruptChunk, more: object): InterruptAnswer => ({
  requestId,
  resumeToken,
  toolCallId,
  ...more,
});
const resultOf = (toolCallId: string, more: object = { content: "here" }): ClientToolResult => ({
  toolCallId,
  tool: toolCallId.split("-")[0]!,
  ...more,
});
const pay = call("pay", { euros: 5 });

describe.each(["stored", "sent"] as const)("the rest of an answer, with the message %s", (store) => {
  test("runs a call that is approved, and calls the model with its result", async () => {
    const { chunks, turns, message } = await continueAnswer(
      [pay],
      (asked) => ({ resumes: [answerTo(asked["pay-1"]!, { answer: ["approve"] })] }),
      store,
    );
    expect(chunks.slice(0, 3)).toEqual([
      { type: "interrupt-resolved", requestId: expect.any(String), outcome: "answered", answer: "approve" },
      { type: "tool-call-result", toolCallId: "pay-1", tool: "pay", content: "Paid 5." },
      { type: "step-start", stepId: "step-2" },
    ]);
    expect(chunks.at(-1)).toEqual({ type: "done", finishReason: "stop" });
    expect(run).toHaveBeenCalledExactlyOnceWith(
      { euros: 5 },
      expect.objectContaining({ toolCallId: "pay-1" }),
    );
    expect(turns[0]!.messages.map(({ role }) => role)).toEqual(["user", "assistant"]);
    expect(turns[0]!.messages[1]!.parts!.at(-1)).toMatchObject({ state: "done", content: "Paid 5." });
    expect(message.parts.map((part) => ("state" in part ? part.state : part.type))).toEqual([
      "done",
      "done",
      "done",
      "interrupt",
      "done",
      "done",
    ]);
  });

  test("refuses a call that is denied, or whose question is cancelled", async () => {
    const answers = [
      { answer: "deny", reason: "Too much." },
      { outcome: "cancelled", reason: "Too much." },
    ];
    for (const answer of answers) {
      const { chunks, turns } = await continueAnswer(
        [pay],
        (asked) => ({ resumes: [answerTo(asked["pay-1"]!, answer)] }),
        store,
      );
      expect(chunks.slice(0, 2)).toEqual([
        {
          type: "interrupt-resolved",
          requestId: expect.any(String),
          outcome: "answered",
          ...answer,
        },
        { type: "tool-call-denied", toolCallId: "pay-1", tool: "pay", reason: "Too much." },
      ]);
      expect(run).not.toHaveBeenCalled();
      const denied = { state: "denied", errorMessage: "Too much." };
      expect(turns[0]!.messages[1]!.parts!.at(-1)).toMatchObject(denied);
    }
  });

  test("runs a call with the input that the user has changed", async () => {
    const { chunks, turns } = await continueAnswer(
      [pay],
      (asked) => ({ resumes: [answerTo(asked["pay-1"]!, { answer: "edit", input: { euros: 6 } })] }),
      store,
    );
    expect(chunks.slice(0, 3)).toEqual([
      { type: "interrupt-resolved", requestId: expect.any(String), outcome: "answered", answer: "edit" },
      { type: "tool-call-ready", ...pay, input: { euros: 6 } },
      { type: "tool-call-result", toolCallId: "pay-1", tool: "pay", content: "Paid 6." },
    ]);
    expect(turns[0]!.messages[1]!.parts!.at(-1)).toMatchObject({ input: { euros: 6 }, content: "Paid 6." });
  });

  test("takes an edit without an input as null", async () => {
    const { chunks } = await continueAnswer(
      [pay],
      (asked) => ({ resumes: [answerTo(asked["pay-1"]!, { answer: "edit" })] }),
      store,
    );
    expect(chunks[1]).toEqual({ type: "tool-call-ready", ...pay, input: null });
    expect(chunks[2]).toMatchObject({ type: "tool-call-error", code: "invalid-input" });
  });

  test("checks the changed input again", async () => {
    const { chunks } = await continueAnswer(
      [pay],
      (asked) => ({ resumes: [answerTo(asked["pay-1"]!, { answer: "edit", input: { euros: 600 } })] }),
      store,
    );
    expect(chunks[2]).toMatchObject({
      type: "tool-call-error",
      code: "invalid-input",
      input: { euros: 600 },
    });
    expect(run).not.toHaveBeenCalled();
  });

  test.each([
    ["edit, which the tool does not allow", { answer: "edit", input: { euros: 1 } }],
    ["another text", { answer: "yes" }],
    ["several options", { answer: ["approve", "deny"] }],
    ["none", {}],
  ])("leaves a question open whose answer is %s", async (_, answer) => {
    const { chunks, turns } = await continueAnswer(
      [pay],
      (asked) => ({ resumes: [answerTo(asked["pay-1"]!, answer)] }),
      store,
      { ...tools, pay: { ...tools.pay, canEdit: false } },
    );
    expect(chunks).toEqual([{ type: "done", finishReason: "interrupt" }]);
    expect(turns).toEqual([]);
    expect(run).not.toHaveBeenCalled();
  });

  test("never runs a call without an answer for it", async () => {
    const calls = [pay, call("pay", { euros: 7 }, "pay-2")];
    const { chunks, turns, message } = await continueAnswer(
      calls,
      (asked) => ({ resumes: [answerTo(asked["pay-2"]!, { answer: "approve" })] }),
      store,
    );
    expect(run).toHaveBeenCalledExactlyOnceWith(
      { euros: 7 },
      expect.objectContaining({ toolCallId: "pay-2" }),
    );
    expect(chunks.at(-1)).toEqual({ type: "done", finishReason: "interrupt" });
    expect(turns).toEqual([]);
    expect(message.interrupts).toMatchObject([{ toolCallId: "pay-1" }]);
  });

  test("takes several answers at once", async () => {
    const calls = [pay, call("pay", { euros: 7 }, "pay-2")];
    const { chunks, turns } = await continueAnswer(
      calls,
      (asked) => ({
        resumes: [
          answerTo(asked["pay-2"]!, { answer: "approve" }),
          answerTo(asked["pay-1"]!, { answer: "deny" }),
        ],
      }),
      store,
    );
    expect(run).toHaveBeenCalledTimes(1);
    expect(
      withoutSteps(chunks)
        .map(({ type }) => type)
        .sort(),
    ).toEqual([
      "done",
      "interrupt-resolved",
      "interrupt-resolved",
      "text-delta",
      "tool-call-denied",
      "tool-call-result",
    ]);
    expect(turns).toHaveLength(1);
  });

  test("runs a call once, whatever its question is answered with twice", async () => {
    await continueAnswer(
      [pay],
      (asked) => ({
        resumes: [
          answerTo(asked["pay-1"]!, { answer: "approve" }),
          answerTo(asked["pay-1"]!, { answer: "approve" }),
        ],
      }),
      store,
    );
    expect(run).toHaveBeenCalledTimes(1);
  });

  test("passes on the results of tools that the client has run", async () => {
    const { chunks, turns } = await continueAnswer(
      [call("locate"), call("locate", {}, "locate-2")],
      () => ({ toolResults: [resultOf("locate-1"), resultOf("locate-2", { errorMessage: "No signal." })] }),
      store,
    );
    expect(chunks.slice(0, 2)).toEqual([
      { type: "tool-call-result", toolCallId: "locate-1", tool: "locate", content: "here" },
      { type: "tool-call-error", toolCallId: "locate-2", tool: "locate", message: "No signal." },
    ]);
    expect(turns).toHaveLength(1);
  });

  test("waits for the results of the other tools, and for approvals", async () => {
    const calls = [call("locate"), call("locate", {}, "locate-2"), pay];
    const one = await continueAnswer(
      calls.slice(0, 2),
      () => ({ toolResults: [resultOf("locate-1")] }),
      store,
    );
    expect(one.chunks.slice(1)).toEqual([{ type: "done", finishReason: "tool-calls" }]);
    const both = ["locate-1", "locate-2"].map((id) => resultOf(id));
    const rest = await continueAnswer(calls, () => ({ toolResults: both }), store);
    expect(rest.chunks.slice(2)).toEqual([{ type: "done", finishReason: "interrupt" }]);
    expect([...one.turns, ...rest.turns]).toEqual([]);
  });

  test("takes no result for a call that the server runs, or that is not approved", async () => {
    const { chunks, turns } = await continueAnswer(
      [pay, call("photo")],
      () => ({ toolResults: [resultOf("pay-1"), resultOf("photo-1"), resultOf("other-1")] }),
      store,
    );
    expect(chunks).toEqual([{ type: "done", finishReason: "interrupt" }]);
    expect(turns).toEqual([]);
  });

  test("lets the client run a call that is approved", async () => {
    const { chunks, message } = await continueAnswer(
      [call("photo")],
      (asked) => ({ resumes: [answerTo(asked["photo-1"]!, { answer: "approve" })] }),
      store,
    );
    expect(chunks).toEqual([
      { type: "interrupt-resolved", requestId: expect.any(String), outcome: "answered", answer: "approve" },
      { type: "tool-call-ready", ...call("photo"), executor: "client" },
      { type: "done", finishReason: "tool-calls" },
    ]);
    expect(message.parts.at(2)).toMatchObject({ state: "awaiting-client" });
  });

  test("reports a call whose tool exists no more", async () => {
    const { chunks } = await continueAnswer(
      [pay],
      (asked) => ({ resumes: [answerTo(asked["pay-1"]!, { answer: "approve" })] }),
      store,
      tools,
      { read: tools.read },
    );
    expect(chunks[1]).toMatchObject({ type: "tool-call-error", code: "unknown-tool" });
  });

  test("calls the model if no call is open", async () => {
    const { chunks, turns } = await continueAnswer([], () => ({ trigger: "continue" }), store);
    expect(turns).toHaveLength(1);
    expect(chunks.at(-1)).toEqual({ type: "done", finishReason: "stop" });
  });

  test("counts the turns of the whole answer", async () => {
    const { chunks } = await continueAnswer(
      [pay],
      (asked) => ({ resumes: [answerTo(asked["pay-1"]!, { answer: "approve" })] }),
      store,
    );
    expect(chunks.find(({ type }) => type === "step-start")).toEqual({
      type: "step-start",
      stepId: "step-2",
    });
  });
});

describe("an answer to a question", () => {
  const waiting = { ...pay, type: "tool-call", state: "awaiting-approval" } as const;
  const sent = (...parts: ToolCallMessagePart[]): ChatMessage => ({
    role: "assistant",
    id: "run-1",
    content: "",
    parts,
  });
  const approval = { requestId: "q", resumeToken: "t", answer: "approve" };
  const request = { trigger: "continue", messageId: "run-1" } as const;

  test("without the id of its call belongs to that of the stored question, and otherwise to none", async () => {
    const question: InterruptChunk = {
      type: "interrupt",
      requestId: "q",
      resumeToken: "t",
      toolCallId: "pay-1",
      input: { kind: "choice", multiple: false, question: "?", options: [] },
    };
    const stored = { id: "run-1", role: "assistant", status: "done", finishReason: "interrupt" } as const;
    const continued = { ...stored, parts: [{ ...waiting, inputText: "" }, question] };
    const options = { ...request, resumes: [approval] };
    await play([{}], [user("Hi"), sent(waiting)], { ...options, continued });
    expect(run).toHaveBeenCalledTimes(1);
    const { chunks } = await play([], [user("Hi"), sent(waiting)], options);
    expect(chunks).toEqual([{ type: "done", finishReason: "interrupt" }]);
    expect(run).toHaveBeenCalledTimes(1);
    // The client names another question, or another call.
    for (const other of [
      { requestId: "other", toolCallId: "pay-1" },
      { requestId: "q", toolCallId: "pay-2" },
    ]) {
      await play([], [user("Hi"), sent(waiting)], {
        ...options,
        continued,
        resumes: [{ ...approval, ...other }],
      });
    }
    expect(run).toHaveBeenCalledTimes(1);
  });

  test("runs no call that is over, or has no whole input", async () => {
    const calls = [
      { ...waiting, state: "done" },
      { ...waiting, state: "denied" },
      { ...waiting, state: "error" },
      { ...waiting, input: undefined },
    ] as const;
    for (const one of calls) {
      const resumes = [{ ...approval, toolCallId: "pay-1" }];
      const { chunks } = await play([{}], [user("Hi"), sent(one)], { ...request, resumes });
      expect(chunks[0]!.type).toBe("step-start");
    }
    expect(run).not.toHaveBeenCalled();
  });

  test("runs the newest call of its id, in the message that the request continues", async () => {
    const resumes = [{ ...approval, toolCallId: "pay-1" }];
    const newest = { ...waiting, input: { euros: 9 } };
    await play([{}], [user("Hi"), sent(waiting, newest)], { ...request, resumes });
    expect(run).toHaveBeenCalledExactlyOnceWith({ euros: 9 }, expect.anything());
  });

  test("runs none in another message than the one that a route has verified", async () => {
    // The id that the request continues is also that of the user's message: the route reads the last call instead.
    const forged = sent({ ...waiting, input: { euros: 1 } });
    const verified = { ...sent({ ...waiting, input: { euros: 2 } }), id: "run-2" };
    const messages = [forged, { ...user("Hi"), id: "run-1" }, verified];
    await play([{}], messages, { ...request, resumes: [{ ...approval, toolCallId: "pay-1" }] });
    expect(run).toHaveBeenCalledExactlyOnceWith({ euros: 2 }, expect.anything());
  });

  test("is not read in a request for a new answer", async () => {
    const resumes = [{ ...approval, toolCallId: "pay-1" }];
    for (const trigger of ["send", "regenerate"] as const) {
      await play([{}], [user("Hi"), sent(waiting)], { trigger, resumes });
    }
    await play([{}], [sent(waiting), user("Hi")], { resumes });
    expect(run).not.toHaveBeenCalled();
    await play([{}], [user("Hi"), sent(waiting)], { resumes });
    expect(run).toHaveBeenCalledTimes(1);
  });

  test("is not for a call of a tool that only the client knows", async () => {
    const print = { ...waiting, tool: "print", state: "awaiting-client", executor: "client" } as const;
    const resumes = [{ ...approval, toolCallId: "pay-1" }];
    const { chunks } = await play([], [user("Hi"), sent(print)], { ...request, resumes });
    expect(chunks).toEqual([{ type: "done", finishReason: "tool-calls" }]);
  });

  test("does not run calls that a client shows as running or interrupted", async () => {
    const calls = [
      { ...waiting, state: "running" },
      { ...waiting, state: "interrupted", toolCallId: "pay-2" },
    ] as const;
    const { turns } = await play([{}], [user("Hi"), sent(...calls)], request);
    expect(turns).toHaveLength(1);
    expect(run).not.toHaveBeenCalled();
  });
});

describe("a result of the client", () => {
  const request = { trigger: "continue", messageId: "run-1" } as const;
  const sent = (part: Partial<ToolCallMessagePart>): ChatMessage => ({
    role: "assistant",
    id: "run-1",
    content: "",
    parts: [
      { type: "tool-call", toolCallId: "a", tool: "locate", state: "awaiting-client", input: {}, ...part },
    ],
  });

  test("is not taken for a call of the server that was interrupted, or for another tool", async () => {
    const toolResults = [{ toolCallId: "a", tool: "read", content: "invented" }];
    const interrupted = sent({ tool: "read", state: "interrupted" });
    const { turns } = await play([{}], [user("Hi"), interrupted], { ...request, toolResults });
    expect(turns[0]!.messages[1]!.parts![0]).toMatchObject({ state: "interrupted" });
    const { chunks } = await play([], [user("Hi"), sent({})], { ...request, toolResults });
    expect(chunks).toEqual([{ type: "done", finishReason: "tool-calls" }]);
  });

  test("is taken late, for a call that was interrupted", async () => {
    const toolResults = [{ toolCallId: "a", tool: "locate", content: "here" }];
    const { chunks } = await play([{}], [user("Hi"), sent({ state: "interrupted" })], {
      ...request,
      toolResults,
    });
    expect(chunks[0]).toMatchObject({ type: "tool-call-result", content: "here" });
  });
});

describe("a question of the provider, about a call that it runs", () => {
  const question: InterruptChunk = {
    type: "interrupt",
    requestId: "q",
    resumeToken: "t",
    toolCallId: "mcp-1",
    input: { kind: "choice", multiple: false, question: "?", options: [] },
  };
  const asked: ScriptedTurn = {
    chunks: [{ type: "tool-call-ready", ...call("pay", {}, "mcp-1"), executor: "provider" }, question],
    finishReason: "interrupt",
  };

  test("ends the answer, after the tools of the server have run", async () => {
    const { chunks, turns } = await play([{ ...asked, calls: [call("read")] }]);
    expect(chunks.filter(({ type }) => type === "tool-call-result")).toHaveLength(1);
    expect(chunks.at(-1)).toEqual({ type: "done", finishReason: "interrupt" });
    expect(turns).toHaveLength(1);
  });

  test("is resolved before the model is called, when nothing else waits, and runs no tool of the server", async () => {
    const first = await play([{ ...asked, calls: [pay] }]);
    const continued: AssistantUIMessage = { ...reduceMessage(first.chunks), id: "run-1", role: "assistant" };
    const options = { trigger: "continue", messageId: "run-1", continued } as const;
    const [mcp, own] = questionsOf(first.chunks).map((one) => answerTo(one, { answer: "approve" }));
    for (const one of [mcp!, own!]) {
      const { chunks, turns } = await play([], undefined, { ...options, resumes: [one] });
      expect(turns).toEqual([]);
      expect(chunks.at(-1)).toEqual({ type: "done", finishReason: "interrupt" });
      expect(chunks).not.toContainEqual(
        expect.objectContaining({ type: "interrupt-resolved", requestId: "q" }),
      );
    }
    run.mockClear();
    const unknown = answerTo(question, { answer: "edit" });
    const stays = await play([], undefined, { ...options, resumes: [unknown, own!] });
    expect(stays.chunks.at(-1)).toEqual({ type: "done", finishReason: "interrupt" });
    run.mockClear();
    const { chunks, turns } = await play([{}], undefined, { ...options, resumes: [mcp!, own!] });
    const at = (type: string) => chunks.findIndex((chunk) => chunk.type === type);
    expect(chunks[at("step-start") - 1]).toEqual({
      type: "interrupt-resolved",
      requestId: "q",
      outcome: "answered",
      answer: "approve",
    });
    expect(turns).toHaveLength(1);
    expect(run).toHaveBeenCalledExactlyOnceWith({ euros: 5 }, expect.anything());
  });

  test("takes no result of a client", async () => {
    const message: ChatMessage = {
      role: "assistant",
      id: "run-1",
      content: "",
      parts: [
        {
          type: "tool-call",
          toolCallId: "a",
          tool: "locate",
          state: "running",
          input: {},
          executor: "provider",
        },
      ],
    };
    const toolResults = [{ toolCallId: "a", tool: "locate", content: "invented" }];
    const request = { trigger: "continue", messageId: "run-1", toolResults } as const;
    const { turns } = await play([{}], [user("Hi"), message], request);
    expect(turns[0]!.messages[1]!.parts![0]).not.toHaveProperty("content");
  });
});
