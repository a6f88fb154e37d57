/**
 * A message from many deltas: `chat 10000`, or another number. `kortyx/chat` is the state of a whole conversation with
 * a subscriber that shows its text; all others fold chunks into a message. The cost is measured with 64 deltas in a
 * macrotask, minus the cost of iterating the same source; the notifications with 64 deltas per millisecond.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { createChat, toMessageText } from "../../packages/client/dist/index.js";
import type { StreamChunk } from "../../packages/protocol/dist/index.js";
import { measurePasses } from "../harness/measure-passes.ts";
import type { Job, Measures } from "../harness/run-rounds.ts";
import { textChunks } from "./chunks.ts";

/** The frame of `createChat` in an environment without painting. */
const frameMs = 16;

/** Waits for the next deltas. */
type Wait = () => Promise<unknown>;

const nextMillisecond: Wait = () => sleep(1);
const nextMacrotask: Wait = () => new Promise((resolve) => setImmediate(resolve));

async function* createSource(chunks: unknown[], wait: Wait): AsyncGenerator<unknown> {
  for (let index = 0; index < chunks.length; index++) {
    if (index % 64 === 0) await wait();
    yield chunks[index];
  }
}

export async function measure({ variant: [size], name, budgetMs, load }: Job): Promise<Measures> {
  const implementation = await load();

  /** @returns the number of notifications. */
  async function fold(count: number, wait: Wait): Promise<number> {
    const { chunks, text } = prepare(count);
    let shown = "";
    let notifications = 0;
    if (name === "kortyx/chat") {
      const source = createSource(chunks, wait) as AsyncIterable<StreamChunk>;
      const chat = createChat({ transport: { start: () => source } });
      chat.subscribe(({ messages }) => {
        notifications++;
        const last = messages.at(-1);
        if (last?.role === "assistant") shown = toMessageText(last);
      });
      // The first call and the changes of status do not belong to frames.
      notifications -= 4;
      await chat.send("Hello");
    } else {
      let last: unknown;
      await implementation.accumulate!(createSource(chunks, wait), (message) => {
        notifications++;
        last = message;
      });
      const { parts } = last as { parts: { text?: string }[] };
      shown = parts.map((part) => part.text ?? "").join("");
    }
    if (shown !== text) throw new Error(`Shows ${shown.length} characters of ${text.length}.`);
    return notifications;
  }

  /** The chunks in the implementation's vocabulary, and their text; created once per count. */
  const prepared = new Map<number, { chunks: unknown[]; text: string }>();
  function prepare(count: number): { chunks: unknown[]; text: string } {
    const known = prepared.get(count);
    if (known !== undefined) return known;
    const original = textChunks(count);
    const text = original.map((chunk) => (chunk as { delta: string }).delta).join("");
    const made = { chunks: implementation.translate?.(original) ?? original, text };
    prepared.set(count, made);
    return made;
  }

  /** @returns microseconds per delta, without the source and with it. */
  async function cost(count: number): Promise<{ us: number; wholeUs: number }> {
    const { chunks } = prepare(count);
    const bareNs = await measurePasses(async () => {
      for await (const chunk of createSource(chunks, nextMacrotask)) void chunk;
      return count;
    }, budgetMs);
    const wholeNs = await measurePasses(async () => {
      await fold(count, nextMacrotask);
      return count;
    }, budgetMs);
    return { us: (wholeNs - bareNs) / 1000, wholeUs: wholeNs / 1000 };
  }

  const count = Number(size);
  const { us, wholeUs } = await cost(count);
  const startedAt = performance.now();
  const notifications = await fold(count, nextMillisecond);
  const perFrame = notifications / ((performance.now() - startedAt) / frameMs);
  if (name !== "kortyx/chat") return { us, perFrame };
  return { us, perFrame, growth: (await cost(2 * count)).wholeUs / wholeUs };
}
