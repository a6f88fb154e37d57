/** The chart: the cost of each implementation relative to the limit, as bars. Has its own background, light or dark. */
import { isPeer } from "../plan.ts";
import { formatName, formatNumber } from "./format.ts";
import { type RunRecord, ratioTo } from "./run-record.ts";

const panels = [
  {
    title: "Encoding an agent's stream, bursts of 16",
    workload: "encode agent burst16",
    key: "ns",
    base: "limit",
  },
  {
    title: "Reading an agent's stream, 16 KiB pieces",
    workload: "decode agent 16384",
    key: "ns",
    base: "limit",
  },
  { title: "Server CPU over HTTP, at full speed", workload: "http full", key: "cpuUs", base: "limit/node" },
];

const width = 840;
const margin = 16;
const rowHeight = 22;
/** Wider than the longest label needs, because fonts differ between machines. */
const labelWidth = 290;
const numberWidth = 60;
const barWidth = width - labelWidth - numberWidth - margin;

/** Never transparent, because a dark page may show the light image, and a light page the dark one. */
const style = `
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600; font-size: 14px }
.about { fill: #59636e }
.label { text-anchor: end }
.own { font-weight: 600 }
.page { fill: #ffffff; stroke: #d1d9e0 }
.ours { fill: #1a7f64 }
.limit { fill: #818b98 }
.peer { fill: #b7c4d3 }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc }
.about { fill: #9198a1 }
.page { fill: #0d1117; stroke: #3d444d }
.ours { fill: #3fb68f }
.limit { fill: #7d8590 }
.peer { fill: #465364 }
}`;

export function renderChart(run: RunRecord): string {
  const { results } = run;
  const parts: string[] = [];
  let y = margin + 12;
  const about = "The time of each for the same work: the limit is 1, and less is better.";
  parts.push(`<text class="about" x="${margin}" y="${y}">${about}</text>`);
  y += 12;
  for (const { title, workload, key, base } of panels) {
    const bars = Object.keys(results[workload] ?? {})
      .map((name) => ({ name, ratio: ratioTo(results, workload, name, base, key) }))
      .filter(({ ratio }) => Number.isFinite(ratio))
      .toSorted((a, b) => a.ratio - b.ratio);
    if (bars.length === 0) continue;
    const longest = Math.max(...bars.map(({ ratio }) => ratio));
    parts.push(`<text class="title" x="${margin}" y="${y + 20}">${title}</text>`);
    y += 32;
    for (const { name, ratio } of bars) {
      const length = Math.max(2, (ratio / longest) * barWidth);
      const kind = name === base ? "limit" : isPeer(name) ? "peer" : "ours";
      const own = kind === "ours" ? " own" : "";
      const label = formatName(name, workload, run).replaceAll("`", "");
      parts.push(
        `<text class="label${own}" x="${labelWidth - 8}" y="${y + 15}">${escapeText(label)}</text>`,
        `<rect class="${kind}" x="${labelWidth}" y="${y + 3}" width="${length.toFixed(1)}" height="${rowHeight - 6}" rx="2"/>`,
        `<text class="value${own}" x="${(labelWidth + length + 6).toFixed(1)}" y="${y + 15}">${formatNumber(ratio)}</text>`,
      );
      y += rowHeight;
    }
    y += 10;
  }
  y += margin - 10;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y}" width="${width}" height="${y}" role="img" ` +
    `aria-label="The cost of encoding, reading and serving relative to the limit">\n<style>${style}\n</style>\n` +
    `<rect class="page" x="0.5" y="0.5" width="${width - 1}" height="${y - 1}" rx="6"/>\n${parts.join("\n")}\n</svg>\n`
  );
}

const escapeText = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
