/**
 * Streams that end in order.
 */
import { a, aFrame, bFrame, doneFrame, failed, remote, stopped } from "./ending-values.ts";
import { delta, done, doneMarker, frame } from "./frames.ts";
import type { EndingRow } from "./read-ending.ts";

export const endingsInOrder: EndingRow[] = [
  {
    name: "[DONE] alone ends the stream",
    answers: { body: doneMarker },
    chunks: [],
    ends: { outcome: "end" },
  },
  {
    name: "a text and [DONE] without a terminal end the stream",
    answers: { body: aFrame + doneMarker },
    chunks: [a],
    ends: { outcome: "end" },
  },
  {
    name: "a timeout beyond the range of a timer is infinite, not immediate",
    answers: { body: [aFrame, doneMarker], everyMs: 50 },
    options: { connectTimeoutMs: 2 ** 31, idleTimeoutMs: 2 ** 31 },
    chunks: [a],
    ends: { outcome: "end" },
  },
  {
    name: "a done chunk and [DONE] end as done",
    answers: { body: aFrame + doneFrame + doneMarker },
    chunks: [a, done],
    ends: { outcome: "done" },
  },
  {
    name: "a done chunk and the end of the body end as done",
    answers: { body: aFrame + doneFrame },
    chunks: [a, done],
    ends: { outcome: "done" },
  },
  {
    name: "an abort chunk and [DONE] end as aborted",
    answers: { body: aFrame + frame(stopped) + doneMarker },
    chunks: [a, stopped],
    ends: { outcome: "abort" },
  },
  {
    name: "an abort chunk and the end of the body end as aborted",
    answers: { body: aFrame + frame(stopped) },
    chunks: [a, stopped],
    ends: { outcome: "abort" },
  },
  {
    name: "an error chunk and [DONE] end as an error, which reaches onError",
    answers: { body: aFrame + frame(failed) + doneMarker },
    chunks: [a, failed],
    ends: remote,
  },
  {
    name: "an error chunk and [DONE] end a loop without a throw",
    answers: { body: aFrame + frame(failed) + doneMarker },
    read: "loop",
    chunks: [a, failed],
    ends: { outcome: "end" },
  },
  {
    name: "an error chunk directly before a bare done chunk is the outcome",
    answers: { body: frame(failed) + doneFrame + doneMarker },
    chunks: [failed, done],
    ends: remote,
  },
  {
    name: "an error chunk before a text and a done chunk is not the outcome",
    answers: { body: frame(failed) + aFrame + doneFrame + doneMarker },
    chunks: [failed, a, done],
    ends: { outcome: "done" },
  },
  {
    name: "everything after [DONE] is ignored",
    answers: { body: `${aFrame}${doneMarker}${bFrame}data: {oops\n\n` },
    chunks: [a],
    ends: { outcome: "end" },
  },
  {
    name: "[DONE] ends the stream even if the server keeps the connection open",
    answers: { body: aFrame + doneFrame + doneMarker, ending: "hold" },
    chunks: [a, done],
    ends: { outcome: "done" },
  },
  {
    name: "a socket that is closed after the terminal loses nothing",
    answers: { body: aFrame + doneFrame, ending: "cut", endsAfterChunks: 2 },
    chunks: [a, done],
    ends: { outcome: "done" },
  },
  {
    name: "a socket that is reset after the terminal loses nothing",
    answers: { body: aFrame + doneFrame, ending: "reset", endsAfterChunks: 2 },
    chunks: [a, done],
    ends: { outcome: "done" },
  },
  {
    name: "a chunk of an unknown type goes to onUnknownChunk and is not an error",
    answers: { body: `${frame({ type: "hologram", size: 3 })}${aFrame}${doneMarker}` },
    chunks: [a],
    unknown: [{ type: "hologram", size: 3 }],
    ends: { outcome: "end" },
  },
  {
    name: "a body that is compressed with gzip is read",
    answers: { body: aFrame + doneFrame + doneMarker, isGzipped: true },
    chunks: [a, done],
    ends: { outcome: "done" },
  },
  {
    name: "a body that arrives byte by byte is read, including four-byte characters",
    answers: { body: [...(frame(delta("ä—🙂")) + doneMarker)] },
    chunks: [delta("ä—🙂")],
    ends: { outcome: "end" },
  },
  {
    name: "a body without a known length is complete with its terminal",
    answers: { body: aFrame + doneFrame, isCloseDelimited: true },
    chunks: [a, done],
    ends: { outcome: "done" },
  },
  {
    name: "a content type in another case and with parameters is an event stream",
    answers: { headers: { "content-type": "Text/Event-Stream; charset=UTF-8" }, body: aFrame + doneMarker },
    chunks: [a],
    ends: { outcome: "end" },
  },
  {
    name: "a Response from fetch is read",
    answers: { body: aFrame + doneFrame + doneMarker },
    read: "response",
    chunks: [a, done],
    ends: { outcome: "end" },
  },
];
