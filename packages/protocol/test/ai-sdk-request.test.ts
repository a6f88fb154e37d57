import { describe, expect, test } from "vitest";
import { continuedMessageOf, fromAISDKRequest, isAISDKRequest } from "../src/ai-sdk-request.ts";
import { chatRequestBodySchema } from "../src/schemas.ts";
import { cost, costOfWhole } from "./cost.ts";

const user = { id: "u1", role: "user", parts: [{ type: "text", text: "Hello" }] };
const answer = (...parts: unknown[]) => ({
  id: "a1",
  role: "assistant",
  parts: [{ type: "step-start" }, ...parts],
});
const call = { type: "tool-pay", toolCallId: "c1", input: { euros: 20 } };
const done = { ...call, state: "output-available", output: "ok" };
type Mapped = Record<string, unknown> & {
  messages: { content: string; parts?: Record<string, unknown>[] }[];
};
const map = (messages: unknown[], fields = {}) =>
  fromAISDKRequest({ id: "s1", trigger: "submit-message", messages, ...fields }) as Mapped;
const callIn = (part: object, ...after: unknown[]) =>
  map([user, answer(part), ...after]).messages[1]!.parts?.find(({ type }) => type === "tool-call");

describe("a request of useChat", () => {
  test("is recognised by its trigger or its messages, whatever else is in the body", () => {
    expect(isAISDKRequest({ trigger: "regenerate-message", messages: [] })).toBe(true);
    expect(isAISDKRequest({ messages: [user] })).toBe(true);
    expect(isAISDKRequest({ messages: [{ role: "user", content: "Hello", parts: [] }] })).toBe(false);
    for (const body of [
      null,
      1,
      [],
      {},
      { messages: 1 },
      { messages: [null] },
      { trigger: "submit-message" },
    ]) {
      expect(isAISDKRequest(body)).toBe(false);
    }
  });

  test("has the text of a message as its content, and parts only where there is more", () => {
    const { messages, ...rest } = map([
      user,
      answer({ type: "text", text: "a" }, { type: "text", text: "b" }),
      user,
    ]);
    expect(messages).toEqual([
      { id: "u1", role: "user", content: "Hello" },
      { id: "a1", role: "assistant", content: "a\n\nb" },
      { id: "u1", role: "user", content: "Hello" },
    ]);
    expect(rest).toEqual({ sessionId: "s1", trigger: "send" });
  });

  test("keeps what an application adds, also where it states more than the messages", () => {
    const approval = { id: "q1", approved: true, signature: "t" };
    const responded = answer({ ...call, state: "approval-responded", approval });
    expect(map([responded], { workflowId: "w", resumes: [] })).toMatchObject({
      workflowId: "w",
      resumes: [],
    });
  });

  test("continues the answer that it names, which others may follow", () => {
    const { messages, trigger, messageId } = map([user, answer(), user], { messageId: "a1" });
    expect([messages.length, trigger, messageId]).toEqual([2, "continue", "a1"]);
    // The message that the user has changed.
    expect(map([user], { messageId: "u1" })).not.toHaveProperty("messageId");
  });
});

describe("a call", () => {
  test("has our names, and its ids and provider metadata without ours", () => {
    const callProviderMetadata = { openai: { a: 1 }, kortyx: { toolCallId: "c0", executor: "client" } };
    const resultProviderMetadata = { openai: { b: 1 }, kortyx: { isPair: true } };
    const output = { content: "ok", structuredContent: { id: 1 } };
    expect(callIn({ ...done, output, callProviderMetadata, resultProviderMetadata })).toEqual({
      type: "tool-call",
      toolCallId: "c0",
      tool: "pay",
      state: "done",
      input: { euros: 20 },
      content: "ok",
      structuredContent: { id: 1 },
      executor: "client",
      providerMetadata: { openai: { a: 1 } },
      resultProviderMetadata: { openai: { b: 1 } },
    });
    const dynamic = { ...done, type: "dynamic-tool", toolName: "tool-x", providerExecuted: true };
    expect(callIn(dynamic)).toMatchObject({ tool: "tool-x", isDynamic: true, executor: "provider" });
    expect(callIn({ ...done, type: "tool-a-b" })).toMatchObject({ tool: "a-b" });
  });

  test("waits only in the last message, and one without its whole input is left out", () => {
    const client = { callProviderMetadata: { kortyx: { executor: "client" } } };
    const asked = { state: "approval-requested", approval: { id: "q" } };
    const approved = { state: "approval-responded", approval: { id: "q", approved: true } };
    const denied = { state: "approval-responded", approval: { id: "q", approved: false, reason: "No." } };
    for (const [part, last, earlier] of [
      [{ state: "input-available" }, "interrupted", "interrupted"],
      [{ state: "input-available", ...client }, "awaiting-client", "interrupted"],
      [asked, "awaiting-approval", "interrupted"],
      [approved, "running", "interrupted"],
      [denied, "denied", "denied"],
      [{ ...denied, state: "output-denied" }, "denied", "denied"],
      [{ state: "output-available", output: 1, preliminary: true }, "interrupted", "interrupted"],
    ] as const) {
      expect(callIn({ ...call, ...part })?.state).toBe(last);
      expect(callIn({ ...call, ...part }, user)?.state).toBe(earlier);
    }
    expect(callIn({ ...call, ...denied })).toHaveProperty("errorMessage", "No.");
    expect(callIn({ ...call, state: "input-streaming" })).toBeUndefined();
  });

  test("that has failed has the tool's own content, or the text", () => {
    const failed = { ...call, state: "output-error", errorText: "No." };
    expect(callIn(failed)).toMatchObject({ state: "error", errorMessage: "No." });
    const kortyx = { content: { left: 1 }, structuredContent: 2 };
    const own = callIn({ ...failed, resultProviderMetadata: { kortyx } });
    expect(own).toMatchObject({ state: "error", content: { left: 1 }, structuredContent: 2 });
    expect(own).not.toHaveProperty("errorMessage");
  });
});

