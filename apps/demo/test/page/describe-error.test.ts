import {
  type AssistantUIMessage,
  ChatStateError,
  StreamConnectionError,
  StreamContentTypeError,
  StreamHttpError,
  StreamIdleError,
  StreamProtocolError,
  StreamRemoteError,
  StreamTruncatedError,
} from "@kortyx/client";
import { expect, test } from "vitest";
import { describeEnding, describeError } from "../../src/page/describe-error.ts";

const html = new Response("", { headers: { "content-type": "text/html" } });

test.each([
  [new StreamTruncatedError(), "The answer was cut off"],
  [new StreamIdleError(30_000), "The connection went silent"],
  [new StreamConnectionError("/api/chat", new TypeError("fetch failed")), "The server could not be reached"],
  [new StreamContentTypeError(html, "text/event-stream"), "Something else responded"],
  [new StreamProtocolError("too-large", "Too large."), "The answer could not be read"],
  [new StreamProtocolError("invalid-chunk", "No chunk."), "The answer could not be read"],
  [
    new ChatStateError("busy", "Cannot send while an answer is streaming; call stop() first."),
    "Another answer is in progress",
  ],
  [new ChatStateError("too-large", "The messages are too large."), "The question is too long"],
  [new RangeError("secret detail"), "Something went wrong on this page"],
  ["thrown text", "Something went wrong on this page"],
])("%s is explained in words for the user, not in its own", (error, title) => {
  const described = describeError(error);
  expect(described.title).toBe(title);
  expect(described.detail).not.toMatch(/secret|fetch failed|No chunk|text\/event-stream/);
});

test.each([
  [401, {}, {}, "You are not signed in", /Reload/],
  [409, {}, { code: "run-active" }, "Another answer is in progress", /another tab/],
  [409, {}, { code: "already-answered" }, "This question can no longer be answered", /before/],
  [403, {}, { code: "invalid-resume-token" }, "This question can no longer be answered", /restarted/],
  [410, {}, { code: "interrupt-expired" }, "This question can no longer be answered", /expired/],
  [413, {}, {}, "The question is too long", /shorten/],
  [429, { "retry-after": "7" }, {}, "Too many questions", /in 7 s/],
  [503, {}, { code: "draining" }, "The server is busy or restarting", /in a moment/],
  [
    500,
    {},
    { error: "It broke.", code: "internal", correlationId: "c-1" },
    "The server failed",
    /^It broke\.$/,
  ],
  [502, {}, null, "The server failed", /502/],
  [
    400,
    {},
    { error: "Wrong.", code: "invalid-request" },
    "The server did not accept the question",
    /^Wrong\.$/,
  ],
])("status %i is explained with the user's next step", (status, headers, body, title, detail) => {
  const described = describeError(new StreamHttpError(new Response(null, { status, headers }), body));
  expect(described).toMatchObject({ title, detail: expect.stringMatching(detail) });
  expect(described.reference).toBe(status === 500 ? "c-1" : undefined);
});

test("a server error is shown with the id under which the server logged it", () => {
  const chunk = { type: "error" as const, message: "No luck.", correlationId: "c-1" };
  expect(describeError(new StreamRemoteError(chunk))).toEqual({
    title: "The answer failed",
    detail: "No luck.",
    reference: "c-1",
  });
});

const answer = (fields: Partial<AssistantUIMessage>): AssistantUIMessage => ({
  id: "a",
  role: "assistant",
  parts: [],
  status: "done",
  ...fields,
});

test.each([
  [answer({ status: "done" }), undefined],
  [answer({ status: "streaming" }), undefined],
  [answer({ status: "truncated" }), "The answer was cut off"],
  [answer({ status: "aborted" }), "Stopped"],
  [answer({ status: "aborted", abortReason: "stopped" }), "Stopped"],
  [answer({ status: "aborted", abortReason: "timeout" }), "Out of time"],
  [answer({ status: "aborted", abortReason: "shutdown" }), "The server was shut down"],
  [answer({ status: "aborted", abortReason: "quota" }), "Stopped by the server"],
  [answer({ status: "error", error: { type: "error", message: "No luck." } }), "The answer failed"],
])("how an answer ended is known from the answer alone, as after a reload", (message, title) => {
  expect(describeEnding(message)?.title).toBe(title);
});

test("an answer that could not be continued is whole, and has an error", () => {
  const error = new StreamHttpError(new Response(null, { status: 503 }), {});
  expect(describeEnding(answer({ status: "done" }), error)?.title).toBe("The server is busy or restarting");
});

test("a failure to reconnect is not the reason given for a cut answer", () => {
  const notFound = new StreamHttpError(new Response(null, { status: 404 }), {
    error: "There is no such run.",
  });
  expect(describeEnding(answer({ status: "truncated" }), notFound)?.title).toBe("The answer was cut off");
  expect(describeEnding(answer({ status: "truncated" }), new StreamIdleError(1))?.title).toBe(
    "The connection went silent",
  );
});
