import { expect, test } from "vitest";
import * as agUI from "../src/ag-ui.ts";
import * as aiSDK from "../src/ai-sdk.ts";
import * as root from "../src/index.ts";
import * as react from "../src/react.ts";
import * as testing from "../src/testing.ts";

test("the root exports exactly the public names", () => {
  expect(Object.keys(root).sort()).toEqual([
    "ChatStateError",
    "StreamBodyError",
    "StreamConnectionError",
    "StreamContentTypeError",
    "StreamError",
    "StreamHttpError",
    "StreamIdleError",
    "StreamProtocolError",
    "StreamRemoteError",
    "StreamRequestError",
    "StreamTruncatedError",
    "applyStructuredChunk",
    "consumeStream",
    "createChat",
    "createMessageAccumulator",
    "createRouteTransport",
    "createStructuredStreamAccumulator",
    "isStreamError",
    "readStream",
    "reduceMessage",
    "reduceStructuredChunks",
    "requestChat",
    "streamChatFromRoute",
    "streamFromRoute",
    "toMessageText",
  ]);
});

test("the react entry exports exactly the hook", () => {
  expect(Object.keys(react)).toEqual(["useChat"]);
});

test("the testing entry exports exactly the scripted fetch", () => {
  expect(Object.keys(testing)).toEqual(["createScriptedFetch"]);
});

test("the ag-ui entry exports exactly the mapping", () => {
  expect(Object.keys(agUI).sort()).toEqual([
    "createAGUITranslator",
    "fromAGUIRequest",
    "isAGUIRequest",
    "toAGUI",
  ]);
});

test("the ai-sdk entry exports exactly its transport and the mapping", () => {
  expect(Object.keys(aiSDK).sort()).toEqual([
    "continuedMessageOf",
    "createAISDKTranslator",
    "createChatTransport",
    "fromAISDKRequest",
    "isAISDKRequest",
    "toAISDK",
  ]);
});
