import { createMessageAccumulator, reduceMessage } from "@kortyx/client";
import { type ChatAgentOptions, collectStream, type StreamChunk } from "@kortyx/server";
import { describe, expect, test, vi } from "vitest";
import { askForWords, askWhich, readAnswers } from "../../src/agent/ask-user.ts";
import { createDocumentationAgent } from "../../src/agent/documentation-agent.ts";
import { createSearch, type SearchHit } from "../../src/agent/search.ts";

const hit = (page: string, title: string): SearchHit => ({
  section: { page, title, heading: "Errors", text: "" },
  score: 1,
  isNamed: true,
});

const which = () => askWhich({ query: "errors" }, [hit("a.md", "Server"), hit("b.md", "Client")]);

test("a choice offers the pages", () => {
  expect(which().input).toEqual({
    kind: "choice",
    multiple: false,
    question: "Several pages are about this. Which one do you mean?",
    options: [
      { id: "a.md", label: "Server", description: "a.md › Errors" },
      { id: "b.md", label: "Client", description: "b.md › Errors" },
    ],
  });
});

test.each(["b.md", ["b.md"]])("the choice %j continues the search in that page", (answer) => {
  expect(readAnswers([{ ...which(), answer }])).toEqual({ query: "errors", page: "b.md" });
});

test("a text takes the place of the question, and keeps the page that was asked about", () => {
  const [about] = askForWords({ query: "why?", page: "a.md" });
  expect(about?.input).toEqual({
    kind: "text",
    multiple: false,
    question: "Your question has no word that I could search for. What is it about?",
  });
  const read = (answer: string) => readAnswers([{ ...about!, answer }]);
  expect(read("heartbeats")).toEqual({ query: "heartbeats", page: "a.md" });
  expect(read("heartbeats in:b")).toEqual({ query: "heartbeats", page: "b.md" });
});

test("two questions are answered together, in any order", () => {
  const [about, length] = askForWords({ query: "why?" });
  expect(about!.requestId).not.toBe(length!.requestId);
  const answers = [
    { ...length!, answer: "short" },
    { ...about!, answer: "heartbeats" },
  ];
  const search = { query: "heartbeats", maxQuotes: 1 };
  expect(readAnswers(answers)).toEqual(search);
  expect(readAnswers(answers.reverse())).toEqual(search);
});

const sendFeedback = vi.fn();
const agent = createDocumentationAgent({ search: createSearch(new Map()), tokensPerSecond: 0, sendFeedback });
const ask = (content: string, options: ChatAgentOptions = {}): Promise<StreamChunk[]> =>
  collectStream(agent.streamChat([{ role: "user", content }], options));

const toolCallId = expect.any(String);
const textOf = (chunks: StreamChunk[]) => reduceMessage(chunks).parts.find(({ type }) => type === "text");

