/**
 * Streams that are cut off, never begin, fall silent, or are aborted by their reader.
 */
import {
  a,
  aFrame,
  bFrame,
  cutRun,
  disconnected,
  doneFrame,
  failed,
  idle,
  runStart,
  truncated,
  unreadable,
} from "./ending-values.ts";
import { delta, done, doneMarker, frame } from "./frames.ts";
import type { EndingRow } from "./read-ending.ts";

export const truncatedEndings: EndingRow[] = [
  { name: "an empty body is truncated", answers: {}, chunks: [], ends: truncated },
  {
    name: "a body of comments alone is truncated",
    answers: { body: ":hb=8000\n\n:hb=8000\n\n" },
    chunks: [],
    ends: truncated,
  },
  {
    name: "a body that ends behind a text is truncated",
    answers: { body: aFrame },
    chunks: [a],
    ends: truncated,
  },
  {
    name: "a body that ends in the middle of a character is truncated",
    answers: { body: aFrame + frame(delta("🙂")), bytes: -7 },
    chunks: [a],
    ends: truncated,
  },
  {
    name: "a done chunk without its blank line has not come",
    answers: { body: aFrame + doneFrame, bytes: -1 },
    chunks: [a],
    ends: truncated,
  },
  {
    name: "[DONE] without its blank line has not come",
    answers: { body: aFrame + doneMarker, bytes: -1 },
    chunks: [a],
    ends: truncated,
  },
  {
    name: "a socket that is closed behind a text is truncated",
    answers: { body: aFrame, ending: "cut", endsAfterChunks: 1 },
    chunks: [a],
    ends: truncated,
  },
  {
    name: "a socket that is reset behind a text is truncated",
    answers: { body: aFrame, ending: "reset", endsAfterChunks: 1 },
    chunks: [a],
    ends: truncated,
  },
  {
    name: "a socket that is closed behind the headers is truncated",
    answers: { ending: "cut" },
    chunks: [],
    ends: truncated,
  },
  {
    name: "a socket that is reset behind the headers is truncated",
    answers: { ending: "reset" },
    chunks: [],
    ends: truncated,
  },
  {
    name: "a body that is shorter than its content length is truncated",
    answers: {
      headers: { "content-type": "text/event-stream", "content-length": "1000" },
      body: aFrame,
      ending: "cut",
      endsAfterChunks: 1,
    },
    chunks: [a],
    ends: truncated,
  },
  {
    name: "a cut that no layer below can see is truncated",
    answers: { body: aFrame, isCloseDelimited: true },
    chunks: [a],
    ends: truncated,
  },
  {
    name: "a compressed body that is cut is truncated",
    answers: { body: aFrame + doneFrame + doneMarker, isGzipped: true, bytes: 30 },
    chunks: [],
    ends: truncated,
  },
  {
    name: "an error chunk and the end of the body is truncated",
    answers: { body: aFrame + frame(failed) },
    chunks: [a, failed],
    ends: truncated,
  },
  {
    name: "an error chunk and a closed socket is truncated",
    answers: { body: aFrame + frame(failed), ending: "cut", endsAfterChunks: 2 },
    chunks: [a, failed],
    ends: truncated,
  },
  {
    name: "204 to the first request is truncated",
    answers: { status: 204, headers: {} },
    chunks: [],
    ends: truncated,
  },
  { name: "no body at all is truncated", answers: [], read: "nothing", chunks: [], ends: truncated },
  {
    name: "a Response whose body was read before cannot be read",
    answers: { body: aFrame + doneMarker },
    read: "read response",
    chunks: [],
    ends: unreadable,
  },
  {
    name: "a Response whose body ends too early is truncated",
    answers: { body: aFrame },
    read: "response",
    chunks: [a],
    ends: truncated,
  },
];

