/**
 * Buffered answers, and actions that a chat refuses itself.
 */
import {
  a,
  aFrame,
  disconnected,
  failed,
  html,
  httpStatus,
  invalidChunk,
  invalidJson,
  json,
  loginPage,
  notAStream,
  truncated,
} from "./ending-values.ts";
import { done, doneMarker, frame } from "./frames.ts";
import type { EndingRow } from "./read-ending.ts";

const result = (chunks: unknown[], answer = "a") => JSON.stringify({ chunks, text: answer, structured: [] });

export const bufferedEndings: EndingRow[] = [
  {
    name: "a buffered answer returns the whole result",
    answers: { headers: json, body: result([a, done]) },
    read: "buffered",
    chunks: [a, done],
    ends: { outcome: "end", text: "a" },
  },
  {
    name: "a failed buffered answer keeps the partial result",
    answers: { status: 500, headers: json, body: result([a, failed]) },
    read: "buffered",
    chunks: [],
    ends: { ...httpStatus, status: 500, body: { chunks: [a, failed], text: "a", structured: [] } },
  },
  {
    name: "a page instead of a buffered answer is refused",
    answers: { headers: html, body: loginPage },
    read: "buffered",
    chunks: [],
    ends: { ...notAStream, contentType: "text/html; charset=utf-8" },
  },
  {
    name: "a stream instead of a buffered answer is refused",
    answers: { body: aFrame + doneMarker },
    read: "buffered",
    chunks: [],
    ends: { ...notAStream, contentType: "text/event-stream" },
  },
  {
    name: "a buffered answer of broken JSON violates the protocol",
    answers: { headers: json, body: '{"chunks":[' },
    read: "buffered",
    chunks: [],
    ends: invalidJson,
  },
  {
    name: "a buffered answer of another shape violates the protocol",
    answers: { headers: json, body: '{"answer":"a"}' },
    read: "buffered",
    chunks: [],
    ends: invalidChunk,
  },
  {
    name: "a buffered answer with an invalid chunk violates the protocol",
    answers: { headers: json, body: result([{ type: "text-delta" }]) },
    read: "buffered",
    chunks: [],
    ends: invalidChunk,
  },
  {
    name: "a buffered request whose socket is reset gets no response",
    answers: { hasNoHeaders: true, ending: "reset" },
    read: "buffered",
    chunks: [],
    ends: disconnected,
  },
  {
    name: "a buffered answer whose socket is closed halfway is truncated",
    answers: { headers: json, body: '{"chunks":[', ending: "cut" },
    read: "buffered",
    chunks: [],
    ends: truncated,
  },
];

export const refusedByState: EndingRow[] = [
  {
    name: "a chat whose agent sends structured data that cannot be applied reports a protocol error",
    answers: {
      body:
        aFrame +
        frame({
          type: "structured-data",
          kind: "set",
          streamId: "s",
          dataType: "d",
          path: "a..b",
          value: 1,
        }) +
        doneMarker,
    },
    read: "send",
    chunks: [a],
    ends: { name: "StreamProtocolError", code: "invalid-structured-data" },
  },
  {
    name: "a chat with an answer in progress is busy",
    answers: { body: aFrame, ending: "hold" },
    read: "second send",
    chunks: [],
    ends: { name: "ChatStateError", code: "busy" },
  },
  {
    name: "a chat refuses an empty message",
    answers: [],
    read: "empty send",
    chunks: [],
    ends: { name: "ChatStateError", code: "empty-message" },
  },
  {
    name: "a chat refuses a value that is not a message",
    answers: [],
    read: "event send",
    chunks: [],
    ends: { name: "ChatStateError", code: "invalid-message" },
  },
  {
    name: "a chat without a user message has nothing to regenerate",
    answers: [],
    read: "regenerate",
    chunks: [],
    ends: { name: "ChatStateError", code: "nothing-to-regenerate" },
  },
  {
    name: "a chat without a pending question refuses a response",
    answers: [],
    read: "respond",
    chunks: [],
    ends: { name: "ChatStateError", code: "not-pending" },
  },
];
