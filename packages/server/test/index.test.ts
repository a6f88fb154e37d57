import { expect, test } from "vitest";
import * as root from "../src/index.ts";

test("the public names of the root", () => {
  expect(Object.keys(root).sort()).toEqual([
    "ChatRequestError",
    "StreamError",
    "StreamProtocolError",
    "anonymous",
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
    "toSSE",
  ]);
});
