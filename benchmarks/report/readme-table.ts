/** The part of the root README about the last full run: one small table, and the chart. */
import { median } from "../harness/statistics.ts";
import { formatName, formatShort } from "./format.ts";
import { fastestPeer, type RunRecord, ratioTo, valuesOf } from "./run-record.ts";
import { sections } from "./sections.ts";

/** What the row is about, the workload, its measure, who we are there, and who the limit is. */
const rows = `
Send: \`toSSE\`, in bursts of 16 chunks | encode agent burst16 | ns | kortyx | limit
… chunk by chunk | encode agent alone | ns | kortyx | limit
Read: \`readStream\`, in pieces of 16 KiB | decode agent 16384 | ns | kortyx | limit
… chunk by chunk | decode agent frame | ns | kortyx | limit
Serve: \`sendStream\` on \`node:http\`, one client at full speed | http full | cpuUs | kortyx/node | limit/node
… \`toSSE\` on Hono's server, 500 clients at the pace of a model | http paced | cpuUs | kortyx/hono | limit/node
… the memory of a stream that waits | http idle | heapKB | kortyx/hono | limit/node
Start: import, the first request and its answer | cold answer | ms | kortyx
Show: \`createMessageAccumulator\`, a message from 10,000 chunks | chat 10000 | us | kortyx
`
  .trim()
  .split("\n")
  .map((line) => line.split("|").map((cell) => cell.trim()));

/** The unit of each measure, and how many of what was measured are one. */
const units: Record<string, [unit: string, size: number]> = {
  ns: ["µs a chunk", 1000],
  cpuUs: ["µs a chunk", 1],
  us: ["µs a chunk", 1],
  heapKB: ["kB", 1],
  ms: ["ms", 1],
};

/** @returns the text between the markers of the README. */
export function renderReadmeTable(run: RunRecord | undefined): string {
  if (run === undefined) return "No full run is kept here yet: `pnpm bench` makes one.";
  const { results, rounds, date, machine } = run;
  const lines = rows.map(([what = "", workload = "", measure = "", ours = "", limit = ""]) => {
    const [, way] = ours.split("/");
    const suffix = way === undefined ? "" : `/${way}`;
    const ratio = (name: string): string => formatShort(ratioTo(results, workload, name, ours, measure));
    const best = fastestPeer(results, workload, measure, suffix);
    const bestName = best === undefined ? "" : ` ${formatName(best.replace(suffix, ""), workload, run)}`;
    const [unit = "", size = 1] = units[measure] ?? [];
    const own = `${formatShort(median(valuesOf(results, workload, ours, measure)) / size)} ${unit}`;
    const cells = [own, ratio(limit), ratio(`ai-sdk${suffix}`), `${ratio(best ?? "")}${bestName}`];
    return `| [${what}](benchmarks/report.md#${anchorOf(workload)}) | ${cells.join(" | ")} |`;
  });
  return [
    "| what | Kortyx | the limit | AI SDK | the best peer |",
    "| --- | --- | --- | --- | --- |",
    ...lines,
    "",
    `CPU time, or heap in the memory row; medians of ${rounds} ${rounds === 1 ? "round" : "rounds"}, ${date}, on ${machine}.`,
    "",
    "[![The cost of encoding, reading and serving relative to the limit](benchmarks/chart.svg)](benchmarks/report.md)",
  ].join("\n");
}

/** GitHub's name of a section's heading. */
const anchorOf = (workload: string): string =>
  (sections.find((section) => section.workload === workload)?.title ?? "")
    .toLowerCase()
    .replace(/[^\p{L}\p{N} -]/gu, "")
    .replaceAll(" ", "-");

const markers = /(<!-- benchmarks -->\n)[\s\S]*?(\n<!-- \/benchmarks -->)/;

/** @returns the README with the run's table between its markers. */
export function fillReadme(readme: string, run: RunRecord | undefined): string {
  if (!markers.test(readme))
    throw new Error("The README has no <!-- benchmarks --> and <!-- /benchmarks -->.");
  return readme.replace(markers, (_, start: string, end: string) => start + renderReadmeTable(run) + end);
}
