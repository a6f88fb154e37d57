/**
 * A message from many deltas, 16 of them a millisecond: `chat 10000`, or another number. `kortyx/chat` is a whole
 * conversation's state with a subscriber that shows its text; all others fold chunks into a message. What iterating the
 * same source costs is taken off.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { createChat, toMessageText } from "../../packages/client/dist/index.js";
import type { StreamChunk } from "../../packages/protocol/dist/index.js";
import { cpuNanoseconds } from "../harness/measure-passes.ts";
import type { Job, Measures } from "../harness/run-rounds.ts";
import { textChunks } from "./chunks.ts";

/** The frame of `createChat` where nothing is painted. */
const frameMs = 16;

export async function measure({ variant: [size], name, load }: Job): Promise<Measures> {
  const implementation = await load();

  async function* createTimedSource(chunks: unknown[]): AsyncGenerator<unknown> {
    for (let index = 0; index < chunks.length; index++) {
      if (index % 16 === 0) await sleep(1);
      yield chunks[index];
    }
  }

  async function fold(chunks: unknown[]): Promise<{ shown: string; notifications: number }> {
    let shown = "";
    let notifications = 0;
    if (name === "kortyx/chat") {
      const source = createTimedSource(chunks) as AsyncIterable<StreamChunk>;
      const chat = createChat({ transport: { start: () => source } });
      chat.subscribe(({ messages }) => {
        notifications++;
        const last = messages.at(-1);
        if (last?.role === "assistant") shown = toMessageText(last);
      });
      // The first call, and those that tell of a status, are beside the frames.
      notifications -= 4;
      await chat.send("Hello");
    } else {
      let last: unknown;
      await implementation.accumulate!(createTimedSource(chunks), (message) => {
        notifications++;
        last = message;
      });
      const { parts } = last as { parts: { text?: string }[] };
      shown = parts.map((part) => part.text ?? "").join("");
    }
    return { shown, notifications };
  }

  async function run(count: number): Promise<{ us: number; perFrame: number }> {
    const original = textChunks(count) as { delta: string }[];
    const chunks = implementation.translate?.(original as StreamChunk[]) ?? original;
    const beforeBare = cpuNanoseconds();
    for await (const chunk of createTimedSource(chunks)) void chunk;
    const before = cpuNanoseconds();
    const startedAt = performance.now();
    const { shown, notifications } = await fold(chunks);
    const frames = (performance.now() - startedAt) / frameMs;
    const text = original.map(({ delta }) => delta).join("");
    if (shown !== text) throw new Error(`Shows ${shown.length} characters of ${text.length}.`);
    const ns = cpuNanoseconds() - before - (before - beforeBare);
    return { us: ns / count / 1000, perFrame: notifications / frames };
  }

  const count = Number(size);
  await run(count);
  const measured = await run(count);
  if (name !== "kortyx/chat") return measured;
  return { ...measured, growth: (await run(2 * count)).us / measured.us };
}
