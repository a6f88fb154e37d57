import { describe, expect, test } from "vitest";
import type { ModelStream } from "../../src/adapters/model-stream.ts";
import type { AgentStep } from "../../src/testing/scripted-agent.ts";
import { createScriptedModel } from "../../src/testing/scripted-model.ts";
import { defineTool } from "../../src/tools/define-tool.ts";
import { runTools } from "../../src/tools/run-tools.ts";
import { call, collect, text, user } from "../tools/scripted-turns.ts";

const given = (signal = new AbortController().signal) => ({ messages: [], tools: [], signal, isLast: false });
const ready = (tool: string) => ({ type: "tool-call-ready", ...call(tool) }) as const;

/** The chunks of a turn, and what it returns. */
async function read(stream: ModelStream) {
  const chunks = [];
  for (;;) {
    const { done, value } = await stream.next();
    if (done) return { chunks, turn: value };
    chunks.push(value);
  }
}
const turnOf = async (...steps: AgentStep[]) => (await read(createScriptedModel(steps).turn(given()))).turn;

describe("a turn", () => {
  test("has the chunks of its script, and their calls, without those of the provider", async () => {
    const ofProvider = { ...ready("search"), executor: "provider" } as const;
    const steps = [text("Let me see."), ready("find"), ofProvider, ready("sort")];
    expect(await read(createScriptedModel(steps).turn(given()))).toEqual({
      chunks: steps,
      turn: {
        finishReason: "tool-calls",
        usage: undefined,
        usageByModel: undefined,
        model: undefined,
        toolCalls: [call("find"), call("sort")],
      },
    });
  });

  test("without a call is the last one", async () => {
    expect(await turnOf(text("Hi"))).toMatchObject({ finishReason: "stop", toolCalls: [] });
  });

  test("ends as its done does", async () => {
    const usage = { inputTokens: 1, outputTokens: 2 };
    const usageByModel = [{ provider: "p", model: "m", ...usage }];
    const done = { type: "done", finishReason: "length", usage, usageByModel } as const;
    expect(await turnOf(ready("find"), done)).toMatchObject({
      finishReason: "length",
      usage,
      usageByModel,
      model: "m",
    });
  });

  test("fails with an error of its script, and with the reason of an aborted signal", async () => {
    const busy = new Error("The model is busy.");
    await expect(turnOf(text("a"), busy)).rejects.toBe(busy);
    const leaving = new AbortController();
    const stream = createScriptedModel([new Promise(() => {})]).turn(given(leaving.signal));
    const failed = expect(stream.next()).rejects.toThrow("left");
    leaving.abort(new Error("left"));
    await failed;
  });
});

test("a loop runs the calls of the first turn, and shows the last turn again and again", async () => {
  const { turn, calls } = createScriptedModel([ready("find")], [text("Done.")]);
  const find = defineTool({ description: "", run: () => 7 });
  const ask = () => collect(runTools({ messages: [user("Hi")], tools: { find }, turn }));
  expect(await ask()).toContainEqual({
    type: "tool-call-result",
    toolCallId: "find-1",
    tool: "find",
    content: 7,
  });
  expect(calls.map(({ messages }) => messages.length)).toEqual([1, 2]);
  expect(await ask()).toContainEqual(text("Done."));
  expect(calls).toHaveLength(3);
});

test("a model without a script is refused", () => {
  expect(() => createScriptedModel()).toThrow(
    new TypeError("createScriptedModel() needs at least one script."),
  );
});
