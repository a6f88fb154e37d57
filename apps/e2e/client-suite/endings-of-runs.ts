/**
 * Runs whose connection is lost: what the answer to the resume makes of them.
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
    name: "a run that is cut goes on behind its last event",
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
    name: "a gap behind the last event is a gap on resume too",
    answers: [cutRun, { body: eventOf(3, done) + doneMarker }],
    chunks: [runStart, a],
    ends: gap,
  },
  {
    name: "405 on resume means that the route has no runs: the stream is truncated",
    answers: [cutRun, { status: 405, headers: {} }],
    chunks: [runStart, a],
    ends: truncated,
  },
  {
    name: "404 on resume means that the run is gone",
    answers: [cutRun, { status: 404, headers: json, body: '{"code":"not-found"}' }],
    chunks: [runStart, a],
    ends: { ...httpStatus, status: 404, body: { code: "not-found" } },
  },
  {
    name: "400 on resume is not asked again",
    answers: [cutRun, { status: 400, headers: text, body: "Beyond the log." }],
    chunks: [runStart, a],
    ends: { ...httpStatus, status: 400, body: "Beyond the log." },
  },
  {
    name: "204 on resume behind an error chunk ends in order, and the error is the outcome",
    answers: [{ body: eventOf(0, runStart) + eventOf(1, failed) }, { status: 204, headers: {} }],
    chunks: [runStart, failed],
    ends: remote,
  },
  {
    name: "204 on resume behind a text is truncated",
    answers: [cutRun, { status: 204, headers: {} }],
    chunks: [runStart, a],
    ends: truncated,
  },
  {
    name: "a login page on resume is no stream",
    answers: [cutRun, { headers: html, body: loginPage }],
    chunks: [runStart, a],
    ends: { ...notAStream, contentType: "text/html; charset=utf-8" },
  },
  {
    name: "what breaks the contract is not asked for again",
    answers: [{ body: `${eventOf(0, runStart)}id: run.1\ndata: {oops\n\n` }, restOfRun],
    chunks: [runStart],
    ends: invalidJson,
    requests: 1,
  },
  {
    name: "a run that broke off behind its terminal is not asked for again",
    answers: [{ body: eventOf(0, runStart) + eventOf(1, done) }, restOfRun],
    chunks: [runStart, done],
    ends: { outcome: "done" },
    requests: 1,
  },
];
