import type { BaseEvent, EventType, RunAgentInput } from "@ag-ui/client";
import type { Event } from "@ag-ui/core";
import type { AGUIEvent } from "@kortyx/protocol/ag-ui";
import { toSSE } from "@kortyx/server";
import { type AGUISource, type AGUISourceEvent, fromAGUI, toRunAgentInput } from "@kortyx/server/ag-ui";
import { afterEach, beforeEach, describe, expect, expectTypeOf, test, vi } from "vitest";
import { isInstalled } from "../install.ts";
import { type ScriptedAnswer, serveProvider, toFrames } from "./kit/provider-server.ts";

const { HttpAgent } = isInstalled() ? await import("@ag-ui/client") : ({} as never);
const { EventEncoder } = isInstalled() ? await import("@ag-ui/encoder") : ({} as never);
type Agent = InstanceType<typeof HttpAgent>;

test("the types of AG-UI fit ours", () => {
  expectTypeOf<Event>().toExtend<AGUISourceEvent>();
  expectTypeOf<BaseEvent>().toExtend<AGUISourceEvent>();
  expectTypeOf<ReturnType<Agent["run"]>>().toExtend<AGUISource>();
  expectTypeOf(toRunAgentInput([])).toExtend<Omit<RunAgentInput, "messages">>();
  expectTypeOf<`${EventType}`>().toEqualTypeOf<AGUIEvent["type"]>();
});

const ids = { threadId: "t", runId: "r" };
const started = { type: "RUN_STARTED", ...ids };
const finished = { type: "RUN_FINISHED", ...ids };
const text = [
  { type: "TEXT_MESSAGE_START", messageId: "m", role: "assistant" },
  { type: "TEXT_MESSAGE_CONTENT", messageId: "m", delta: "Hel" },
  { type: "TEXT_MESSAGE_CONTENT", messageId: "m", delta: "lo" },
];
const input = {
  ...toRunAgentInput([{ role: "user", content: "Hi" }], { sessionId: "t", runId: "r" }),
} as RunAgentInput;

/** What the adapter yields, and the error that it throws. */
async function read(chunks: ReturnType<typeof fromAGUI>) {
  const types: string[] = [];
  let answer = "";
  try {
    for await (const chunk of chunks) {
      types.push(chunk.type);
      if (chunk.type === "text-delta") answer += chunk.delta;
    }
  } catch (error) {
    return { types, answer, error };
  }
  return { types, answer, error: undefined };
}

describe.skipIf(!isInstalled())("a run of HttpAgent", () => {
  const frames = (events: object[]) => {
    const encoder = new EventEncoder();
    return events.map((event) => encoder.encode(event as BaseEvent));
  };

  test("is chunks, with each event at once", async () => {
    let release = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    await using server = await serveProvider({
      pieces: [
        ...frames([started, ...text]),
        () => gate,
        ...frames([{ type: "TEXT_MESSAGE_END", messageId: "m" }, finished]),
      ],
    });
    const agent = new HttpAgent({ url: server.url });
    const types: string[] = [];
    for await (const chunk of fromAGUI(agent.run(input))) {
      types.push(chunk.type);
      if (types.filter((type) => type === "text-delta").length === 2) release();
    }
    expect(types).toEqual([
      "session",
      "metadata",
      "text-start",
      "text-delta",
      "text-delta",
      "text-end",
      "done",
    ]);
    expect(server.requests[0]?.body).toMatchObject({
      threadId: "t",
      runId: "r",
      messages: [{ content: "Hi" }],
    });
  });

  test("throws the agent's error after the text that came", async () => {
    await using server = await serveProvider({
      pieces: toFrames([started, ...text, { type: "RUN_ERROR", message: "boom", code: "c" }]),
    });
    const run = await read(fromAGUI(new HttpAgent({ url: server.url }).run(input)));
    expect(run).toMatchObject({ answer: "Hello", error: { message: "boom", code: "c" } });
  });
});

const accidents: [string, ScriptedAnswer, object][] = [
  [
    "an error",
    { pieces: toFrames([started, ...text, { type: "RUN_ERROR", message: "boom" }]) },
    { message: "boom" },
  ],
  ["a cut connection", { pieces: toFrames([started, ...text]), end: "cut" }, { message: "terminated" }],
  ["a clean end too early", { pieces: toFrames([started, ...text]) }, { code: "truncated" }],
];

describe("a run of fetch", () => {
  const error = vi.spyOn(console, "error");
  beforeEach(() => void error.mockImplementation(() => {}));
  afterEach(() => void error.mockReset());

  const post = (url: string, signal?: AbortSignal) =>
    fetch(url, { method: "POST", body: JSON.stringify(input), ...(signal && { signal }) });

  test.each(accidents)("keeps the text that came, and throws after it: %s", async (_, answer, expected) => {
    await using server = await serveProvider(answer);
    const run = await read(fromAGUI(post(server.url)));
    expect(run).toMatchObject({ answer: "Hello", error: expected });
    expect(run.types).not.toContain("done");
    const wire = await toSSE(fromAGUI(post(server.url))).text();
    expect(wire).toContain('"delta":"lo"');
    expect(wire.match(/"type":"error"/g)).toHaveLength(1);
    expect(wire).not.toMatch(/boom|"type":"done"/);
    expect(error).toHaveBeenCalled();
  });

  test.each(["before its answer", "in its middle"])("is left when the signal is aborted %s", async (when) => {
    const hasText = when === "in its middle";
    await using server = await serveProvider({
      pieces: hasText ? toFrames([started, ...text]) : [],
      end: "open",
    });
    const leave = new AbortController();
    const chunks = fromAGUI(post(server.url, leave.signal), { signal: leave.signal });
    const reading = (async () => {
      for await (const chunk of chunks) if (chunk.type === "text-delta") leave.abort(new Error("stop"));
    })();
    reading.catch(() => {});
    await vi.waitFor(() => expect(server.requests).toHaveLength(1));
    if (!hasText) leave.abort(new Error("stop"));
    await expect(reading).rejects.toThrow("stop");
    await server.requests[0]!.left;
  });

  test("closes its request when the reader leaves", async () => {
    await using server = await serveProvider({ pieces: toFrames([started, ...text]), end: "open" });
    for await (const chunk of fromAGUI(post(server.url))) if (chunk.type === "text-delta") break;
    await server.requests[0]!.left;
  });
});
