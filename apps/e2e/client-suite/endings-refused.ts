/**
 * Responses that are not a stream, and streams that violate the protocol.
 */
import {
  a,
  aFrame,
  b,
  eventOf,
  gap,
  html,
  httpStatus,
  invalidChunk,
  invalidJson,
  json,
  loginPage,
  notAStream,
  refused,
  runStart,
  text,
} from "./ending-values.ts";
import { delta, doneMarker, frame, frameOf } from "./frames.ts";
import type { EndingRow } from "./read-ending.ts";

export const refusedEndings: EndingRow[] = [
  {
    name: "400 with JSON keeps the issues",
    answers: { status: 400, headers: json, body: '{"error":"Bad request","issues":["messages: missing"]}' },
    chunks: [],
    ends: {
      ...httpStatus,
      status: 400,
      body: { error: "Bad request", issues: ["messages: missing"] },
      retryAfterMs: null,
    },
  },
  {
    name: "401 with a text keeps the text",
    answers: { status: 401, headers: text, body: "Log in first." },
    chunks: [],
    ends: { ...httpStatus, status: 401, body: "Log in first." },
  },
  {
    name: "404 with an HTML page keeps the page",
    answers: { status: 404, headers: html, body: "<h1>Not found</h1>" },
    chunks: [],
    ends: { ...httpStatus, status: 404, body: "<h1>Not found</h1>" },
  },
  {
    name: "413 without a body has an empty one",
    answers: { status: 413, headers: {} },
    chunks: [],
    ends: { ...httpStatus, status: 413, body: "" },
  },
  {
    name: "429 with retry-after in seconds provides the delay",
    answers: { status: 429, headers: { ...json, "retry-after": "7" }, body: '{"code":"run-limit"}' },
    chunks: [],
    ends: { ...httpStatus, status: 429, body: { code: "run-limit" }, retryAfterMs: 7_000 },
  },
  {
    name: "503 with a past date as retry-after provides a delay of 0",
    answers: { status: 503, headers: { "retry-after": "Thu, 01 Jan 1970 00:00:00 GMT" } },
    chunks: [],
    ends: { ...httpStatus, status: 503, body: "", retryAfterMs: 0 },
  },
  {
    name: "503 with an invalid retry-after provides no delay",
    answers: { status: 503, headers: { ...text, "retry-after": "soon" }, body: "Later." },
    chunks: [],
    ends: { ...httpStatus, status: 503, body: "Later.", retryAfterMs: null },
  },
  {
    name: "503 of a draining server keeps its code when reconnecting is turned off",
    answers: { status: 503, headers: { ...json, "retry-after": "3" }, body: '{"code":"draining"}' },
    options: { giveUpAfterMs: 0 },
    chunks: [],
    ends: { ...httpStatus, status: 503, body: { code: "draining" }, retryAfterMs: 3_000 },
  },
  {
    name: "500 with JSON keeps the JSON",
    answers: { status: 500, headers: json, body: '{"error":"Internal","correlationId":"c-1"}' },
    chunks: [],
    ends: { ...httpStatus, status: 500, body: { error: "Internal", correlationId: "c-1" } },
  },
  {
    name: "502 of a gateway keeps its page",
    answers: { status: 502, headers: html, body: "<h1>Bad gateway</h1>" },
    chunks: [],
    ends: { ...httpStatus, status: 502, body: "<h1>Bad gateway</h1>" },
  },
  {
    name: "an error whose body never ends keeps the received part",
    answers: { status: 502, headers: html, body: "<h1>Bad", ending: "hold" },
    chunks: [],
    ends: { ...httpStatus, status: 502, body: "<h1>Bad" },
  },
  {
    name: "500 with the type of an event stream is still an error",
    answers: { status: 500, body: aFrame + doneMarker },
    chunks: [],
    ends: { ...httpStatus, status: 500, body: aFrame + doneMarker },
  },
  {
    name: "a Response with an error status is not a stream",
    answers: { status: 500, headers: text, body: "Oops." },
    read: "response",
    chunks: [],
    ends: { ...httpStatus, status: 500, body: "Oops." },
  },
  {
    name: "200 with an HTML page is not a stream",
    answers: { headers: html, body: loginPage },
    chunks: [],
    ends: { ...notAStream, contentType: "text/html; charset=utf-8" },
  },
  {
    name: "200 with JSON is not a stream",
    answers: { headers: json, body: '{"text":"Hi"}' },
    chunks: [],
    ends: { ...notAStream, contentType: "application/json" },
  },
  {
    name: "200 without a content type is not a stream",
    answers: { headers: {}, body: aFrame + doneMarker },
    chunks: [],
    ends: { ...notAStream, contentType: "" },
  },
  {
    name: "a redirect to a login page is not a stream",
    answers: { status: 302, headers: { location: "/login" } },
    chunks: [],
    ends: { ...notAStream, contentType: "text/html" },
  },
  {
    name: "a redirect to the stream is followed",
    answers: {
      status: 307,
      headers: {
        location: `/answer?case=redirected&answer=${encodeURIComponent(JSON.stringify({ body: aFrame + doneMarker }))}`,
      },
    },
    chunks: [a],
    ends: { outcome: "end" },
  },
];