describe("feedback", () => {
  async function propose() {
    const chunks = await ask("Feedback: The runs page is short.");
    const interrupt = chunks.find((chunk) => chunk.type === "interrupt")!;
    const { requestId, resumeToken, toolCallId } = interrupt;
    sendFeedback.mockClear();
    const decide = (decision: Partial<NonNullable<ChatAgentOptions["resumes"]>[number]>) =>
      ask("Feedback: The runs page is short.", {
        resumes: [{ requestId, resumeToken, toolCallId, ...decision }],
      });
    return { chunks, interrupt, decide };
  }

  test("is a call that waits for the user's approval, and nothing is sent yet", async () => {
    const { chunks, interrupt } = await propose();
    expect(chunks).toEqual([
      {
        type: "tool-call-start",
        tool: "send_feedback",
        toolCallId,
        input: { text: "The runs page is short." },
      },
      expect.objectContaining({ type: "interrupt", toolCallId, reason: "tool-approval" }),
      { type: "done", finishReason: "interrupt" },
    ]);
    expect("options" in interrupt.input && interrupt.input.options.map(({ id }) => id)).toEqual([
      "approve",
      "edit",
      "deny",
    ]);
    expect(interrupt.expiresAt).toBeGreaterThan(Date.now());
    expect(sendFeedback).not.toHaveBeenCalled();
    expect(reduceMessage(chunks).parts[0]).toMatchObject({ state: "awaiting-approval" });
  });

  test("that is approved is sent, and the call has its result in the same message", async () => {
    const { chunks, interrupt, decide } = await propose();
    const rest = await decide({ answer: "approve" });
    expect(sendFeedback.mock.calls).toEqual([["The runs page is short."]]);
    expect(rest[0]).toEqual({
      type: "interrupt-resolved",
      requestId: interrupt.requestId,
      outcome: "answered",
      answer: "approve",
    });
    const continued = createMessageAccumulator({ ...reduceMessage(chunks), id: "1", role: "assistant" });
    for (const chunk of rest) continued.apply(chunk);
    expect(continued.message.parts[0]).toMatchObject({ state: "done", content: "Sent." });
  });

  test("that is changed is sent as changed, and the call shows what was sent", async () => {
    const { decide } = await propose();
    const rest = await decide({ answer: "edit", input: { text: "It is long." } });
    expect(sendFeedback.mock.calls).toEqual([["It is long."]]);
    expect(rest).toContainEqual(
      expect.objectContaining({ type: "tool-call-ready", input: { text: "It is long." } }),
    );
  });

  test.each([undefined, {}, { text: 7 }, { text: " " }, "text"])(
    "that is changed to %j is not sent: the call fails",
    async (input) => {
      const { decide } = await propose();
      const rest = await decide({ answer: "edit", input });
      expect(sendFeedback).not.toHaveBeenCalled();
      expect(rest.map(({ type }) => type)).toEqual(["interrupt-resolved", "tool-call-error", "done"]);
    },
  );

  test.each([
    { answer: "deny", reason: "Not now." },
    { answer: "anything else" },
    { answer: ["approve"] },
    { answer: "approve", outcome: "cancelled" as const },
    {},
  ])("is not sent after %j: the call is denied", async (decision) => {
    const { decide } = await propose();
    const rest = await decide(decision);
    expect(sendFeedback).not.toHaveBeenCalled();
    expect(rest).toContainEqual({
      type: "tool-call-denied",
      tool: "send_feedback",
      toolCallId,
      reason: decision.reason,
    });
    expect(textOf(rest)).toMatchObject({ text: "All right, I have sent nothing." });
  });
});

describe("the time", () => {
  const tools = [{ name: "read_clock", description: "The time." }];
  const result = { toolCallId: "1", tool: "read_clock" };

  test("is read by the page, if it offers that", async () => {
    const call = { tool: "read_clock", toolCallId, executor: "client" };
    const chunks = await ask("What time is it?", { tools });
    expect(chunks).toEqual([
      { type: "tool-call-start", ...call },
      { type: "tool-call-ready", ...call, input: {} },
      { type: "done", finishReason: "tool-calls" },
    ]);
    expect(reduceMessage(chunks).parts[0]).toMatchObject({ state: "awaiting-client" });
    expect(textOf(await ask("What time is it?"))).toMatchObject({ text: "I cannot see a clock from here." });
  });

  test("is named as the page has returned it", async () => {
    const content = { time: "14:05", timeZone: "Europe/Berlin" };
    const chunks = await ask("What time is it?", { toolResults: [{ ...result, content }] });
    expect(chunks).toEqual([
      { type: "tool-call-result", ...result, content },
      { type: "text-delta", delta: "It is 14:05 where you are (Europe/Berlin)." },
      { type: "done", finishReason: "stop" },
    ]);
  });

  test("is not named when the page could not read it", async () => {
    const chunks = await ask("What time is it?", { toolResults: [{ ...result, errorMessage: "No clock." }] });
    expect(chunks[0]).toEqual({ type: "tool-call-error", ...result, message: "No clock." });
    expect(textOf(chunks)).toMatchObject({ text: "I could not read your clock." });
  });
});
