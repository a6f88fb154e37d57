/**
 * Buffered answers, and what a chat refuses by itself.
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
    name: "a buffered answer is the whole result",
    answers: { headers: json, body: result([a, done]) },
    read: "buffered",
    chunks: [a, done],
    ends: { outcome: "end", text: "a" },
  },
  {
    name: "a buffered answer that failed keeps the partial result",
    answers: { status: 500, headers: json, body: result([a, failed]) },
    read: "buffered",
    chunks: [],
    ends: { ...httpStatus, status: 500, body: { chunks: [a, failed], text: "a", structured: [] } },
  },
  {
    name: "a page instead of a buffered answer is no answer",
    answers: { headers: html, body: loginPage },
    read: "buffered",
    chunks: [],
    ends: { ...notAStream, contentType: "text/html; charset=utf-8" },
  },
  {
    name: "a stream instead of a buffered answer is no answer",
    answers: { body: aFrame + doneMarker },
    read: "buffered",
    chunks: [],
    ends: { ...notAStream, contentType: "text/event-stream" },
  },
  {
    name: "a buffered answer of broken JSON breaks the contract",
    answers: { headers: json, body: '{"chunks":[' },
    read: "buffered",
    chunks: [],
    ends: invalidJson,
  },
  {
    name: "a buffered answer of another shape breaks the contract",
    answers: { headers: json, body: '{"answer":"a"}' },
    read: "buffered",
    chunks: [],
    ends: invalidChunk,
  },
  {
    name: "a buffered answer with a wrong chunk breaks the contract",
    answers: { headers: json, body: result([{ type: "text-delta" }]) },
    read: "buffered",
    chunks: [],
    ends: invalidChunk,
  },
  {
    name: "a buffered request whose socket is reset has no response",
    answers: { hasNoHeaders: true, ending: "reset" },
    read: "buffered",
    chunks: [],
    ends: disconnected,
  },
  {
    name: "a buffered answer whose socket is closed in the middle is truncated",
    answers: { headers: json, body: '{"chunks":[', ending: "cut" },
    read: "buffered",
    chunks: [],
    ends: truncated,
  },
];

export const refusedByState: EndingRow[] = [
  {
    name: "a chat whose agent sends an object that cannot be built breaks the contract",
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
    name: "a chat that is answered already is busy",
    answers: { body: aFrame, ending: "hold" },
    read: "second send",
    chunks: [],
    ends: { name: "ChatStateError", code: "busy" },
  },
  {
    name: "a chat sends no empty message",
    answers: [],
    read: "empty send",
    chunks: [],
    ends: { name: "ChatStateError", code: "empty-message" },
  },
  {
    name: "a chat sends nothing that is not a message",
    answers: [],
    read: "event send",
    chunks: [],
    ends: { name: "ChatStateError", code: "invalid-message" },
  },
  {
    name: "a chat in which nothing was said has nothing to regenerate",
    answers: [],
    read: "regenerate",
    chunks: [],
    ends: { name: "ChatStateError", code: "nothing-to-regenerate" },
  },
  {
    name: "a chat that asks nothing has no question to be answered",
    answers: [],
    read: "respond",
    chunks: [],
    ends: { name: "ChatStateError", code: "not-pending" },
  },
];