export const endingsWithoutAnswer: EndingRow[] = [
  {
    name: "a refused connection has no response",
    answers: {},
    at: "refused",
    chunks: [],
    ends: disconnected,
  },
  {
    name: "a socket that is closed before the headers has no response",
    answers: { hasNoHeaders: true, ending: "cut" },
    chunks: [],
    ends: disconnected,
  },
  {
    name: "a socket that is reset before the headers has no response",
    answers: { hasNoHeaders: true, ending: "reset" },
    chunks: [],
    ends: disconnected,
  },
  {
    name: "no headers within connectTimeoutMs is no response",
    answers: { hasNoHeaders: true, ending: "hold" },
    options: { connectTimeoutMs: 300 },
    chunks: [],
    ends: disconnected,
  },
  {
    name: "another origin that allows nobody to read it has no response",
    where: "page",
    answers: { body: doneMarker },
    at: "foreign",
    chunks: [],
    ends: disconnected,
  },
];

export const silentEndings: EndingRow[] = [
  {
    name: "silence for longer than idleTimeoutMs is a dead connection",
    answers: { body: aFrame, ending: "hold" },
    options: { idleTimeoutMs: 500 },
    chunks: [a],
    ends: idle,
  },
  {
    name: "silence behind announced heartbeats is a dead connection after three of them and 2 s",
    answers: { body: `:hb=20\n\n${aFrame}`, ending: "hold" },
    chunks: [a],
    ends: idle,
  },
  {
    name: "silence behind the terminal has lost nothing",
    answers: { body: aFrame + doneFrame, ending: "hold" },
    options: { idleTimeoutMs: 500 },
    chunks: [a, done],
    ends: { outcome: "done" },
  },
  {
    name: "heartbeats keep a quiet stream alive for longer than they may be silent",
    answers: { body: [...Array(14).fill(":hb=200\n\n"), doneFrame], everyMs: 200 },
    chunks: [done],
    ends: { outcome: "done" },
  },
  {
    name: "a server that announces that it sends no heartbeats may be silent",
    answers: { body: [":hb=0\n\n", doneFrame], everyMs: 1_100 },
    options: { idleTimeoutMs: 500 },
    chunks: [done],
    ends: { outcome: "done" },
  },
  {
    name: "with idleTimeoutMs 0 silence means nothing, whatever is announced",
    answers: { body: [`:hb=10\n\n${aFrame}`, doneFrame], everyMs: 2_400 },
    options: { idleTimeoutMs: 0 },
    chunks: [a, done],
    ends: { outcome: "done" },
  },
];

export const abortedEndings: EndingRow[] = [
  {
    name: "an abort before the request is the signal's reason, and nothing is asked",
    answers: { body: aFrame + doneMarker },
    aborts: "before the request",
    chunks: [],
    ends: { reason: "stopped" },
    requests: 0,
  },
  {
    name: "an abort before the headers is the signal's reason",
    answers: { hasNoHeaders: true, ending: "hold" },
    aborts: "when it was asked",
    chunks: [],
    ends: { reason: "stopped" },
  },
  {
    name: "an abort in the body is the signal's reason",
    answers: { body: aFrame, ending: "hold" },
    aborts: "at a chunk",
    chunks: [a],
    ends: { reason: "stopped" },
  },
  {
    name: "an abort with chunks that were not handed out yet gives none of them",
    answers: { body: aFrame + bFrame + doneFrame + doneMarker },
    aborts: "at a chunk",
    chunks: [a],
    ends: { reason: "stopped" },
  },
  {
    name: "an abort in the back-off is the signal's reason, at once",
    answers: { body: `retry: 100000\n\n${cutRun.body}` },
    aborts: "when it waits to reconnect",
    chunks: [runStart, a],
    ends: { reason: "stopped" },
  },
  {
    name: "an abort of a buffered request is the signal's reason",
    answers: { hasNoHeaders: true, ending: "hold" },
    read: "buffered",
    aborts: "when it was asked",
    chunks: [],
    ends: { reason: "stopped" },
  },
];
