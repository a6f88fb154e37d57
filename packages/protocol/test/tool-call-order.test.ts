import { describe, expect, test } from "vitest";
import type { ToolCallPart } from "../src/assistant-message.ts";
import type { StreamChunk } from "../src/chunks.ts";
import { createMessageAccumulator, reduceMessage } from "../src/fold-message.ts";
import { cost, costOfWhole } from "./cost.ts";

const start = (toolCallId: string, input?: unknown, tool = "weather"): StreamChunk => ({
  type: "tool-call-start",
  tool,
  toolCallId,
  input,
});
const ready = (toolCallId: string, input: unknown, tool = "weather"): StreamChunk => ({
  type: "tool-call-ready",
  tool,
  toolCallId,
  input,
});
const piece = (toolCallId: string, delta: string, tool?: string): StreamChunk => ({
  type: "tool-call-delta",
  toolCallId,
  delta,
  tool,
});
const result = (toolCallId: string, content: unknown, tool = "weather"): StreamChunk => ({
  type: "tool-call-result",
  tool,
  toolCallId,
  content,
});
const failure = (toolCallId: string, message: string, tool = "weather"): StreamChunk => ({
  type: "tool-call-error",
  tool,
  toolCallId,
  message,
});

/** Each call as `tool(input) state outcome`. */
const callsOf = (chunks: StreamChunk[]): string[] =>
  reduceMessage(chunks).parts.map((part) => {
    const { tool, input, inputText, state, content, errorMessage } = part as ToolCallPart;
    return `${tool}(${input ?? inputText}) ${state} ${content ?? errorMessage ?? ""}`.trim();
  });

const rome = "weather(Rome) done sun";
const oslo = "weather(Oslo) done snow";

describe.each([
  ["an empty id", ""],
  ["the tool's name as the id", "weather"],
  ["the same id", "1"],
])("two calls with %s stay two", (_, id) => {
  test("when each start has the input", () => {
    expect(callsOf([start(id, "Rome"), result(id, "sun"), start(id, "Oslo"), result(id, "snow")])).toEqual([
      rome,
      oslo,
    ]);
    expect(callsOf([start(id, "Rome"), result(id, "sun"), start(id, "Rome")])).toEqual([
      rome,
      "weather(Rome) interrupted",
    ]);
  });

  test("when the inputs are streamed", () => {
    const streamed = (city: string) => [
      start(id),
      piece(id, city.slice(0, 2)),
      piece(id, city.slice(2)),
      ready(id, city),
    ];
    expect(
      callsOf([...streamed("Rome"), result(id, "sun"), ...streamed("Oslo"), result(id, "snow")]),
    ).toEqual([rome, oslo]);
  });

  test("when they begin without a start, with a piece of the input or the whole input", () => {
    expect(
      callsOf([piece(id, "Rome"), result(id, "sun"), piece(id, "Os"), piece(id, "lo"), result(id, "snow")]),
    ).toEqual([rome, oslo]);
    expect(callsOf([ready(id, "Rome"), result(id, "sun"), ready(id, "Oslo"), result(id, "snow")])).toEqual([
      rome,
      oslo,
    ]);
  });

  test("when the first one fails", () => {
    expect(callsOf([start(id, "Rome"), failure(id, "down"), start(id, "Oslo"), result(id, "snow")])).toEqual([
      "weather(Rome) error down",
      oslo,
    ]);
  });

  test("when the first one has a legacy result", () => {
    expect(
      callsOf([
        start(id, "Rome"),
        { type: "tool-result", tool: "weather", content: "sun" },
        start(id, "Oslo"),
        result(id, "snow"),
      ]),
    ).toEqual([rome, oslo]);
  });

  test("when they run in parallel with different inputs, and results follow the order of the starts", () => {
    const both = [result(id, "sun"), result(id, "snow")];
    expect(callsOf([start(id, "Rome"), start(id, "Oslo"), ...both])).toEqual([rome, oslo]);
    expect(callsOf([ready(id, "Rome"), ready(id, "Oslo"), ...both])).toEqual([rome, oslo]);
    expect(
      callsOf([start(id, "Rome"), start(id, "Oslo"), ready(id, "Rome"), ready(id, "Oslo"), ...both]),
    ).toEqual([rome, oslo]);
  });

  test("when they run in parallel on different tools, and each result goes to its tool", () => {
    expect(
      callsOf([
        start(id),
        start(id, undefined, "time"),
        ready(id, "Oslo", "time"),
        ready(id, "Rome"),
        result(id, 9, "time"),
        result(id, "sun"),
      ]),
    ).toEqual([rome, "time(Oslo) done 9"]);
  });
});

