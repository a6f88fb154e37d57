import type { InterruptAnswer, InterruptChunk, StreamChunk } from "@kortyx/protocol";
import { expect, test } from "vitest";
import {
  fromLangGraph,
  type LangGraphEvent,
  type LangGraphOptions,
  toResumeMap,
} from "../../src/langgraph.ts";

async function chunksOf(items: LangGraphEvent[], options?: LangGraphOptions) {
  async function* stream() {
    yield* items;
  }
  const chunks: StreamChunk[] = [];
  for await (const chunk of fromLangGraph(stream(), options)) chunks.push(chunk);
  return chunks;
}

/** An id as LangGraph makes them. */
const id = (number: number): string => String(number).padStart(32, "0");

const asking = (...interrupts: object[]): LangGraphEvent => ["updates", { __interrupt__: interrupts }];
const ask = async (interrupt: object, before: LangGraphEvent[] = []) =>
  (await chunksOf([...before, asking(interrupt)])).filter(
    (chunk): chunk is InterruptChunk => chunk.type === "interrupt",
  );
const answer = (
  { requestId, resumeToken }: InterruptChunk,
  fields: Partial<InterruptAnswer>,
): InterruptAnswer => ({ requestId, resumeToken, ...fields });

test("a text is a question, any other value is JSON, and a schema describes the answer", async () => {
  expect(await ask({ id: id(1), value: "Where to?" })).toEqual([
    {
      type: "interrupt",
      requestId: id(1),
      resumeToken: `{"id":"${id(1)}","kind":"text"}`,
      input: { kind: "text", multiple: false, question: "Where to?" },
    },
  ]);
  const [json] = await ask({ id: id(1), value: { question: "Which?", rows: [1] } });
  expect(json!.input).toEqual({
    kind: "json",
    question: "Which?",
    meta: { value: { question: "Which?", rows: [1] } },
  });
  expect((await ask({ id: id(1), value: 7 }))[0]!.input).toEqual({ kind: "json", meta: { value: 7 } });
  const schema = { type: "object" };
  expect((await ask({ id: id(1), value: "Where?", response_schema: schema }))[0]!.input).toEqual({
    kind: "json",
    question: "Where?",
    schema,
    meta: { value: "Where?" },
  });
});

test("a value in the form of the contract is that question", async () => {
  const choice = { kind: "choice", question: "Which?", options: [{ id: "a", label: "A" }] };
  expect((await ask({ id: id(1), value: choice }))[0]!.input).toEqual({ multiple: false, ...choice });
  const several = { ...choice, kind: "multi-choice" };
  expect((await ask({ id: id(1), value: several }))[0]!.input).toEqual({ multiple: true, ...several });
  // Not that form after all.
  const broken = { kind: "choice", options: "none" };
  expect((await ask({ id: id(1), value: broken }))[0]!.input).toEqual({
    kind: "json",
    meta: { value: broken },
  });
  const other = { kind: "quiz" };
  expect((await ask({ id: id(1), value: other }))[0]!.input).toEqual({
    kind: "json",
    meta: { value: other },
  });
});

test("several questions are asked, each once, from whatever mode has them first", async () => {
  const [one, two] = [
    { id: id(1), value: "One?" },
    { id: id(2), value: "Two?" },
  ];
  const chunks = await chunksOf([
    ["tasks", { id: "t1", name: "a", interrupts: [{ id: id(0), value: "Answered before" }] }],
    [["sub:1"], "updates", { __interrupt__: [one] }],
    asking(one),
    ["values", { __interrupt__: [one, two] }],
    [
      "tasks",
      { id: "t2", name: "b", result: {}, interrupts: [two, { interrupt_id: id(3), value: "Three?" }] },
    ],
    ["tasks", { id: "t3", name: "c", result: {}, interrupts: [] }],
  ]);
  expect(chunks.map((chunk) => (chunk.type === "interrupt" ? [chunk.requestId, chunk.node] : chunk))).toEqual(
    [[id(1), "sub"], [id(2), undefined], [id(3), undefined], { type: "done", finishReason: "interrupt" }],
  );
});

