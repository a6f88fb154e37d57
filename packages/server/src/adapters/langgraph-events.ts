/**
 * What LangGraph streams, in the forms of the library and of its SDK, as one. Knows no messages.
 */
import { recordOf, textOf } from "./loose-values.ts";

/** An item of `graph.stream()` with several modes: `["updates", { … }]`. */
export type LangGraphItem = readonly [mode: string, data: unknown];

/** An item of `graph.stream()` with several modes and `subgraphs: true`: `[["research:…"], "updates", { … }]`. */
export type LangGraphSubgraphItem = readonly [namespace: readonly string[], mode: string, data: unknown];

/** An event of `client.runs.stream()`: `{ event: "updates", data: { … } }`. */
export interface LangGraphSDKEvent {
  /** The mode; that of a subgraph has its namespace, too: `"updates|research:…"`. */
  event: string;
  /** What the mode streams. */
  data?: unknown;
  /** The id of the event on the wire. */
  id?: unknown;
}

/** What a stream of LangGraph yields. */
export type LangGraphEvent = LangGraphItem | LangGraphSubgraphItem | LangGraphSDKEvent;

/** An item of any form. */
export interface ReadEvent {
  /** The subgraphs that it comes from, outermost first: `name:task`. */
  namespace: readonly string[];
  mode: string;
  data: unknown;
}

/** @returns undefined for what no form has. */
export function readEvent(item: unknown): ReadEvent | undefined {
  if (Array.isArray(item)) {
    const [namespace, mode, data] = Array.isArray(item[0]) ? item : [[], ...item];
    return typeof mode === "string" ? { namespace, mode, data } : undefined;
  }
  const { event, data } = recordOf(item);
  if (typeof event !== "string") return undefined;
  const [mode = "", ...namespace] = event.split("|");
  return { namespace, mode, data };
}

/** The `node` of chunks: the names of the subgraphs and of the node, without the ids of their tasks. */
export function toNode(namespace: readonly string[], node?: unknown): { node?: string } {
  const names = namespace.map((segment) => String(segment).split(":", 1)[0]);
  const path = [...names, textOf(node)].filter(Boolean).join("/");
  return path === "" ? {} : { node: path };
}
