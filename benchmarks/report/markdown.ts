/** The report: the targets first, then what was measured, then how. */
import { median } from "../harness/statistics.ts";
import { formatGoal, formatName, formatNumber, formatValue } from "./format.ts";
import { reasons } from "./reasons.ts";
import { type RunRecord, ratioTo, titlesOf, valuesOf } from "./run-record.ts";
import { measureTitles, type Section, sections } from "./sections.ts";
import { assess, targets } from "./targets.ts";

export function renderReport(run: RunRecord): string {
  const { date, mode, rounds, minutes, machine, implementations, results } = run;
  const parts = [
    "# What a stream costs",
    `${date}, \`pnpm bench${mode === "default" ? "" : ` --${mode}`}\`: ${rounds} ${rounds === 1 ? "round" : "rounds"}, ${minutes} minutes. ${machine}. [How to read it](README.md).`,
    "## Targets",
    "Ratios within one round; the median over the rounds, with the smallest and the largest.",
    renderTargets(run),
    "![Cost beside the limit](chart.svg)",
    "## Measurements",
    "Medians over the rounds. The ratio is the median of the ratios within the rounds.",
    ...sections.filter(({ workload }) => results[workload]).map((section) => renderSection(section, run)),
    "## Who takes part, and how",
    renderTable(
      ["", "versions", "used as"],
      Object.values(implementations).map(({ title, form, versions }) => [title, versions, form]),
    ),
  ];
  return `${parts.join("\n\n")}\n`;
}

function renderTargets({ results, rounds }: RunRecord): string {
  const rows = targets.map((target) => {
    const { median: middle, values, verdict } = assess(target, results, rounds);
    const range = `${formatNumber(Math.min(...values))} to ${formatNumber(Math.max(...values))}`;
    return [
      target.what,
      formatGoal(target, target.must),
      formatGoal(target, target.stretch),
      `${formatValue(target, middle)}${values.length > 1 ? ` (${range})` : ""}`,
      verdict === "MISSED" ? "**MISSED**" : verdict,
      verdict === "MISSED" ? (reasons[target.id] ?? "") : "",
    ];
  });
  return renderTable(["what", "must", "stretch", "measured", "verdict", "reason"], rows);
}

export function renderSection({ workload, title, base, measures, text }: Section, run: RunRecord): string {
  const titles = titlesOf(run);
  const [first = ""] = measures;
  const middleOf = (name: string, measure: string): number => median(valuesOf(run, workload, name, measure));
  const names = Object.keys(run.results[workload]!).toSorted(
    (a, b) => middleOf(a, first) - middleOf(b, first),
  );
  const rows = names.map((name) => [
    formatName(name, titles),
    ...measures.map((measure) => formatNumber(middleOf(name, measure))),
    ...(base === "" ? [] : [formatNumber(ratioTo(run, workload, name, base, first))]),
  ]);
  const ratioTitle = base === "" ? [] : [`× ${formatName(base, titles)}`];
  const heads = ["", ...measures.map((measure) => measureTitles[measure]!), ...ratioTitle];
  return `### ${title}\n\n${text}\n\n${renderTable(heads, rows)}`;
}

export function renderTable(heads: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.join(" | ")} |`;
  return [line(heads), line(heads.map(() => "---")), ...rows.map(line)].join("\n");
}