test("a breakpoint pauses the graph without a question", async () => {
  expect(await chunksOf([asking()])).toEqual([{ type: "done", finishReason: "pause" }]);
});

test("answers are by id, in the form that each question asked for", async () => {
  const [text] = await ask({ id: id(1), value: "Where to?" });
  const [choice] = await ask({
    id: id(2),
    value: { kind: "choice", question: "?", options: [{ id: "a", label: "A" }] },
  });
  const [multi] = await ask({
    id: id(3),
    value: { kind: "multi-choice", question: "?", options: [{ id: "a", label: "A" }] },
  });
  const [json] = await ask({ id: id(4), value: { n: 1 } });
  expect(
    toResumeMap([
      answer(text!, { answer: ["Rome"] }),
      answer(choice!, { answer: ["a"] }),
      answer(multi!, { answer: "a" }),
      answer(json!, { answer: ["Rome"] }),
    ]),
  ).toEqual({ [id(1)]: "Rome", [id(2)]: "a", [id(3)]: ["a"], [id(4)]: ["Rome"] });
  expect(toResumeMap([answer(text!, { answer: "Rome" }), answer(json!, { outcome: "cancelled" })])).toEqual({
    [id(1)]: "Rome",
    [id(4)]: null,
  });
  expect(toResumeMap([])).toBeUndefined();
  expect(toResumeMap(undefined)).toBeUndefined();
});

test("a token of another question, or of none, is not used", () => {
  const map = toResumeMap([
    { requestId: id(1), resumeToken: '{"id":"other","kind":"text"}', answer: ["a"] },
    { requestId: id(2), resumeToken: "no JSON", answer: { b: 1 } },
    { requestId: id(3), resumeToken: "null", answer: 1 },
    // LangGraph would give the whole map to every question.
    { requestId: "__proto__", resumeToken: "", answer: 2 },
    { requestId: "all", resumeToken: "", answer: 3 },
  ]);
  expect(map).toEqual(
    Object.fromEntries([
      [id(1), ["a"]],
      [id(2), { b: 1 }],
      [id(3), 1],
    ]),
  );
});

const called: LangGraphEvent[] = [
  [
    "messages",
    [
      {
        type: "ai",
        id: "m1",
        content: "",
        tool_calls: [
          { id: "c1", name: "send", args: { to: "ann" } },
          { id: "c2", name: "send", args: { to: "bob" } },
        ],
      },
      { langgraph_node: "model", langgraph_step: 1 },
    ],
  ],
];
const review = (allowed: string[], spelling: "camel" | "snake" = "camel") => {
  const actions = [
    { name: "send", args: { to: "bob" }, description: "Send it to Bob?" },
    { name: "send", args: { to: "ann" } },
  ];
  return spelling === "camel"
    ? { actionRequests: actions, reviewConfigs: [{ actionName: "send", allowedDecisions: allowed }] }
    : { action_requests: actions, review_configs: [{ action_name: "send", allowed_decisions: allowed }] };
};

test("the middleware's review of calls is one approval for each call", async () => {
  const approvals = await ask({ id: id(1), value: review(["approve", "edit", "reject"]) }, called);
  expect(approvals.map(({ requestId, toolCallId, reason }) => [requestId, toolCallId, reason])).toEqual([
    [`${id(1)}:0`, "c2", "tool-approval"],
    [`${id(1)}:1`, "c1", "tool-approval"],
  ]);
  expect(approvals.map(({ input }) => input)).toEqual([
    {
      kind: "choice",
      multiple: false,
      question: "Send it to Bob?",
      options: [
        { id: "approve", label: "Approve" },
        { id: "edit", label: "Edit" },
        { id: "deny", label: "Deny" },
      ],
    },
    expect.objectContaining({ question: "Run send?" }),
  ]);
  const edited = answer(approvals[0]!, { answer: "edit", input: { to: "eve" } });
  const denied = answer(approvals[1]!, { answer: ["deny"], reason: "Not Ann." });
  expect(toResumeMap([denied, edited])).toEqual({
    [id(1)]: {
      decisions: [
        { type: "edit", editedAction: { name: "send", args: { to: "eve" } } },
        { type: "reject", message: "Not Ann." },
      ],
    },
  });
  // The middleware wants all of them.
  expect(toResumeMap([denied])).toBeUndefined();
});

