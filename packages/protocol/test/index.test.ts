import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import * as agUI from "../src/ag-ui.ts";
import * as aiSDK from "../src/ai-sdk.ts";
import * as root from "../src/index.ts";
import * as schemas from "../src/schemas.ts";

test("the root exports exactly these names", () => {
  expect(Object.keys(root).sort()).toEqual([
    "DONE_FRAME",
    "StreamError",
    "StreamProtocolError",
    "StreamTruncatedError",
    "applyStructuredChunk",
    "checkChunk",
    "createChunkDecoder",
    "createMessageAccumulator",
    "createSSEDecoder",
    "createStructuredStreamAccumulator",
    "createStructuredStreamWriter",
    "encodeChunk",
    "encodeComment",
    "encodeRetry",
    "formatEventId",
    "isStreamChunk",
    "isStreamError",
    "isTerminalChunk",
    "joinTextParts",
    "parseEventId",
    "parseMessageResume",
    "reduceMessage",
    "reduceStreamError",
    "reduceStructuredChunks",
    "stringifyChunk",
    "toChunk",
    "toMessageResume",
  ]);
});

test("./ag-ui exports exactly these names", () => {
  expect(Object.keys(agUI).sort()).toEqual([
    "createAGUITranslator",
    "fromAGUIRequest",
    "isAGUIRequest",
    "toAGUI",
  ]);
});

test("./schemas exports exactly these names", () => {
  expect(Object.keys(schemas).sort()).toEqual([
    "chatMessageSchema",
    "chatRequestBodySchema",
    "streamChunkSchema",
  ]);
});

test("./ai-sdk exports exactly these names", () => {
  expect(Object.keys(aiSDK).sort()).toEqual([
    "continuedMessageOf",
    "createAISDKTranslator",
    "fromAISDKRequest",
    "isAISDKRequest",
    "toAISDK",
  ]);
});

test("the package does no I/O, reads no clock, starts no timer and uses no randomness", () => {
  const folder = new URL("../src/", import.meta.url);
  // A date of a given time is no clock.
  const impure =
    /\b(setTimeout|setInterval|setImmediate|queueMicrotask|requestAnimationFrame|Date(?!\(\w)|performance|fetch|XMLHttpRequest|WebSocket|EventSource|process|console|crypto|Math\.random|localStorage|globalThis)\b|\b(document|window)\.|from "node:/;
  for (const file of readdirSync(folder)) {
    const code = readFileSync(new URL(file, folder), "utf8").replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");
    expect(code.match(impure)?.[0], file).toBeUndefined();
  }
});