describe("what the page has done since", () => {
  const approval = { id: "q1", approved: true, signature: "t1" };
  const responded = { ...call, state: "approval-responded", approval };

  test("decisions become answers, but those that the server has had", () => {
    expect(map([answer(responded)]).resumes).toEqual([
      { requestId: "q1", resumeToken: "t1", toolCallId: "c1", answer: "approve" },
    ]);
    const closed = { kortyx: { resolved: "q1" } };
    expect(map([answer({ ...responded, callProviderMetadata: closed })])).not.toHaveProperty("resumes");
    const other = { kortyx: { resolved: "q0", toolCallId: "c0" } };
    expect(map([answer({ ...responded, callProviderMetadata: other })]).resumes).toMatchObject([
      { toolCallId: "c0" },
    ]);
    const automatic = { ...responded, approval: { ...approval, isAutomatic: true } };
    expect(map([answer(automatic)])).not.toHaveProperty("resumes");
    expect(map([answer(responded), user])).not.toHaveProperty("resumes");
  });

  test("outputs of the page's tools become results, and never those of the server", () => {
    const client = { callProviderMetadata: { kortyx: { executor: "client", resumeToken: "t" } } };
    const result = { toolCallId: "c1", tool: "pay", resumeToken: "t" };
    expect(map([answer({ ...done, ...client })]).toolResults).toEqual([{ ...result, content: "ok" }]);
    const failed = { ...call, ...client, state: "output-error", errorText: "No." };
    expect(map([answer(failed)]).toolResults).toEqual([{ ...result, errorMessage: "No." }]);
    for (const part of [
      done,
      { ...done, ...client, providerExecuted: true },
      { ...done, ...client, preliminary: true },
      { ...call, ...client, state: "input-available" },
    ]) {
      expect(map([answer(part)])).not.toHaveProperty("toolResults");
    }
    expect(map([answer({ ...done, ...client }, { type: "step-start" })])).not.toHaveProperty("toolResults");
    expect(map([answer({ ...done, ...client }), user])).not.toHaveProperty("toolResults");
  });

  test("also where only the end of the answer named the calls of the page", () => {
    const metadata = { kortyx: { pendingToolCallIds: ["c1"] }, own: 1 };
    const { toolResults, messages } = map([{ ...answer(done, { ...done, toolCallId: "c2" }), metadata }]);
    expect(toolResults).toEqual([{ toolCallId: "c1", tool: "pay", content: "ok" }]);
    expect(messages[0]).toMatchObject({ metadata: { own: 1 } });
  });

  test("in time linear in the number of calls and of names, before any limit is checked", () => {
    const ratio = costOfWhole(16_000, (size) => {
      const pendingToolCallIds = Array.from({ length: size }, (_, index) => `id-${index}`);
      const parts = Array.from({ length: size }, (_, index) => ({ ...done, toolCallId: `c-${index}` }));
      const message = { ...answer(...parts), metadata: { kortyx: { pendingToolCallIds } } };
      return cost(() => void map([message]));
    });
    expect(ratio).toBeLessThan(4);
  });
});

describe("the answer that a request continues", () => {
  test("is its last message, in our parts", () => {
    expect(continuedMessageOf({ trigger: "submit-message", messages: [user, answer(done)] })).toMatchObject({
      id: "a1",
      parts: [{ type: "step" }, { type: "tool-call", toolCallId: "c1" }],
    });
    expect(continuedMessageOf({ trigger: "submit-message", messages: [user] })).toBeUndefined();
    for (const body of [null, 1, {}, { messages: [null] }]) expect(continuedMessageOf(body)).toBeUndefined();
  });
});

describe("a body of a strange shape", () => {
  test("is passed on, for the parser to report", () => {
    for (const body of [null, 1, "x", [], {}, { messages: "x" }]) expect(fromAISDKRequest(body)).toBe(body);
    const strange = [
      null,
      1,
      { role: "user" },
      { role: "user", parts: [null, 1, {}, { type: 1 }, { type: "x" }] },
    ];
    const { success, error } = chatRequestBodySchema.safeParse(map(strange));
    expect([success, error?.issues.length]).not.toEqual([true, undefined]);
  });

  test("never throws, whatever the fields of parts and messages are", () => {
    const values = [null, 1, "x", [], {}, { kortyx: 1 }, JSON.parse('{"__proto__":{"polluted":1}}')];
    const names = [
      "type",
      "text",
      "state",
      "approval",
      "callProviderMetadata",
      "resultProviderMetadata",
      "output",
    ];
    for (const value of values) {
      for (const name of names) {
        for (const part of [responded(), done, { type: "text", text: "a" }]) {
          const messages = [
            { id: value, role: "assistant", metadata: value, parts: [{ ...part, [name]: value }] },
          ];
          expect(() => map(messages, { messageId: value, id: value })).not.toThrow();
          expect(() => continuedMessageOf({ messages })).not.toThrow();
        }
      }
    }
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });
});

const responded = () => ({ ...call, state: "approval-responded", approval: { id: "q", approved: true } });
