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
    name: "a body with only comments is truncated",
    answers: { body: ":hb=8000\n\n:hb=8000\n\n" },
    chunks: [],
    ends: truncated,
  },
  {
    name: "a body that ends after a text is truncated",
    answers: { body: aFrame },
    chunks: [a],
    ends: truncated,
  },
  {
    name: "a body that ends inside a character is truncated",
    answers: { body: aFrame + frame(delta("🙂")), bytes: -7 },
    chunks: [a],
    ends: truncated,
  },
  {
    name: "a done chunk without its blank line does not count",
    answers: { body: aFrame + doneFrame, bytes: -1 },
    chunks: [a],
    ends: truncated,
  },
  {
    name: "[DONE] without its blank line does not count",
    answers: { body: aFrame + doneMarker, bytes: -1 },
    chunks: [a],
    ends: truncated,
  },
  {
    name: "a socket that is closed after a text truncates the stream",
    answers: { body: aFrame, ending: "cut", endsAfterChunks: 1 },
    chunks: [a],
    ends: truncated,
  },
  {
    name: "a socket that is reset after a text truncates the stream",
    answers: { body: aFrame, ending: "reset", endsAfterChunks: 1 },
    chunks: [a],
    ends: truncated,
  },
  {
    name: "a socket that is closed after the headers truncates the stream",
    answers: { ending: "cut" },
    chunks: [],
    ends: truncated,
  },
  {
    name: "a socket that is reset after the headers truncates the stream",
    answers: { ending: "reset" },
    chunks: [],
    ends: truncated,
  },
  {
    name: "a body shorter than its content length is truncated",
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
    name: "a cut that no lower layer can detect truncates the stream",
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
    name: "a body that ends after an error chunk is truncated",
    answers: { body: aFrame + frame(failed) },
    chunks: [a, failed],
    ends: truncated,
  },
  {
    name: "a socket that is closed after an error chunk truncates the stream",
    answers: { body: aFrame + frame(failed), ending: "cut", endsAfterChunks: 2 },
    chunks: [a, failed],
    ends: truncated,
  },
  {
    name: "a 204 to the first request is a truncated stream",
    answers: { status: 204, headers: {} },
    chunks: [],
    ends: truncated,
  },
  { name: "a null body is truncated", answers: [], read: "nothing", chunks: [], ends: truncated },
  {
    name: "a Response whose body was already read cannot be read",
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
    name: "a refused connection counts as no response",
    answers: {},
    at: "refused",
    chunks: [],
    ends: disconnected,
  },
  {
    name: "a socket that is closed before the headers counts as no response",
    answers: { hasNoHeaders: true, ending: "cut" },
    chunks: [],
    ends: disconnected,
  },
  {
    name: "a socket that is reset before the headers counts as no response",
    answers: { hasNoHeaders: true, ending: "reset" },
    chunks: [],
    ends: disconnected,
  },
  {
    name: "a response whose headers exceed connectTimeoutMs counts as no response",
    answers: { hasNoHeaders: true, ending: "hold" },
    options: { connectTimeoutMs: 300 },
    chunks: [],
    ends: disconnected,
  },
  {
    name: "a response that another origin does not let the page read counts as no response",
    where: "page",
    answers: { body: doneMarker },
    at: "crossOrigin",
    chunks: [],
    ends: disconnected,
  },
];

export const silentEndings: EndingRow[] = [
  {
    name: "a connection that is silent for longer than idleTimeoutMs is dead",
    answers: { body: aFrame, ending: "hold" },
    options: { idleTimeoutMs: 500 },
    chunks: [a],
    ends: idle,
  },
  {
    name: "a connection without its announced heartbeats is dead after three intervals plus 2 s",
    answers: { body: `:hb=20\n\n${aFrame}`, ending: "hold" },
    chunks: [a],
    ends: idle,
  },
  {
    name: "a connection that falls silent after the terminal loses nothing",
    answers: { body: aFrame + doneFrame, ending: "hold" },
    options: { idleTimeoutMs: 500 },
    chunks: [a, done],
    ends: { outcome: "done" },
  },
  {
    name: "heartbeats keep a quiet stream alive beyond the idle limit",
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
    name: "idleTimeoutMs of 0 allows any silence, even with announced heartbeats",
    answers: { body: [`:hb=10\n\n${aFrame}`, doneFrame], everyMs: 2_400 },
    options: { idleTimeoutMs: 0 },
    chunks: [a, done],
    ends: { outcome: "done" },
  },
];

export const abortedEndings: EndingRow[] = [
  {
    name: "an abort before the request rejects with the signal's reason and makes no request",
    answers: { body: aFrame + doneMarker },
    aborts: "before the request",
    chunks: [],
    ends: { reason: "stopped" },
    requests: 0,
  },
  {
    name: "an abort before the headers rejects with the signal's reason",
    answers: { hasNoHeaders: true, ending: "hold" },
    aborts: "when the request arrives",
    chunks: [],
    ends: { reason: "stopped" },
  },
  {
    name: "an abort during the body rejects with the signal's reason",
    answers: { body: aFrame, ending: "hold" },
    aborts: "at the first chunk",
    chunks: [a],
    ends: { reason: "stopped" },
  },
  {
    name: "an abort discards chunks that were received but not delivered",
    answers: { body: aFrame + bFrame + doneFrame + doneMarker },
    aborts: "at the first chunk",
    chunks: [a],
    ends: { reason: "stopped" },
  },
  {
    name: "an abort while waiting to reconnect rejects at once with the signal's reason",
    answers: { body: `retry: 100000\n\n${cutRun.body}` },
    aborts: "while waiting to reconnect",
    chunks: [runStart, a],
    ends: { reason: "stopped" },
  },
  {
    name: "an abort of a buffered request rejects with the signal's reason",
    answers: { hasNoHeaders: true, ending: "hold" },
    read: "buffered",
    aborts: "when the request arrives",
    chunks: [],
    ends: { reason: "stopped" },
  },
];
