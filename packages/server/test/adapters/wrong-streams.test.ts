/** What every adapter reports of a value that is not the stream of its SDK. */
import { describe, expect, test } from "vitest";
import { fromAGUI } from "../../src/ag-ui.ts";
import { fromAISDK } from "../../src/ai-sdk.ts";
import { fromAnthropic } from "../../src/anthropic.ts";
import { fromLangGraph } from "../../src/langgraph.ts";
import { fromOpenAIChat, fromOpenAIResponses } from "../../src/openai.ts";

const agUI = { adapt: fromAGUI, takes: "fromAGUI takes the response of an agent, or the events of its run" };
const adapters = [
  {
    adapt: fromOpenAIChat,
    takes: "fromOpenAIChat takes the stream of a chat completion, whose request has `stream: true`",
  },
  {
    adapt: fromOpenAIResponses,
    takes: "fromOpenAIResponses takes the stream of a response, whose request has `stream: true`",
  },
  {
    adapt: fromAnthropic,
    takes: "fromAnthropic takes the stream of a message, whose request has `stream: true`",
  },
  {
    adapt: fromAISDK,
    takes: "fromAISDK takes the result of streamText or of an agent's stream(), or its `stream`",
  },
  {
    adapt: fromLangGraph,
    takes: "fromLangGraph takes the stream of a graph whose `streamMode` is a list, or that of a server",
  },
];

/** Reads all of it. */
const drain = async (adapt: unknown, value: unknown) => {
  for await (const _ of (adapt as (value: unknown) => AsyncGenerator)(value));
};

async function* streamOf(...events: unknown[]) {
  yield* events;
}

describe.each([...adapters, agUI])("$adapt.name describes what it takes", ({ adapt, takes }) => {
  test.each([
    [{ object: "chat.completion", choices: [] }, "an object"],
    ["Hello", "a string"],
    [undefined, "undefined"],
  ])("if it gets %o", async (value, kind) => {
    const error = new TypeError(`${takes}; got ${kind}.`);
    await expect(drain(adapt, value)).rejects.toThrow(error);
    await expect(drain(adapt, Promise.resolve(value))).rejects.toThrow(error);
  });
});

test.each(adapters)("$adapt.name parses no stream of text or bytes", async ({ adapt, takes }) => {
  const error = new TypeError(`${takes}; got a stream of text or bytes.`);
  await expect(drain(adapt, streamOf("data: {}"))).rejects.toThrow(error);
  await expect(drain(adapt, streamOf(new Uint8Array([100])))).rejects.toThrow(error);
});

test.each([
  ["no mode", { agent: { messages: [] } }],
  ["the mode messages alone", [{ type: "AIMessageChunk", content: "Hi" }, { langgraph_node: "agent" }]],
  ["another SDK", { type: "message_start", message: {} }],
])("a stream of %s is not a graph that has no answer", async (_, item) => {
  await expect(drain(fromLangGraph, streamOf(item))).rejects.toThrow(
    new TypeError(
      "fromLangGraph takes the stream of a graph whose `streamMode` is a list, or that of a server; got items without a mode.",
    ),
  );
});