describe("an empty id", () => {
  test("makes every start a new call, even with equal inputs, and also every result without a start", () => {
    expect(callsOf([start("", "Rome"), start("", "Rome"), result("", "sun"), result("", "sun")])).toEqual([
      rome,
      rome,
    ]);
    expect(callsOf([result("", "sun"), result("", "snow")])).toEqual([
      "weather() done sun",
      "weather() done snow",
    ]);
  });

  test("keeps consecutive streamed inputs separate before any result", () => {
    const streamed = (city: string) => [start(""), piece("", city)];
    const both = [result("", "sun"), result("", "snow")];
    expect(
      callsOf([...streamed("Rome"), ...streamed("Oslo"), ready("", "Rome"), ready("", "Oslo"), ...both]),
    ).toEqual([rome, oslo]);
    expect(
      callsOf([...streamed("Rome"), ready("", "Rome"), ...streamed("Oslo"), ready("", "Oslo"), ...both]),
    ).toEqual([rome, oslo]);
  });

  test("gives input and result to the right call even if its tool is named late", () => {
    expect(
      callsOf([piece("", "Rome"), piece("", "!", "weather"), ready("", "Rome"), result("", "sun")]),
    ).toEqual([rome]);
    expect(callsOf([piece("", "1", "time"), piece("", "Rome", "weather")])).toEqual([
      "time(1) interrupted",
      "weather(Rome) interrupted",
    ]);
  });

  test("begins another call with a piece after the whole input", () => {
    expect(callsOf([ready("", "Rome"), piece("", "Oslo"), result("", "sun"), result("", "snow")])).toEqual([
      rome,
      "weather(Oslo) done snow",
    ]);
  });
});

describe("one call stays one", () => {
  test("when its start is repeated, or a later start has the input", () => {
    expect(callsOf([start("1", "Rome"), start("1", "Rome"), result("1", "sun")])).toEqual([rome]);
    expect(callsOf([start("1"), start("1", "Rome"), start("1"), result("1", "sun")])).toEqual([rome]);
  });

  test("when a start with a placeholder is followed by the streamed input", () => {
    expect(callsOf([start("1", {}), piece("1", "Rome"), ready("1", "Rome"), result("1", "sun")])).toEqual([
      rome,
    ]);
  });

  test("when its whole input comes after its result, or comes twice", () => {
    expect(callsOf([start("1"), result("1", "sun"), ready("1", "Rome")])).toEqual([rome]);
    expect(callsOf([start("1", "Rome"), result("1", "sun"), ready("1", "Rome")])).toEqual([rome]);
    expect(callsOf([ready("1", "Rome"), ready("1", "Rome"), result("1", "sun")])).toEqual([rome]);
  });

  test("when its result names the tool differently", () => {
    expect(callsOf([start("1", "Rome"), result("1", "sun", "mcp.weather")])).toEqual([
      "mcp.weather(Rome) done sun",
    ]);
    expect(callsOf([start("1", {}), ready("1", "Rome", "mcp.weather")])).toEqual([
      "mcp.weather(Rome) interrupted",
    ]);
  });

  test("when a second result replaces the first", () => {
    expect(callsOf([start("1", "Rome"), result("1", "rain"), result("1", "sun")])).toEqual([rome]);
    expect(
      callsOf([
        start("1", "Rome"),
        result("1", "sun"),
        start("1", "Oslo"),
        result("1", "rain"),
        result("1", "snow"),
      ]),
    ).toEqual([rome, oslo]);
  });
});

test("a legacy result goes to the newest open call of its tool, by the tool's current name", () => {
  const legacy: StreamChunk = { type: "tool-result", tool: "weather", content: "sun" };
  expect(callsOf([start("1", "Rome"), start("2", "Oslo"), result("2", "snow"), legacy])).toEqual([
    rome,
    oslo,
  ]);
  expect(callsOf([start("1", "Rome"), result("1", "sun"), legacy])).toEqual([rome, "weather() done sun"]);
  expect(callsOf([start("1", "Rome"), ready("1", "Rome", "mcp.weather"), legacy])).toEqual([
    "mcp.weather(Rome) interrupted",
    "weather() done sun",
  ]);
});

test("a call keeps its result while another call with the same id continues", () => {
  const accumulator = createMessageAccumulator();
  for (const chunk of [start("1", "Rome"), result("1", "sun")]) accumulator.apply(chunk);
  const [first] = accumulator.message.parts;
  for (const chunk of [
    start("1"),
    piece("1", "Os"),
    piece("1", "lo"),
    ready("1", "Oslo"),
    result("1", "snow"),
  ]) {
    accumulator.apply(chunk);
  }
  expect(accumulator.message.parts[0]).toBe(first);
});

describe("ordering calls takes linear time", () => {
  const workloads: [string, (count: number) => StreamChunk[]][] = [
    [
      "parallel calls with one id and their results",
      (count) => [
        ...Array.from({ length: count }, (_, index) => start("", index)),
        ...Array.from({ length: count }, (_, index) => ready("", index)),
        ...Array.from({ length: count }, (_, index) => result("", index)),
      ],
    ],
    [
      "legacy results of many open calls",
      (count) => [
        ...Array.from({ length: count }, (_, index) => start(`${index}`, index)),
        ...Array.from({ length: count }, (): StreamChunk => ({ type: "tool-result", content: 1 })),
        ...Array.from(
          { length: count },
          (): StreamChunk => ({ type: "tool-result", tool: "weather", content: 1 }),
        ),
      ],
    ],
    [
      "a large input followed by many different small ones",
      (count) => [
        start("1", "x".repeat(count * 20)),
        ...Array.from({ length: count }, (_, index) => start("1", index)),
      ],
    ],
  ];
  for (const [name, chunksOf] of workloads) {
    test(`${name}: 8,000 cost about as much as eight runs of 1,000`, () => {
      const ratio = costOfWhole(8000, (count) => {
        const chunks = chunksOf(count);
        return cost(() => reduceMessage(chunks));
      });
      expect(ratio).toBeLessThanOrEqual(3);
    });
  }
});
