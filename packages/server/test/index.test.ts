import { expect, test } from "vitest";
import * as agUI from "../src/ag-ui.ts";
import * as aiSDK from "../src/ai-sdk.ts";
import * as anthropic from "../src/anthropic.ts";
import * as root from "../src/index.ts";
import * as kortyx from "../src/kortyx.ts";
import * as langgraph from "../src/langgraph.ts";
import * as schemas from "../src/schemas.ts";
import * as storeTesting from "../src/store-testing.ts";
import * as testing from "../src/testing.ts";

test("the root exports exactly these names", () => {
  expect(Object.keys(root).sort()).toEqual([
    "ChatRequestError",
    "StreamError",
    "StreamProtocolError",
    "collectBufferedStream",
    "collectStream",
    "createChatRoute",
    "createMemoryRunStore",
    "createStreamResponse",
    "createStructuredStreamWriter",
    "defineTool",
    "describeProviderError",
    "drain",
    "isStreamChunk",
    "isStreamError",
    "isTerminalChunk",
    "parseChatRequestBody",
    "producerLostTerminal",
    "readChatRequest",
    "runTools",
    "signResumeTokens",
    "stoppedTerminal",
    "stringifyChunk",
    "summarizeStreamChunks",
    "toChatMessages",
    "toSSE",
    "verifyResumeTokens",
  ]);
});

test("the other entries export exactly these names", () => {
  expect(Object.keys(anthropic).sort()).toEqual(["fromAnthropic", "toAnthropicPrompt", "toAnthropicTools"]);
  expect(Object.keys(kortyx)).toEqual(["fromKortyx"]);
  expect(Object.keys(langgraph).sort()).toEqual([
    "fromLangGraph",
    "toLangChainMessages",
    "toLangChainResults",
    "toResumeMap",
  ]);
  expect(Object.keys(agUI).sort()).toEqual([
    "agUIWire",
    "createAGUITranslator",
    "fromAGUI",
    "fromAGUIRequest",
    "isAGUIRequest",
    "toAGUI",
    "toRunAgentInput",
  ]);
  expect(Object.keys(aiSDK).sort()).toEqual([
    "aiSDKWire",
    "continuedMessageOf",
    "createAISDKTranslator",
    "fromAISDK",
    "fromAISDKRequest",
    "isAISDKRequest",
    "toAISDK",
    "toModelMessages",
  ]);
  expect(Object.keys(storeTesting)).toEqual(["describeRunStore"]);
  expect(Object.keys(testing).sort()).toEqual([
    "collectTranscript",
    "createFaultyRunStores",
    "createScriptedAgent",
    "createScriptedModel",
  ]);
  expect(Object.keys(schemas).sort()).toEqual([
    "chatMessageSchema",
    "chatRequestBodySchema",
    "streamChunkSchema",
  ]);
});

test("the entry of OpenAI exports exactly these names", async () => {
  expect(Object.keys(await import("../src/openai.ts")).sort()).toEqual([
    "fromOpenAIChat",
    "fromOpenAIResponses",
    "toOpenAIChatMessages",
    "toOpenAIChatTools",
    "toOpenAIResponsesInput",
    "toOpenAIResponsesTools",
  ]);
});
