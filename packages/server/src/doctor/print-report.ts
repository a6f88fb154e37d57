/** The report of the doctor as text, and as a value for `--json`. Judges nothing. */
import { measureArrival, seconds } from "./arrival.ts";
import type { Diagnosis } from "./diagnose.ts";
import type { Examination } from "./examine-route.ts";
import type { Finding } from "./finding.ts";
import { hopsOf } from "./known-hops.ts";
import type { Recording } from "./recording.ts";

const verdicts = {
  streams: "The route streams: nothing on the path holds its bytes back.",
  faulty: "The route does not stream as it should.",
  unclear:
    "Unclear: the whole answer came in a moment, which does not show whether bytes are held back. Ask for a longer one with --message.",
};

/** What no request can show. */
const unseen = (longestSilenceMs: number): string[] => [
  `idle timeouts longer than ${seconds(longestSilenceMs)}, the longest silence of this answer`,
  "limits on the duration of a response that are longer than this answer",
  "whether the agent stops when a client leaves",
  "proxies that name themselves in no header, such as HAProxy and Traefik",
];

/** What was measured of one answer, for people and for programs. */
function toMeasurements(examination: Examination, recording: Recording) {
  const { firstByteMs, events, moments, longestSilenceMs, heartbeatMs } = measureArrival(
    recording,
    examination,
  );
  return {
    httpVersion: recording.httpVersion,
    path: hopsOf(recording.headers).map(({ name }) => name),
    contentEncoding: recording.headers["content-encoding"] ?? null,
    controlMs: examination.controlMs === undefined ? null : Math.round(examination.controlMs),
    headersMs: Math.round(recording.headersMs),
    firstByteMs: firstByteMs === undefined ? null : Math.round(firstByteMs),
    endMs: Math.round(recording.endMs),
    end: recording.end,
    events,
    moments,
    longestSilenceMs: Math.round(longestSilenceMs),
    heartbeatMs: heartbeatMs ?? null,
  };
}

/** The answers of an examination, with a name for each. */
export function answersOf(examination: Examination, direct: Examination | undefined): Answer[] {
  const named = (name: string, from: Examination, recording: Recording | undefined): Answer[] =>
    recording === undefined ? [] : [{ name, ...toMeasurements(from, recording) }];
  return [
    ...named("as a browser", examination, examination.answer),
    ...named("uncompressed", examination, examination.plainAnswer),
    ...(direct ? named("direct", direct, direct.answer) : []),
    ...(direct ? named("direct, uncompressed", direct, direct.plainAnswer) : []),
  ];
}

type Answer = { name: string } & ReturnType<typeof toMeasurements>;

export function printReport(answers: Answer[], { verdict, findings }: Diagnosis): string {
  const ends = { whole: "in order", broken: "cut off", left: "left by the doctor" };
  const rows: [string, (answer: Answer) => string][] = [
    ["", ({ name }) => name],
    ["HTTP version", ({ httpVersion }) => httpVersion],
    ["path, by headers", ({ path }) => path.join(", ") || "–"],
    ["compression", ({ contentEncoding }) => contentEncoding ?? "–"],
    ["bad request after", ({ controlMs }) => (controlMs === null ? "–" : seconds(controlMs))],
    ["headers after", ({ headersMs }) => seconds(headersMs)],
    ["first byte after", ({ firstByteMs }) => (firstByteMs === null ? "–" : seconds(firstByteMs))],
    ["end after", ({ endMs, end }) => `${seconds(endMs)}, ${ends[end]}`],
    ["events", ({ events, moments }) => `${events}, at ${moments} ${moments === 1 ? "moment" : "moments"}`],
    ["longest silence", ({ longestSilenceMs }) => seconds(longestSilenceMs)],
    ["heartbeats", ({ heartbeatMs }) => (heartbeatMs ? `every ${seconds(heartbeatMs)} of silence` : "–")],
  ];
  const widths = answers.map((answer) => Math.max(...rows.map(([, show]) => show(answer).length)));
  const table = rows.map(([label, show]) =>
    ["  ", label.padEnd(19), ...answers.map((answer, at) => show(answer).padEnd(widths[at]! + 2))]
      .join("")
      .trimEnd(),
  );
  const judged = [verdicts[verdict], ...findings.flatMap(printFinding), ""];
  if (answers.length === 0) return judged.join("\n");
  const longest = Math.max(...answers.map(({ longestSilenceMs }) => longestSilenceMs));
  const rest = unseen(longest).map((text) => `  - ${text}`);
  return [...table, "", ...judged, "Not visible from here:", ...rest, ""].join("\n");
}

/** Characters that a response could use to control the terminal. */
const control = /\p{Cc}+/gu;

function printFinding({ severity, what, culprit, fixes, page }: Finding): string[] {
  return [
    "",
    `${severity === "fault" ? "FAULT" : "note "} ${what.replaceAll(control, " ").trim()}`,
    ...(culprit === undefined ? [] : [`      Cause: ${culprit}`]),
    ...fixes.map((fix, index) => `      ${index === 0 ? "Fix:  " : "   or:"} ${fix}`),
    `      More:  ${page}`,
  ];
}
