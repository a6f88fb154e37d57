/** The streamed content: the same chunks in every run, generated from a fixed seed. */
import type { StreamChunk } from "../../packages/protocol/dist/index.js";
import { shapes } from "./shapes.ts";

/** mulberry32: small, and the same on every machine. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}

const latin = "the quick brown fox jumps over a lazy dog, and then it sleeps in the warm sun. ";
const others = "日本語の文章も流れます。Съешь же ещё этих мягких булок 👩‍💻 العربية أيضا ελληνικά हिन्दी ";

/** A piece of `text` that never splits a character. */
function cut(text: string, at: number, length: number): string {
  const characters = [...text];
  return Array.from({ length }, (_, index) => characters[(at + index) % characters.length]).join("");
}

/** Text deltas of 4 to 8 characters. */
export function textChunks(count: number): StreamChunk[] {
  const random = createRandom(1);
  return Array.from({ length: count }, (_, index) => ({
    type: "text-delta",
    delta: cut(latin, index * 6, 4 + Math.floor(random() * 5)),
  }));
}

/**
 * Of 20 chunks: 12 text deltas, half of them in other scripts; a tool call with its start, three pieces of input, the
 * whole input and a result; two structured objects of 1 to 4 KB.
 */
export function mixedChunks(count: number): StreamChunk[] {
  const random = createRandom(2);
  return Array.from({ length: count }, (_, index): StreamChunk => {
    const place = index % 20;
    const toolCallId = `call-${Math.floor(index / 20)}`;
    const input = { query: cut(others, index, 12), limit: 10 };
    if (place === 6) return { type: "tool-call-start", tool: "search", toolCallId };
    if (place > 6 && place < 10) return { type: "tool-call-delta", toolCallId, delta: cut(latin, index, 8) };
    if (place === 10) return { type: "tool-call-ready", tool: "search", toolCallId, input };
    if (place === 13) {
      return { type: "tool-call-result", tool: "search", toolCallId, content: cut(latin, index, 200) };
    }
    if (place === 16 || place === 19) {
      const value = record(1000 + random() * 3000, index);
      return {
        type: "structured-data",
        kind: "set",
        streamId: "s1",
        dataType: "recipe",
        path: `r${index}`,
        value,
      };
    }
    const delta = cut(place % 2 === 0 ? latin : others, index * 6, 4 + Math.floor(random() * 5));
    return { type: "text-delta", delta };
  });
}

const markdown =
  '## Weather\n\nIt is **21 °C** in Berlin, "mostly sunny", with a light wind.\n\n- Today: 日差し ☀️\n- ';

/**
 * As an agent with a tool sends it: every chunk names its node, and of 40 chunks 29 are pieces of a text in Markdown,
 * one is a status, six are a tool call whose input arrives in three pieces, and four are pieces of a text inside a
 * structured object.
 */
export function agentChunks(count: number): StreamChunk[] {
  return Array.from({ length: count }, (_, index): StreamChunk => {
    const place = index % 40;
    const round = Math.floor(index / 40);
    const call = { toolCallId: `call_${round}`, node: "research" };
    if (place === 0) return { type: "status", message: "Searching for the weather", node: "research" };
    if (place === 1) return { type: "tool-call-start", tool: "search", ...call };
    if (place < 5)
      return { type: "tool-call-delta", delta: ['{"query":"', "weather Ber", 'lin"}'][place - 2]!, ...call };
    if (place === 5)
      return { type: "tool-call-ready", tool: "search", input: { query: "weather Berlin" }, ...call };
    if (place === 6)
      return { type: "tool-call-result", tool: "search", content: cut(latin, index, 400), ...call };
    const delta = cut(markdown, index * 5, 3 + (index % 5));
    if (place > 35) {
      const object = { streamId: `s${round}`, dataType: "forecast", path: "summary" };
      return { type: "structured-data", kind: "text-delta", ...object, delta, node: "writer" };
    }
    return { type: "text-delta", delta, id: `msg_${round}`, node: "writer" };
  });
}

/** An object of about `size` bytes of JSON. */
function record(size: number, seed: number): unknown {
  const items = Array.from({ length: Math.ceil(size / 130) }, (_, index) => ({
    id: `item-${seed}-${index}`,
    name: cut(index % 4 === 3 ? others : latin, index * 9, 24),
    amount: index * 1.5,
    isOptional: index % 3 === 0,
    tags: ["fresh", "local"],
  }));
  return { title: cut(latin, seed, 30), items };
}

/** The possible contents of a stream, by name. */
export const contents: Record<string, (count: number) => StreamChunk[]> = {
  text: textChunks,
  mixed: mixedChunks,
  agent: agentChunks,
  ...shapes,
};

/** The number of chunks in a stream that is encoded or read as a whole. */
export const countOf = (content: string): number => (content === "mixed" ? 500 : 2000);
