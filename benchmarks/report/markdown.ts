/** The report: the targets first, then the measurements, then the packages and their versions. */
import { median, percentile } from "../harness/statistics.ts";
import { formatGoal, formatName, formatNumber, formatValue } from "./format.ts";
import { reasons, room } from "./reasons.ts";
import { type RunRecord, ratioTo, valuesOf } from "./run-record.ts";
import { measureTitles, type Section, sections } from "./sections.ts";
import { assess, targets } from "./targets.ts";

export function renderReport(run: RunRecord): string {
  const { date, mode, rounds, minutes, machine, implementations, results } = run;
  const parts = [
    "# What a stream costs",
    `${date}, \`pnpm bench${mode === "default" ? "" : ` --${mode}`}\`: ${rounds} ${rounds === 1 ? "round" : "rounds"}, ${minutes} minutes. ${machine}. [How to read it](README.md).`,
    "## Targets",
    `Ratios within one round: the median over the rounds, with the smallest and the largest. The limit is the bare cost of \`JSON.stringify\`, \`JSON.parse\`, UTF-8 and \`res.write\`. **must** was reached by a bare prototype; **stretch** would be ahead of every peer. ${countVerdicts(run)}`,
    renderTargets(run),
    "![Cost relative to the limit](chart.svg)",
    "## Measurements",
    "Medians over the rounds. The ratio is the median of the ratios within the rounds.",
    ...sections.filter(({ workload }) => results[workload]).map((section) => renderSection(section, run)),
    ...renderFractions(run),
    "## Packages and their use",
    renderTable(
      ["", "versions", "used as"],
      Object.values(implementations).map(({ title, form, versions }) => [title, versions, form]),
    ),
  ];
  return `${parts.join("\n\n")}\n`;
}

function countVerdicts({ results, rounds }: RunRecord): string {
  const verdicts = targets.map((target) => assess(target, results, rounds).verdict);
  const kinds = ["stretch", "met", "MISSED", "not measured"] as const;
  const counts = kinds.map((kind) => `${verdicts.filter((verdict) => verdict === kind).length} ${kind}`);
  return `Of ${targets.length} targets: ${counts.join(", ")}.`;
}

function renderTargets(run: RunRecord): string {
  const rows = targets.map((target) => {
    const { median: middle, values, peer, verdict } = assess(target, run.results, run.rounds);
    const range = `${formatNumber(Math.min(...values))} to ${formatNumber(Math.max(...values))}`;
    const remarks = {
      MISSED: reasons[target.id] ?? "no reason given",
      met: room[target.id] ?? "",
      stretch: "",
      "not measured": "",
    };
    return [
      `${target.what}${peer === undefined ? "" : `, ${formatName(peer, target.workload, run)}`}`,
      formatGoal(target, target.must),
      formatGoal(target, target.stretch),
      `${formatValue(target, middle)}${values.length > 1 ? ` (${range})` : ""}`,
      verdict === "MISSED" ? "**MISSED**" : verdict,
      remarks[verdict],
    ];
  });
  return renderTable(
    ["what", "must", "stretch", "measured", "verdict", "why missed, or room for improvement"],
    rows,
  );
}

export function renderSection({ workload, title, base, measures, text }: Section, run: RunRecord): string {
  const { results } = run;
  const [first = ""] = measures;
  const middleOf = (name: string, measure: string): number =>
    median(valuesOf(results, workload, name, measure));
  const names = Object.keys(results[workload]!).toSorted((a, b) => middleOf(a, first) - middleOf(b, first));
  const rows = names.map((name) => [
    formatName(name, workload, run),
    ...measures.map((measure) => formatNumber(middleOf(name, measure))),
    ...(base === "" ? [] : [formatNumber(ratioTo(results, workload, name, base, first))]),
  ]);
  const ratioTitle = base === "" ? [] : [`× ${formatName(base, workload, run)}`];
  const heads = ["", ...measures.map((measure) => measureTitles[measure]!), ...ratioTitle];
  return `### ${title}\n\n${text}\n\n${renderTable(heads, rows)}`;
}

const fractionText =
  "The limit's time over ours, both in one process that has seen all of these: 1 is no cost at all. Reading in pieces of 16 KiB, sending from a source that never waits; every chunk validated.";

/** A row for each shape of chunk, and the spread over chunks drawn from the schemas. */
function renderFractions({ results }: RunRecord): string[] {
  const fractionsOf = (workload: string): [string, number][] => {
    const rounds = (results[workload]?.kortyx ?? []).filter((round) => round !== null);
    return Object.keys(rounds[0] ?? {}).map((name) => [name, median(rounds.map((round) => round[name]!))]);
  };
  const sending = new Map(fractionsOf("fraction encode shapes"));
  if (sending.size === 0) return [];
  const rows = fractionsOf("fraction decode shapes").map(([name, fraction]) => [
    `\`${name}\``,
    formatNumber(fraction),
    formatNumber(sending.get(name)!),
  ]);
  const spread = (direction: string): string[] => {
    const fractions = fractionsOf(`fraction ${direction} random`).map(([, fraction]) => fraction);
    return [0, 0.05, 0.5].map((share) => formatNumber(percentile(fractions, share)));
  };
  return [
    "### Every shape of chunk",
    fractionText,
    renderTable(["shape (`workloads/shapes.ts`)", "reading", "sending"], rows),
    "### Chunks drawn from the schemas",
    `100 chunks with hostile texts and any JSON, by a fixed seed, a stream for each. ${fractionText}`,
    renderTable(
      ["", "smallest", "5th percentile", "median"],
      [
        ["reading", ...spread("decode")],
        ["sending", ...spread("encode")],
      ],
    ),
  ];
}

export function renderTable(heads: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.join(" | ")} |`;
  return [line(heads), line(heads.map(() => "---")), ...rows.map(line)].join("\n");
}
