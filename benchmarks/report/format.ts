/** Numbers and names as people read them. */
import type { Target } from "./targets.ts";

/** Three digits that mean something. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return "–";
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en");
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
}

export const formatGoal = (target: Target, goal: number | undefined): string =>
  goal === undefined ? "" : `${target.isHigherBetter ? "≥" : "≤"} ${withUnit(String(goal), target)}`;

export const formatValue = (target: Target, value: number): string =>
  Number.isFinite(value) ? withUnit(formatNumber(value), target) : "–";

const withUnit = (text: string, { unit }: Target): string =>
  `${text}${unit === "×" || unit === "" ? "" : " "}${unit}`;

const ways: Record<string, string> = {
  node: "on `node:http`",
  hono: "behind Hono's Node server",
  bridge: "by `toNodeHandler`",
  unchecked: "without the checker",
  chat: "`createChat`",
};

export function formatName(name: string, titles: Record<string, string>): string {
  const [implementation = "", way] = name.split("/");
  const title = titles[implementation] ?? implementation;
  return way === undefined ? title : `${title}, ${ways[way] ?? way}`;
}
