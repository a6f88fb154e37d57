import type { ChatMessage, ChatMessagePart, ToolCallMessagePart } from "@kortyx/protocol";
import { expect, test } from "vitest";
import { parseDataURL, resultOf, toHistory, toText, withResults } from "../../src/adapters/model-history.ts";

const text = (said: string): ChatMessagePart => ({ type: "text", text: said });
const call = (toolCallId: string, fields: Partial<ToolCallMessagePart> = {}): ToolCallMessagePart => ({
  type: "tool-call",
  tool: "search",
  toolCallId,
  state: "done",
  ...fields,
});

const turnsOf = (parts: ChatMessagePart[]) =>
  toHistory([{ role: "assistant", content: "", parts }]).map((entry) => entry.parts);

test("a message without parts is its text, and one without either is left out", () => {
  const messages = [
    { role: "system" as const, content: "Be brief." },
    { role: "assistant" as const, content: "" },
    { role: "user" as const, content: "Hello" },
  ];
  expect(toHistory(messages)).toEqual([
    { role: "system", parts: [text("Be brief.")] },
    { role: "user", parts: [text("Hello")] },
  ]);
});

test("a text that is only in the content comes before the files", () => {
  const file: ChatMessagePart = { type: "file", mediaType: "image/png", url: "https://files.example/1.png" };
  expect(toHistory([{ role: "user", content: "Look", parts: [file] }])).toEqual([
    { role: "user", parts: [text("Look"), file] },
  ]);
});

test("the model's next turn begins after the calls of one", () => {
  const [a, b, c] = [call("1"), call("2"), call("3")];
  expect(turnsOf([text("Let me look."), a, b, text("One more."), c, text("Done.")])).toEqual([
    [text("Let me look."), a, b],
    [text("One more."), c],
    [text("Done.")],
  ]);
});

test("a step begins a turn, also between two calls", () => {
  const step: ChatMessagePart = { type: "step", stepId: "1" };
  expect(turnsOf([step, call("1"), step, call("2")])).toEqual([[call("1")], [call("2")]]);
});

test("in an answer with steps, what a model has written after its calls belongs to them", () => {
  const step: ChatMessagePart = { type: "step", stepId: "1" };
  expect(turnsOf([step, call("1"), text("That may take long."), step, text("Done.")])).toEqual([
    [call("1"), text("That may take long.")],
    [text("Done.")],
  ]);
});

test("what the provider ran itself belongs to the turn around it", () => {
  const searched = call("1", { executor: "provider" });
  expect(turnsOf([searched, text("It is 21 °C.")])).toEqual([[searched, text("It is 21 °C.")]]);
});

test("an empty text is kept only for what the provider wants back", () => {
  const signed: ChatMessagePart = {
    type: "text",
    text: "",
    providerMetadata: { google: { signature: "s" } },
  };
  expect(turnsOf([text(""), signed])).toEqual([[signed]]);
});

test("every call has a result, and only one that is done is no error", () => {
  expect(resultOf(call("1", { content: [1] }))).toEqual({ content: [1], isError: false });
  expect(resultOf(call("1", { structuredContent: { n: 1 } }))).toEqual({ content: { n: 1 }, isError: false });
  expect(resultOf(call("1"))).toEqual({ content: null, isError: false });
  expect(resultOf(call("1", { state: "error", errorMessage: "No." }))).toEqual({
    content: "No.",
    isError: true,
  });
  expect(resultOf(call("1", { state: "error", content: "Broken" }))).toEqual({
    content: "Broken",
    isError: true,
  });
  const denied = call("1", { state: "denied", errorMessage: "too dear" });
  expect(resultOf(denied)).toEqual({ content: "The call was denied: too dear", isError: true });
  for (const state of ["running", "awaiting-approval", "awaiting-client", "interrupted"] as const) {
    const content = "The call was interrupted before it had a result.";
    expect(resultOf(call("1", { state }))).toEqual({ content, isError: true });
  }
});

test("a value is its text or its JSON", () => {
  expect(["a", { a: 1 }, null, undefined].map(toText)).toEqual(["a", '{"a":1}', "null", "null"]);
});

test("a data URL is its media type and its base64", () => {
  expect(parseDataURL("data:image/png;base64,AAAA")).toEqual({ mediaType: "image/png", base64: "AAAA" });
  expect(parseDataURL("data:text/plain;charset=utf-8;base64,AA")).toEqual({
    mediaType: "text/plain",
    base64: "AA",
  });
  expect(parseDataURL("data:text/plain,hello")).toBeUndefined();
  expect(parseDataURL("https://files.example/1.png")).toBeUndefined();
});

const answerOf = (...parts: ChatMessagePart[]): ChatMessage => ({ role: "assistant", content: "", parts });
const resultFor = (toolCallId: string, content: unknown) => ({ toolCallId, tool: "locate", content });
const waiting = { tool: "locate", state: "awaiting-client", executor: "client" } as const;
const callsIn = (messages: ChatMessage[]) =>
  messages.flatMap(({ parts = [] }) =>
    parts.flatMap((part) => (part.type === "tool-call" ? [[part.state, part.content]] : [])),
  );

test("a result of a client belongs to the call that waits for it", () => {
  const messages = [answerOf(call("1", waiting), call("2", waiting))];
  const given = [
    resultFor("2", { city: "Bern" }),
    { toolCallId: "1", tool: "locate", errorMessage: "No signal." },
    resultFor("3", "unknown"),
  ];
  expect(withResults(messages, given)[0]!.parts).toEqual([
    call("1", { ...waiting, state: "error", errorMessage: "No signal." }),
    call("2", { ...waiting, state: "done", content: { city: "Bern" } }),
  ]);
  expect(withResults([answerOf(call("1", waiting))], [resultFor("1", undefined)])[0]!.parts).toEqual([
    call("1", { ...waiting, state: "done", content: null }),
  ]);
});

test("of calls with the same id, the newest are open, and their results come in the same order", () => {
  const messages = [
    answerOf(call("1", { state: "interrupted" }), call("1", waiting)),
    answerOf(call("1", waiting), call("1", waiting)),
  ];
  const given = [resultFor("1", "a"), resultFor("1", "b"), resultFor("1", "c")];
  expect(callsIn(withResults(messages, given))).toEqual([
    ["interrupted", undefined],
    ["done", "a"],
    ["done", "b"],
    ["done", "c"],
  ]);
});

test.each([
  { state: "done", content: "Rome" },
  { state: "error" },
  { state: "denied" },
  { state: "awaiting-approval" },
  { state: "running", executor: "provider" },
] as const)("a call with %o takes no result from a client", (fields) => {
  const messages = [answerOf(call("1", { ...fields }))];
  expect(withResults(messages, [resultFor("1", "Bern")])).toEqual(messages);
});