/** Requests that \`fetch\` does not make. */
export const unsentEndings: EndingRow[] = [
  {
    name: "a GET with a body is refused at once, although a GET may be retried",
    answers: [],
    options: { method: "GET" },
    chunks: [],
    ends: refused,
    requests: 1,
  },
  {
    name: "an invalid method is refused at once",
    answers: [],
    options: { method: "A B", runs: true },
    chunks: [],
    ends: refused,
    requests: 1,
  },
];

export const brokenEndings: EndingRow[] = [
  {
    name: "an event larger than maxEventBytes violates the protocol",
    answers: { body: aFrame + frame(delta("x".repeat(1_000))) + doneMarker },
    options: { maxEventBytes: 500 },
    chunks: [a],
    ends: { name: "StreamProtocolError", code: "too-large" },
  },
  {
    name: "an event that never ends violates the protocol as soon as it exceeds maxEventBytes",
    answers: { body: `${aFrame}data: ${"x".repeat(1_000)}`, ending: "hold" },
    options: { maxEventBytes: 500 },
    chunks: [a],
    ends: { name: "StreamProtocolError", code: "too-large" },
  },
  {
    name: "broken JSON violates the protocol, after the chunks before it",
    answers: { body: `${aFrame}data: {"type":"text-delta",\n\n${doneMarker}` },
    chunks: [a],
    ends: invalidJson,
  },
  {
    name: "a field of the wrong type violates the protocol",
    answers: { body: aFrame + frame({ type: "text-delta", delta: 1 }) + doneMarker },
    chunks: [a],
    ends: invalidChunk,
  },
  {
    name: "a missing field violates the protocol",
    answers: { body: aFrame + frame({ type: "text-delta" }) + doneMarker },
    chunks: [a],
    ends: invalidChunk,
  },
  {
    name: "JSON that is not an object violates the protocol",
    answers: { body: `${aFrame}data: 42\n\n${doneMarker}` },
    chunks: [a],
    ends: invalidChunk,
  },
  {
    name: "an object without a type violates the protocol",
    answers: { body: aFrame + frame({ delta: "a" }) + doneMarker },
    chunks: [a],
    ends: invalidChunk,
  },
  {
    name: "a missing event of a run is a gap",
    answers: { body: eventOf(0, runStart) + eventOf(2, b) + doneMarker },
    chunks: [runStart],
    ends: gap,
  },
  {
    name: "an event of another run is a gap",
    answers: { body: eventOf(0, runStart) + frameOf("other", 1, a) + doneMarker },
    chunks: [runStart],
    ends: gap,
  },
];
