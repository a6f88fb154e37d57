/** Numbers and names for readers. */
import type { RunRecord } from "./run-record.ts";
import type { Target } from "./targets.ts";

/** Three significant digits. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return "–";
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en");
  const text = value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
  return text === "-0.00" ? "0.00" : text;
}

/** Two significant digits, for the README. */
export const formatShort = (value: number): string =>
  !Number.isFinite(value) ? "–" : value >= 10 ? Math.round(value).toLocaleString("en") : value.toPrecision(2);

export const formatGoal = (target: Target, goal: number | undefined): string =>
  goal === undefined ? "" : `${target.isHigherBetter ? "≥" : "≤"} ${withUnit(String(goal), target)}`;

export const formatValue = (target: Target, value: number): string =>
  Number.isFinite(value) ? withUnit(formatNumber(value), target) : "–";

const withUnit = (text: string, { unit }: Target): string =>
  `${text}${unit === "×" || unit === "" ? "" : " "}${unit}`;

/** The part after a name's slash. */
const ways: Record<string, string> = {
  node: "on `node:http`",
  hono: "on Hono's server",
  "kortyx/node": "`sendStream`",
  "kortyx/hono": "`toSSE` on Hono's server",
  "kortyx/bridge": "`toSSE` by `toNodeHandler`",
  "kortyx/unchecked": "unvalidated",
  "kortyx/chat": "`createChat`",
};

/** @param workload - Missing validation is mentioned only for workloads that read chunks. */
export function formatName(name: string, workload: string, { implementations }: RunRecord): string {
  const [implementation = "", way = ""] = name.split("/");
  const { title = implementation, isUnvalidated } = implementations[implementation] ?? {};
  const how = way === "" ? "" : `, ${ways[name] ?? ways[way] ?? way}`;
  return `${title}${how}${isUnvalidated && /^(decode|big-event)/.test(workload) ? ", unvalidated" : ""}`;
}
