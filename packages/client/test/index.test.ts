import { expect, test } from "vitest";
import * as root from "../src/index.ts";

test("the public names of the root", () => {
  expect(Object.keys(root).sort()).toEqual([
    "StreamConnectionError",
    "StreamContentTypeError",
    "StreamError",
    "StreamHttpError",
    "StreamProtocolError",
    "StreamRemoteError",
    "StreamTruncatedError",
    "consumeStream",
    "createMessageAccumulator",
    "createStructuredStreamAccumulator",
    "isStreamError",
    "readStream",
    "reduceMessage",
    "streamChatFromRoute",
    "streamFromRoute",
  ]);
});
