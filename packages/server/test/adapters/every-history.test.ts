/** The ways back: from any history, also one of several providers, to what each provider accepts. */
import type { ChatMessage, ToolCallMessagePart } from "@kortyx/protocol";
import { describe, expect, test } from "vitest";
import { toModelMessages } from "../../src/ai-sdk.ts";
import { toAnthropicPrompt } from "../../src/anthropic.ts";
import { toLangChainMessages } from "../../src/langgraph.ts";
import { toOpenAIChatMessages, toOpenAIResponsesInput } from "../../src/openai.ts";
import { findBrokenRules } from "./anthropic-rules.ts";
import { forAnyHistory } from "./histories.ts";
import { findBrokenChatRules, findBrokenResponsesRules } from "./openai-rules.ts";

const waiting: ToolCallMessagePart = {
  type: "tool-call",
  toolCallId: "call_1",
  tool: "locate",
  state: "awaiting-client",
  executor: "client",
  input: {},
};
const toolResults = [{ toolCallId: "call_1", tool: "locate", content: "Bern" }];
const question: ChatMessage = { role: "user", content: "Where am I?" };
const continued: ChatMessage[] = [question, { role: "assistant", content: "", parts: [waiting] }];

describe("the results of a client's tools, which the messages do not have,", () => {
  test.each([
    ["toOpenAIChatMessages", toOpenAIChatMessages],
    ["toOpenAIResponsesInput", toOpenAIResponsesInput],
    ["toAnthropicPrompt", toAnthropicPrompt],
    ["toModelMessages", toModelMessages],
    ["toLangChainMessages", toLangChainMessages],
  ] as const)("are given to %s", (_name, toRequest) => {
    expect(JSON.stringify(toRequest(continued, { toolResults }))).toContain('"Bern"');
    expect(JSON.stringify(toRequest(continued, { toolResults }))).not.toContain("interrupted");
    expect(JSON.stringify(toRequest(continued))).toContain("interrupted");
  });
});

describe("any history", () => {
  test("keeps the rules of chat completions", async () => {
    await forAnyHistory(1500, (messages) =>
      expect(findBrokenChatRules(toOpenAIChatMessages(messages))).toEqual([]),
    );
  });

  test("keeps the rules of the Responses API", async () => {
    await forAnyHistory(1500, (messages) =>
      expect(findBrokenResponsesRules(toOpenAIResponsesInput(messages))).toEqual([]),
    );
  });

  test("keeps the rules of Anthropic", async () => {
    await forAnyHistory(1500, (messages) => expect(findBrokenRules(toAnthropicPrompt(messages))).toEqual([]));
  });

  test("sends no provider what another one wants back", async () => {
    await forAnyHistory(1500, (messages) => {
      for (const request of [toOpenAIChatMessages(messages), toOpenAIResponsesInput(messages)]) {
        expect(JSON.stringify(request)).not.toMatch(/ANTHROPIC|LANGCHAIN|AISDK/);
      }
      expect(JSON.stringify(toAnthropicPrompt(messages))).not.toMatch(/OPENAI|LANGCHAIN|AISDK/);
      expect(JSON.stringify(toLangChainMessages(messages))).not.toMatch(/OPENAI|ANTHROPIC|AISDK/);
    });
  });
});
