import type { BaseEvent } from "@ag-ui/client";
import type { StreamChunk } from "@kortyx/protocol";
import { type AGUIEvent, createAGUITranslator } from "@kortyx/protocol/ag-ui";
import { expect, test, vi } from "vitest";
import { fc, relatedChunk } from "../../../packages/protocol/test/related-chunks.ts";
import { isInstalled } from "../install.ts";

const { HttpAgent } = isInstalled() ? await import("@ag-ui/client") : ({} as never);

/** Reads events as the client does, which checks their fields and their order. */
async function read(events: AGUIEvent[]) {
  const frames = events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("");
  const response = new Response(frames, { headers: { "content-type": "text/event-stream" } });
  const agent = new HttpAgent({ url: "http://127.0.0.1/", threadId: "t", fetch: async () => response });
  const received: BaseEvent[] = [];
  const run = agent.runAgent({ runId: "r" }, { onEvent: ({ event }) => void received.push(event) });
  const failure = await run.then(
    () => undefined,
    (error: unknown) => error,
  );
  return { agent, received, failure };
}

const steps = fc.array(fc.record({ chunk: relatedChunk, flush: fc.boolean() }), { maxLength: 25 });

test.skipIf(!isInstalled())(
  "the client accepts the events of any chunks, in any order, and warns of nothing",
  async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const error = vi.spyOn(console, "error").mockImplementation(() => {});
    const property = fc.asyncProperty(steps, fc.constantFrom("complete", "truncated"), async (given, end) => {
      const translator = createAGUITranslator({ threadId: "t", runId: "r" });
      const events = given.flatMap(({ chunk, flush }: { chunk: StreamChunk; flush: boolean }) => [
        ...translator.translate(chunk),
        ...(flush ? translator.flush() : []),
      ]);
      events.push(...translator.end(end));
      const { received, failure } = await read(events);
      expect(failure).toBeUndefined();
      expect(received.map(({ type }) => type as string)).toEqual(events.map(({ type }) => type));
      expect(received[0]?.type).toBe("RUN_STARTED");
      expect(received.at(-1)?.type).toMatch(/^RUN_(FINISHED|ERROR)$/);
      expect([...warn.mock.calls, ...error.mock.calls]).toEqual([]);
    });
    await fc.assert(property, { numRuns: 200 });
  },
);
