/** The chart: what an implementation costs beside the limit, as bars. Drawn for light and dark pages alike. */
import { isPeer } from "../plan.ts";
import { formatNumber } from "./format.ts";
import { type RunRecord, ratioTo, titlesOf } from "./run-record.ts";

const panels = [
  { title: "Encode, bursts of 16", workload: "encode text burst16", key: "ns", base: "limit" },
  { title: "Read and validate, 16 KiB pieces", workload: "decode text 16384", key: "ns", base: "limit" },
  { title: "Server CPU over HTTP, at full speed", workload: "http full", key: "cpuUs", base: "limit/node" },
];

const width = 760;
const labelWidth = 190;
const rowHeight = 22;
const barWidth = width - labelWidth - 60;

export function renderChart(run: RunRecord): string {
  const titles = titlesOf(run);
  let y = 8;
  const parts: string[] = [];
  for (const { title, workload, key, base } of panels) {
    const measured = run.results[workload];
    if (measured === undefined) continue;
    const bars = Object.keys(measured)
      .map((name) => ({ name, ratio: ratioTo(run, workload, name, base, key) }))
      .filter(({ ratio }) => Number.isFinite(ratio))
      .toSorted((a, b) => a.ratio - b.ratio);
    const longest = Math.max(...bars.map(({ ratio }) => ratio));
    parts.push(`<text class="title" x="0" y="${y + 14}">${title} (limit = 1, less is better)</text>`);
    y += 26;
    for (const { name, ratio } of bars) {
      const length = Math.max(2, (ratio / longest) * barWidth);
      const kind = name === base ? "limit" : isPeer(name) ? "peer" : "ours";
      const [implementation = "", way] = name.split("/");
      const label = `${(titles[implementation] ?? name).replaceAll("`", "")}${way === undefined ? "" : ` (${way})`}`;
      parts.push(
        `<text class="label" x="${labelWidth - 8}" y="${y + 14}">${escapeText(label)}</text>`,
        `<rect class="${kind}" x="${labelWidth}" y="${y + 3}" width="${length.toFixed(1)}" height="${rowHeight - 7}" rx="2"/>`,
        `<text x="${(labelWidth + length + 6).toFixed(1)}" y="${y + 14}">${formatNumber(ratio)}</text>`,
      );
      y += rowHeight;
    }
    y += 14;
  }
  const style =
    "text{font:12px system-ui,sans-serif;fill:#24292f}.title{font-weight:600;font-size:13px}.label{text-anchor:end}" +
    ".ours{fill:#1a7f64}.limit{fill:#8c959f}.peer{fill:#b9c4d0}" +
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.ours{fill:#3fb68f}.limit{fill:#6e7681}.peer{fill:#3d4855}}";
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y}" width="${width}" height="${y}" role="img" ` +
    `aria-label="What streams cost beside the limit">\n<style>${style}</style>\n${parts.join("\n")}\n</svg>\n`
  );
}

const escapeText = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