test("approvals of Python's middleware are answered in its spelling", async () => {
  const approvals = await ask({ id: id(1), value: review(["approve", "edit"], "snake") }, called);
  const resumes = [
    answer(approvals[0]!, { answer: "edit", input: { to: "eve" } }),
    answer(approvals[1]!, { outcome: "cancelled" }),
  ];
  expect(toResumeMap(resumes)).toEqual({
    [id(1)]: {
      decisions: [{ type: "edit", edited_action: { name: "send", args: { to: "eve" } } }, { type: "reject" }],
    },
  });
  const approved = approvals.map((approval) => answer(approval, { answer: "approve" }));
  expect(toResumeMap(approved)).toEqual({
    [id(1)]: { decisions: [{ type: "approve" }, { type: "approve" }] },
  });
});

test("an approved call has its result", async () => {
  const approvals = await ask({ id: id(1), value: review(["approve", "reject"]) }, called);
  const resumes = approvals.map((approval) => answer(approval, { answer: "approve" }));
  const sent = { type: "tool", id: "t1", tool_call_id: "c1", name: "send", content: "Sent." };
  const chunks = await chunksOf([["messages", [sent, {}]]], { resumes });
  expect(chunks.slice(2, -1)).toEqual([
    { type: "tool-call-result", tool: "send", toolCallId: "c1", content: "Sent." },
  ]);
});

test("an answer that the graph cannot take leaves its question open", async () => {
  const approvals = await ask({ id: id(1), value: review(["approve", "reject"]) }, called);
  const resumes = [
    answer(approvals[0]!, { answer: "approve" }),
    { requestId: "x", resumeToken: "", answer: 1 },
  ];
  expect(await chunksOf([], { resumes })).toEqual([{ type: "done", finishReason: "stop" }]);
});

test("a review of calls that are not in the stream, or with decisions of its own, is JSON", async () => {
  const value = review(["approve", "reject"]);
  expect((await ask({ id: id(1), value }))[0]!.input).toEqual({ kind: "json", meta: { value } });
  const own = review(["approve", "delegate"]);
  expect((await ask({ id: id(1), value: own }, called))[0]!.input.kind).toBe("json");
});

test("a resumed stream begins with what became of the questions and the calls", async () => {
  const approvals = await ask({ id: id(1), value: review(["approve", "edit", "reject"]) }, called);
  const [text] = await ask({ id: id(2), value: "Where to?" });
  const resumes = [
    answer(approvals[0]!, { answer: ["edit"], input: { to: "eve" } }),
    answer(approvals[1]!, { answer: "deny", reason: "No." }),
    answer(text!, { outcome: "cancelled" }),
  ];
  const rejected = {
    type: "tool",
    id: "t1",
    tool_call_id: "c1",
    name: "send",
    content: "Rejected: No.",
    status: "error",
  };
  const revised = { type: "ai", id: "m1", content: "Before", tool_calls: [] };
  const chunks = await chunksOf(
    [
      ["messages", [rejected, { langgraph_node: "review" }]],
      ["updates", { review: { messages: [revised, rejected] } }],
    ],
    { resumes },
  );
  expect(chunks).toEqual([
    { type: "interrupt-resolved", requestId: `${id(1)}:0`, outcome: "answered", answer: "edit" },
    { type: "tool-call-ready", tool: "send", toolCallId: "c2", input: { to: "eve" } },
    {
      type: "interrupt-resolved",
      requestId: `${id(1)}:1`,
      outcome: "answered",
      answer: "deny",
      reason: "No.",
    },
    { type: "interrupt-resolved", requestId: id(2), outcome: "cancelled" },
    { type: "tool-call-denied", tool: "send", toolCallId: "c1", reason: "Rejected: No.", node: "review" },
    { type: "done", finishReason: "stop" },
  ]);
});
