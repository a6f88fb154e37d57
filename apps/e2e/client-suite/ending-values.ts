/**
 * The values that the rows of the table of endings share: chunks, their frames, errors and headers.
 */
import { delta, done, doneMarker, frame, frameOf } from "./frames.ts";

export const a = delta("a");
export const b = delta("b");
export const failed = {
  type: "error",
  message: "The model is busy.",
  code: "busy",
  retryable: true,
} as const;
export const stopped = { type: "abort", reason: "stopped" } as const;
export const [aFrame, bFrame, doneFrame] = [frame(a), frame(b), frame(done)];

export const truncated = { name: "StreamTruncatedError", code: "truncated" };
export const disconnected = { name: "StreamConnectionError", code: "connection" };
export const refused = { name: "StreamRequestError", code: "invalid-request" };
export const idle = { name: "StreamIdleError", code: "idle" };
export const remote = { outcome: "error", name: "StreamRemoteError", code: "remote" } as const;
export const unreadable = { name: "StreamBodyError", code: "unreadable-body" };
export const gap = { name: "StreamProtocolError", code: "sequence-gap" };
export const invalidChunk = { name: "StreamProtocolError", code: "invalid-chunk" };
export const invalidJson = { name: "StreamProtocolError", code: "invalid-json" };
export const httpStatus = { name: "StreamHttpError", code: "http-status" };
export const notAStream = { name: "StreamContentTypeError", code: "content-type" };

export const json = { "content-type": "application/json" };
export const html = { "content-type": "text/html; charset=utf-8" };
export const text = { "content-type": "text/plain" };
export const loginPage = "<!doctype html><title>Log in</title>";

export const eventOf = (seq: number, chunk: unknown) => frameOf("run", seq, chunk);
export const runStart = { type: "run-start", runId: "run" } as const;
/** The first events of a run; the connection is lost after them. */
export const cutRun = { body: eventOf(0, runStart) + eventOf(1, a) };
export const restOfRun = { body: eventOf(2, b) + eventOf(3, done) + doneMarker };
