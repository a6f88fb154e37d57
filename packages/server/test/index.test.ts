import { expect, test } from "vitest";
import * as root from "../src/index.ts";
import * as kortyx from "../src/kortyx.ts";

test("the public names of the root", () => {
  expect(Object.keys(root).sort()).toEqual([
    "ChatRequestError",
    "StreamError",
    "StreamProtocolError",
    "chatMessageSchema",
    "chatRequestBodySchema",
    "collectBufferedStream",
    "collectStream",
    "createChatRoute",
    "createMemoryRunStore",
    "createStreamResponse",
    "drain",
    "isStreamChunk",
    "isStreamError",
    "isTerminalChunk",
    "parseChatRequestBody",
    "readChatRequest",
    "streamChunkSchema",
    "summarizeStreamChunks",
    "toSSE",
  ]);
});

test("the public names of the other entries", () => {
  expect(Object.keys(kortyx)).toEqual(["fromKortyx"]);
});
