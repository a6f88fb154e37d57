/** Chunks as agents send them: one stream for each shape, the same in every run. */
import type { StreamChunk } from "../../packages/protocol/dist/index.js";

const words = "the quick brown fox jumps over a lazy dog and then sleeps in the warm sun ".split(/(?<= )/);
const cjk = [..."日本語の文章も流れます東京都渋谷区から送られた文字列"];
const emoji = ["👩‍💻", "🎉", " done ", "🚀🚀", "café", "naïve "];
const escaped = ['say "hi" ', "a\nb", "C:\\temp", "tab\there", 'x = "y";\n'];
const json = ['{"query":"', "weather", ' in Berlin","l', 'imit":', "10", ',"tags":["', 'a","b"]}'];

const at = (list: string[], index: number): string => list[index % list.length]!;

type Shape = (index: number) => object;

/** Text deltas with a set of the fields that say where they come from, in this order. */
const originShape = (...names: string[]): Shape => {
  const values: Record<string, unknown> = {
    type: "text-delta",
    id: "msg_01HZY3",
    node: "writer",
    opId: "op-7",
    segmentId: "seg-1",
    future: { level: 2 },
    model: "large-2",
  };
  return (index) =>
    Object.fromEntries(names.map((name) => [name, name === "delta" ? at(words, index) : values[name]]));
};

const deltaShape =
  (list: string[]): Shape =>
  (index) => ({ type: "text-delta", delta: at(list, index) });

const shapeByName: Record<string, Shape> = {
  plain: originShape("type", "delta"),
  segment: originShape("type", "delta", "segmentId"),
  id: originShape("type", "delta", "id"),
  node: originShape("type", "delta", "node"),
  opId: originShape("type", "delta", "opId"),
  idNode: originShape("type", "delta", "id", "node"),
  origin: originShape("type", "delta", "node", "id", "opId", "segmentId"),
  reversed: originShape("segmentId", "opId", "id", "node", "delta", "type"),
  deltaFirst: originShape("delta", "type"),
  idFirst: originShape("type", "id", "delta"),
  unknownText: originShape("type", "delta", "model"),
  unknownObject: originShape("type", "delta", "future"),
  escapes: deltaShape(escaped),
  emoji: deltaShape(emoji),
  cjk: deltaShape(cjk),
  reasoning: (index) => ({ type: "reasoning-delta", delta: at(words, index), id: "rs_1" }),
  toolInput: (index) => ({ type: "tool-call-delta", toolCallId: "call_9", delta: at(json, index) }),
  toolInputPlain: (index) => ({ type: "tool-call-delta", toolCallId: "call_9", delta: at(words, index) }),
  structuredText: (index) => ({
    type: "structured-data",
    kind: "text-delta",
    streamId: "s1",
    dataType: "recipe",
    path: "title",
    delta: at(words, index),
  }),
  status: (index) => ({ type: "status", message: `Searching ${at(words, index)}`, node: "search" }),
};

/** By name: that many chunks of one shape. */
export const shapes = Object.fromEntries(
  Object.entries(shapeByName).map(([name, shape]) => [
    name,
    (count: number) => Array.from({ length: count }, (_, index) => shape(index) as StreamChunk),
  ]),
);
