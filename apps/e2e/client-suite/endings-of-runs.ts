/**
 * Runs whose connection is lost, with each possible response to the resume.
 */
import {
  a,
  b,
  cutRun,
  eventOf,
  failed,
  gap,
  html,
  httpStatus,
  invalidJson,
  json,
  loginPage,
  notAStream,
  remote,
  restOfRun,
  runStart,
  text,
  truncated,
} from "./ending-values.ts";
import { done, doneMarker } from "./frames.ts";
import type { EndingRow } from "./read-ending.ts";

export const resumedEndings: EndingRow[] = [
  {
    name: "a run that is cut continues after its last event",
    answers: [cutRun, restOfRun],
    chunks: [runStart, a, b, done],
    ends: { outcome: "done" },
  },
  {
    name: "a run that is cut and may not be resumed is truncated",
    answers: cutRun,
    options: { giveUpAfterMs: 0 },
    chunks: [runStart, a],
    ends: truncated,
  },
  {
    name: "a gap after the last event is also an error on resume",
    answers: [cutRun, { body: eventOf(3, done) + doneMarker }],
    chunks: [runStart, a],
    ends: gap,
  },
  {
    name: "405 on resume shows that the route has no runs, and the stream is truncated",
    answers: [cutRun, { status: 405, headers: {} }],
    chunks: [runStart, a],
    ends: truncated,
  },
  {
    name: "404 on resume shows that the run is gone",
    answers: [cutRun, { status: 404, headers: json, body: '{"code":"not-found"}' }],
    chunks: [runStart, a],
    ends: { ...httpStatus, status: 404, body: { code: "not-found" } },
  },
  {
    name: "400 on resume is not retried",
    answers: [cutRun, { status: 400, headers: text, body: "Beyond the log." }],
    chunks: [runStart, a],
    ends: { ...httpStatus, status: 400, body: "Beyond the log." },
  },
  {
    name: "204 on resume after an error chunk ends in order, with the error as outcome",
    answers: [{ body: eventOf(0, runStart) + eventOf(1, failed) }, { status: 204, headers: {} }],
    chunks: [runStart, failed],
    ends: remote,
  },
  {
    name: "204 on resume after a text is a run that was lost",
    answers: [cutRun, { status: 204, headers: {} }],
    chunks: [
      runStart,
      a,
      {
        type: "error",
        message: "This answer is no longer available. Please ask again.",
        code: "run-lost",
        retryable: true,
      },
    ],
    ends: remote,
  },
  {
    name: "a login page on resume is not a stream",
    answers: [cutRun, { headers: html, body: loginPage }],
    chunks: [runStart, a],
    ends: { ...notAStream, contentType: "text/html; charset=utf-8" },
  },
  {
    name: "a protocol error is not retried",
    answers: [{ body: `${eventOf(0, runStart)}id: run.1\ndata: {oops\n\n` }, restOfRun],
    chunks: [runStart],
    ends: invalidJson,
    requests: 1,
  },
  {
    name: "a run that breaks off after its terminal is not resumed",
    answers: [{ body: eventOf(0, runStart) + eventOf(1, done) }, restOfRun],
    chunks: [runStart, done],
    ends: { outcome: "done" },
    requests: 1,
  },
];
