/**
 * Streams that end in order.
 */
import { a, aFrame, bFrame, doneFrame, failed, remote, stopped } from "./ending-values.ts";
import { delta, done, doneMarker, frame } from "./frames.ts";
import type { EndingRow } from "./read-ending.ts";

export const endingsInOrder: EndingRow[] = [
  { name: "[DONE] alone is the end", answers: { body: doneMarker }, chunks: [], ends: { outcome: "end" } },
  {
    name: "a text and [DONE], without a terminal, is the end",
    answers: { body: aFrame + doneMarker },
    chunks: [a],
    ends: { outcome: "end" },
  },
  {
    name: "a time that no timer can take is forever, not at once",
    answers: { body: [aFrame, doneMarker], everyMs: 50 },
    options: { connectTimeoutMs: 2 ** 31, idleTimeoutMs: 2 ** 31 },
    chunks: [a],
    ends: { outcome: "end" },
  },
  {
    name: "a done chunk and [DONE] is done",
    answers: { body: aFrame + doneFrame + doneMarker },
    chunks: [a, done],
    ends: { outcome: "done" },
  },
  {
    name: "a done chunk and the end of the body is done",
    answers: { body: aFrame + doneFrame },
    chunks: [a, done],
    ends: { outcome: "done" },
  },
  {
    name: "an abort chunk and [DONE] is an abort",
    answers: { body: aFrame + frame(stopped) + doneMarker },
    chunks: [a, stopped],
    ends: { outcome: "abort" },
  },
  {
    name: "an abort chunk and the end of the body is an abort",
    answers: { body: aFrame + frame(stopped) },
    chunks: [a, stopped],
    ends: { outcome: "abort" },
  },
  {
    name: "an error chunk and [DONE] is an outcome, which onError gets",
    answers: { body: aFrame + frame(failed) + doneMarker },
    chunks: [a, failed],
    ends: remote,
  },
  {
    name: "an error chunk and [DONE] ends a loop in order",
    answers: { body: aFrame + frame(failed) + doneMarker },
    read: "loop",
    chunks: [a, failed],
    ends: { outcome: "end" },
  },
  {
    name: "an error chunk that a bare done chunk follows is how the stream ended",
    answers: { body: frame(failed) + doneFrame + doneMarker },
    chunks: [failed, done],
    ends: remote,
  },
  {
    name: "an error chunk that a text and a done chunk follow is done",
    answers: { body: frame(failed) + aFrame + doneFrame + doneMarker },
    chunks: [failed, a, done],
    ends: { outcome: "done" },
  },
  {
    name: "what follows [DONE] is ignored, whatever it is",
    answers: { body: `${aFrame}${doneMarker}${bFrame}data: {oops\n\n` },
    chunks: [a],
    ends: { outcome: "end" },
  },
  {
    name: "[DONE] is the end although the server keeps the connection open",
    answers: { body: aFrame + doneFrame + doneMarker, ending: "hold" },
    chunks: [a, done],
    ends: { outcome: "done" },
  },
  {
    name: "a socket that is closed behind the terminal has lost nothing",
    answers: { body: aFrame + doneFrame, ending: "cut", endsAfterChunks: 2 },
    chunks: [a, done],
    ends: { outcome: "done" },
  },
  {
    name: "a socket that is reset behind the terminal has lost nothing",
    answers: { body: aFrame + doneFrame, ending: "reset", endsAfterChunks: 2 },
    chunks: [a, done],
    ends: { outcome: "done" },
  },
  {
    name: "a chunk of an unknown type is no error, and goes to onUnknownChunk",
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
    name: "a body that comes byte by byte is read, characters of four bytes included",
    answers: { body: [...(frame(delta("ä—🙂")) + doneMarker)] },
    chunks: [delta("ä—🙂")],
    ends: { outcome: "end" },
  },
  {
    name: "a body whose length nothing tells is complete by its terminal",
    answers: { body: aFrame + doneFrame, isCloseDelimited: true },
    chunks: [a, done],
    ends: { outcome: "done" },
  },
  {
    name: "a content type in other letters and with parameters is an event stream",
    answers: { headers: { "content-type": "Text/Event-Stream; charset=UTF-8" }, body: aFrame + doneMarker },
    chunks: [a],
    ends: { outcome: "end" },
  },
  {
    name: "a Response that fetch gave is read",
    answers: { body: aFrame + doneFrame + doneMarker },
    read: "response",
    chunks: [a, done],
    ends: { outcome: "end" },
  },
];
