import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { MessagePart } from "../src/assistant-message.ts";
import type { StreamChunk } from "../src/chunks.ts";
import { createMessageAccumulator, reduceMessage } from "../src/fold-message.ts";
import { cost, costOfWhole } from "./cost.ts";

const said = (delta: string, segmentId?: string): StreamChunk => ({ type: "text-delta", delta, segmentId });
const thought = (delta: string, segmentId?: string): StreamChunk => ({
  type: "reasoning-delta",
  delta,
  segmentId,
});
const whole = (content: string): StreamChunk => ({ type: "message", content });
const start = (toolCallId: string): StreamChunk => ({ type: "tool-call-start", tool: "t", toolCallId });
const result = (toolCallId: string): StreamChunk => ({
  type: "tool-call-result",
  tool: "t",
  toolCallId,
  content: 1,
});
const set = (streamId: string, path = "title"): StreamChunk => ({
  type: "structured-data",
  streamId,
  dataType: "d",
  kind: "set",
  path,
  value: 1,
});
const file: StreamChunk = { type: "file", mediaType: "image/png", url: "/a.png" };
const source: StreamChunk = { type: "source", id: "s" };
const datum = (id: string): StreamChunk => ({ type: "data", name: "d", data: 1, id });
const question = {
  type: "interrupt",
  requestId: "r",
  resumeToken: "k",
  input: { kind: "text", multiple: false },
} as const;

/** The parts in order: texts as they are, everything else by its type. */
const shown = (chunks: StreamChunk[]): string[] =>
  reduceMessage(chunks).parts.map((part) => ("text" in part ? part.text : part.type));

describe("a text without a key ends where another part begins", () => {
  const beginners: [string, StreamChunk[], string][] = [
    ["a tool call", [start("1")], "tool-call"],
    [
      "the first piece of a call's input",
      [{ type: "tool-call-delta", toolCallId: "1", delta: "{" }],
      "tool-call",
    ],
    [
      "the whole input of a call",
      [{ type: "tool-call-ready", tool: "t", toolCallId: "1", input: 1 }],
      "tool-call",
    ],
    ["the result of an unknown call", [result("1")], "tool-call"],
    [
      "the failure of an unknown call",
      [{ type: "tool-call-error", tool: "t", toolCallId: "1", message: "m" }],
      "tool-call",
    ],
    ["a legacy result without a call", [{ type: "tool-result", content: 1 }], "tool-call"],
    ["a file", [file], "file"],
    ["an object", [set("o")], "structured-data"],
    ["a question", [question], "interrupt"],
    ["data", [{ type: "data", name: "d", data: 1 }], "data"],
    ["a step", [{ type: "step-start", stepId: "1" }], "step"],
    [
      "the progress of an unknown call",
      [{ type: "tool-call-progress", tool: "t", toolCallId: "1", content: 1 }],
      "tool-call",
    ],
    [
      "the denial of an unknown call",
      [{ type: "tool-call-denied", tool: "t", toolCallId: "1" }],
      "tool-call",
    ],
    ["a whole message", [whole("W")], "W"],
    ["reasoning", [thought("R")], "R"],
    ["reasoning with a key", [thought("R", "r")], "R"],
    ["a text with a key", [said("K", "k")], "K"],
  ];
  for (const [name, between, part] of beginners) {
    test(`${name}`, () => {
      expect(shown([said("A1"), said("A2"), ...between, said("B1"), said("B2")])).toEqual([
        "A1A2",
        part,
        "B1B2",
      ]);
    });
  }

  test("reasoning ends in the same way, and text and reasoning end each other", () => {
    expect(shown([thought("T1"), said("A"), thought("T2"), said("B")])).toEqual(["T1", "A", "T2", "B"]);
    expect(shown([thought("T1"), start("1"), thought("T2")])).toEqual(["T1", "tool-call", "T2"]);
  });

  test("an explicit start begins another text, and an end closes only its own kind", () => {
    expect(shown([said("A"), { type: "text-start" }, said("B")])).toEqual(["A", "B"]);
    expect(shown([said("A"), { type: "reasoning-end" }, said("B"), { type: "text-end" }, said("C")])).toEqual(
      ["AB", "C"],
    );
  });

  test("an empty key counts as no key", () => {
    expect(shown([said("A", ""), start("1"), { ...said("B"), id: "" } as StreamChunk])).toEqual([
      "A",
      "tool-call",
      "B",
    ]);
  });

  test("the text that ends is closed at once", () => {
    const accumulator = createMessageAccumulator();
    for (const chunk of [said("A"), start("1")]) accumulator.apply(chunk);
    expect(accumulator.message.parts).toMatchObject([
      { text: "A", state: "done" },
      { state: "input-streaming" },
    ]);
  });
});

describe("a text without a key continues", () => {
  const passing: [string, StreamChunk[]][] = [
    [
      "a later piece of a known call",
      [start("1"), said("A"), { type: "tool-call-delta", toolCallId: "1", delta: "{" }],
    ],
    ["the result of a known call", [start("1"), said("A"), result("1")]],
    ["a second result of a call", [start("1"), result("1"), said("A"), result("1")]],
    [
      "a legacy result of a known call",
      [start("1"), said("A"), { type: "tool-result", tool: "t", content: 1 }],
    ],
    ["a later piece of a known object", [set("o"), said("A"), set("o", "rows.0")]],
    ["a later piece of a text with a key", [said("K", "k"), said("A"), said("K", "k")]],
    ["the end of a text with a key", [said("K", "k"), said("A"), { type: "text-end", segmentId: "k" }]],
    [
      "an invalidated object",
      [set("o"), said("A"), { type: "structured-data-invalidated", streamId: "o", checkpointId: "c" }],
    ],
    ["a source", [said("A"), source]],
    ["new data in the place of earlier data", [datum("1"), said("A"), datum("1")]],
    ["transient data", [said("A"), { type: "data", name: "d", data: 1, transient: true }]],
    [
      "an answer to a question",
      [question, said("A"), { type: "interrupt-resolved", requestId: "r", outcome: "x" }],
    ],
    [
      "the end of a step",
      [{ type: "step-start", stepId: "1" }, said("A"), { type: "step-end", stepId: "1" }],
    ],
    [
      "metadata",
      [said("A"), { type: "metadata", metadata: {} }, { type: "part-metadata", providerMetadata: { a: 1 } }],
    ],
    [
      "status, trace, session, checkpoint, transition and unknown chunks",
      [
        said("A"),
        { type: "status", message: "m" },
        { type: "trace", traceId: "t", spanId: "s", runId: "r", rootSpanName: "n" },
        { type: "session", sessionId: "s" },
        { type: "checkpoint", id: "c", sessionId: "s", turnIndex: 0 },
        { type: "transition", transitionTo: "n" },
        { type: "x-unknown" } as unknown as StreamChunk,
      ],
    ],
    ["a warning", [said("A"), { type: "error", message: "m" }]],
    ["an empty piece of reasoning, or an empty message", [said("A"), thought(""), whole("")]],
  ];
  for (const [name, chunks] of passing) {
    test(`after ${name}`, () => expect(shown([...chunks, said("B")])).toContain("AB"));
  }

  test("after an object that cannot be built", () => {
    const accumulator = createMessageAccumulator();
    accumulator.apply(said("A"));
    expect(() => accumulator.apply(set("o", "a..b"))).toThrow();
    accumulator.apply(said("B"));
    expect(accumulator.message.parts).toMatchObject([{ text: "AB", state: "streaming" }]);
  });
});

test("texts with keys run in parallel, whatever parts begin in between", () => {
  expect(
    shown([
      said("A1", "a"),
      said("B1", "b"),
      start("1"),
      file,
      said("A2", "a"),
      thought("R"),
      question,
      said("B2", "b"),
    ]),
  ).toEqual(["A1A2", "B1B2", "tool-call", "file", "R", "interrupt"]);
  expect(shown([thought("T1", "a"), said("A1", "a"), thought("T2", "a"), said("A2", "a")])).toEqual([
    "T1T2",
    "A1A2",
  ]);
});

describe("an empty text is not shown", () => {
  test("an empty first delta makes no part, and does not put a later text above a call", () => {
    expect(shown([said(""), start("1"), said("It is 42.")])).toEqual(["tool-call", "It is 42."]);
    expect(shown([said("", "k"), thought(""), start("1"), said("A", "k")])).toEqual(["tool-call", "A"]);
    expect(shown([said(""), whole("")])).toEqual([]);
  });

  test("an explicit start shows an empty part, which disappears if the text ends empty", () => {
    const accumulator = createMessageAccumulator();
    accumulator.apply({ type: "text-start", node: "writer" });
    const begun = accumulator.message.parts;
    expect(begun).toEqual([{ type: "text", key: "", text: "", state: "streaming", node: "writer" }]);
    accumulator.apply(start("1"));
    expect(accumulator.message.parts).toMatchObject([{ type: "tool-call" }]);
    expect(begun).toHaveLength(1);
    expect(
      shown([
        { type: "text-start", segmentId: "k" },
        { type: "text-end", segmentId: "k" },
      ]),
    ).toEqual([]);
    expect(shown([{ type: "reasoning-start" }, { type: "done" }])).toEqual([]);
    expect(shown([{ type: "text-start" }, { type: "text-start" }, said("A")])).toEqual(["A"]);
  });
});

describe("a whole message that repeats streamed text is not shown again", () => {
  const loop = [said("Let me "), said("look."), start("1"), result("1"), said("It is "), said("42.")];
  const texts = ["Let me look.", "tool-call", "It is 42."];

  test("the last text, also with white space around it", () => {
    for (const content of ["It is 42.", " It is 42.\n"]) {
      expect(shown([...loop, whole(content), whole(content)]), content).toEqual(texts);
    }
  });

  test("a text with more white space around it than the message is long", () => {
    expect(shown([said("\n\n\n"), said("7"), whole("7")])).toEqual(["\n\n\n7"]);
  });

  test("a text during which a text with a key received its first delta", () => {
    const begun: StreamChunk = { type: "text-start", segmentId: "k" };
    expect(shown([begun, said("A1"), said("K", "k"), said("A2"), start("1"), whole("A1A2")])).toEqual([
      "K",
      "A1A2",
      "tool-call",
    ]);
  });

  test("all texts, however they are joined", () => {
    for (const content of [
      "Let me look.It is 42.",
      "Let me look.\n\nIt is 42.",
      "Let me look. It is 42.",
      "\nLet me look.\nIt is 42.\n",
    ]) {
      expect(shown([...loop, whole(content)]), content).toEqual(texts);
    }
  });

  test("each text once, in any order: the messages of parallel texts, or of every turn at the end", () => {
    expect(shown([...loop, whole("Let me look."), whole("It is 42.")])).toEqual(texts);
    expect(shown([...loop, whole("It is 42."), whole("Let me look.")])).toEqual(texts);
    expect(shown([...loop, whole("Let me look."), whole("Let me look.")])).toEqual([
      ...texts,
      "Let me look.",
    ]);
    const end = (segmentId: string): StreamChunk => ({ type: "text-end", segmentId });
    expect(shown([said("A", "a"), said("B", "b"), end("a"), end("b"), whole("A"), whole("B")])).toEqual([
      "A",
      "B",
    ]);
  });

  test("a text split by a file or an object", () => {
    expect(shown([said("A"), file, said("B"), set("o"), said("C"), whole("ABC")])).toEqual([
      "A",
      "file",
      "B",
      "structured-data",
      "C",
    ]);
    expect(shown([said("A"), file, said("B"), start("1"), said("C"), whole("AB"), whole("C")])).toEqual([
      "A",
      "file",
      "B",
      "tool-call",
      "C",
    ]);
  });

  test("a text with an explicit start", () => {
    expect(shown([{ type: "text-start" }, said("A"), { type: "text-end" }, whole("A")])).toEqual(["A"]);
    expect(shown([{ type: "text-start", segmentId: "k" }, said("A", "k"), whole("A")])).toEqual(["A"]);
  });

  test("the text of a turn whose call came before the whole message", () => {
    expect(shown([said("A"), start("1"), whole("A"), result("1"), said("B"), whole("B")])).toEqual([
      "A",
      "tool-call",
      "B",
    ]);
  });

  test("the repetition ends the text that it repeats, and any reasoning", () => {
    expect(shown([said("A"), whole("A"), said("A")])).toEqual(["A", "A"]);
    expect(shown([said("A"), thought("T1"), whole("A"), thought("T2")])).toEqual(["A", "T1", "T2"]);
  });

  test("anything else is shown: another text, part of a text, and text that was never streamed", () => {
    expect(shown([...loop, whole("It is")])).toEqual([...texts, "It is"]);
    expect(shown([...loop, whole("Let me look.It is 42. Bye.")])).toEqual([
      ...texts,
      "Let me look.It is 42. Bye.",
    ]);
    expect(shown([...loop, whole("It is 42.Let me look.")])).toEqual([...texts, "It is 42.Let me look."]);
    expect(shown([whole("Hi"), whole("Hi"), whole("HiHi")])).toEqual(["Hi", "Hi", "HiHi"]);
    expect(shown([{ type: "text-start" }, whole("Hi"), whole("Hi")])).toEqual(["Hi", "Hi"]);
  });

  test("an earlier whole message counts as one of all texts", () => {
    expect(shown([whole("A"), start("1"), said("B"), whole("A\n\nB")])).toEqual(["A", "tool-call", "B"]);
  });
});

describe("for every sequence of chunks", () => {
  const key = fc.constantFrom(undefined, undefined, undefined, "a", "b");
  const text = fc.constantFrom("", "x", "y", "zz");
  const id = fc.constantFrom("1", "2");
  const anyChunk: fc.Arbitrary<StreamChunk> = fc.oneof(
    { weight: 6, arbitrary: fc.tuple(text, key).map(([delta, segmentId]) => said(delta, segmentId)) },
    { weight: 3, arbitrary: fc.tuple(text, key).map(([delta, segmentId]) => thought(delta, segmentId)) },
    fc
      .tuple(fc.constantFrom("text-start", "text-end", "reasoning-start", "reasoning-end"), key)
      .map(([type, segmentId]) => ({ type, segmentId }) as StreamChunk),
    id.map(start),
    id.map(result),
    id.map((streamId) => set(streamId)),
    id.map((streamId): StreamChunk => ({ type: "structured-data-invalidated", streamId, checkpointId: "c" })),
    id.map((requestId): StreamChunk => ({ ...question, requestId })),
    id.map(datum),
    id.map((fileId): StreamChunk => ({ ...file, id: fileId }) as StreamChunk),
    id.map((stepId): StreamChunk => ({ type: "step-start", stepId })),
    fc.constantFrom(file, source, { type: "status", message: "m" } as const),
  );

  /** A second implementation of the rule, from the parts so far. It is slow and does not handle whole messages. */
  function model(chunks: StreamChunk[]): string[] {
    type ModelPart = { name: string; key: string; text: string; isOpen: boolean; isGone?: boolean };
    const parts: ModelPart[] = [];
    const add = (name: string, key = "", text = "", isOpen = true): void => {
      parts.push({ name, key, text, isOpen });
    };
    const find = (name: string, key: string) =>
      parts.findLast((part) => part.name === name && part.key === key && !part.isGone);
    for (const chunk of chunks) {
      const type = chunk.type.split("-")[0]!;
      if (type === "text" || type === "reasoning") {
        const { segmentId = "", delta } = chunk as { segmentId?: string; delta?: string };
        // Without a key, a chunk belongs to the part that began last; sources do not count.
        const last =
          segmentId === "" ? parts.findLast(({ name }) => name !== "source") : find(type, segmentId);
        const open = last?.name === type && last.key === segmentId && last.isOpen ? last : undefined;
        if (chunk.type.endsWith("-end")) {
          if (open) open.isOpen = false;
        } else if (delta !== undefined && open) {
          open.text += delta;
        } else if (delta !== "" && !(open && segmentId !== "")) {
          add(type, segmentId, delta);
        }
      } else if (chunk.type === "tool-call-start" || chunk.type === "tool-call-result") {
        const known = find("tool-call", chunk.toolCallId);
        const isResult = chunk.type === "tool-call-result";
        if (known === undefined || (!isResult && !known.isOpen)) add("tool-call", chunk.toolCallId);
        if (isResult) find("tool-call", chunk.toolCallId)!.isOpen = false;
      } else if (chunk.type === "structured-data") {
        if (find("structured-data", chunk.streamId) === undefined) add("structured-data", chunk.streamId);
      } else if (chunk.type === "structured-data-invalidated") {
        const known = find("structured-data", chunk.streamId);
        if (known) known.isGone = true;
      } else if (chunk.type === "interrupt") {
        // A repeated question replaces the first one, and ends a text without a key all the same.
        const last = parts.findLast(({ name }) => name !== "source");
        if (last?.key === "") last.isOpen = false;
        if (find("interrupt", chunk.requestId) === undefined) add("interrupt", chunk.requestId);
      } else if (chunk.type === "step-start") {
        add("step");
      } else if ((chunk.type === "data" || chunk.type === "file") && chunk.id !== undefined) {
        if (find(chunk.type, chunk.id) === undefined) add(chunk.type, chunk.id);
      } else if (chunk.type !== "status") {
        add(chunk.type);
      }
    }
    return parts
      .filter(
        ({ name, text, isGone }) => !isGone && !(text === "" && (name === "text" || name === "reasoning")),
      )
      .map(({ name, text }) => text || name);
  }

  test("the parts match those of the model", () => {
    fc.assert(
      fc.property(fc.array(anyChunk, { maxLength: 30 }), (chunks) => {
        expect(shown(chunks)).toEqual(model(chunks));
      }),
      { numRuns: 500 },
    );
  });

  test("reading in between changes nothing, and no message that was read ever changes", () => {
    const anyMessage = fc.constantFrom("x", "y", "xx", "x y", "").map(whole);
    const chunks = fc.array(fc.oneof({ weight: 6, arbitrary: anyChunk }, anyMessage), { maxLength: 30 });
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 30, maxLength: 30 }), chunks, (isRead, given) => {
        const accumulator = createMessageAccumulator();
        const read: [readonly MessagePart[], string][] = [];
        for (const [index, chunk] of given.entries()) {
          accumulator.apply(chunk);
          if (!isRead[index]) continue;
          const { parts } = accumulator.message;
          read.push([parts, JSON.stringify(parts)]);
        }
        accumulator.finish();
        expect(accumulator.message).toEqual(reduceMessage(given));
        for (const [parts, text] of read) expect(JSON.stringify(parts)).toBe(text);
      }),
      { numRuns: 300 },
    );
  });
});

describe("ordering parts takes linear time", () => {
  const workloads: [string, (index: number) => StreamChunk[]][] = [
    ["a tool loop", (index) => [said(`text ${index}`), start(`${index}`), result(`${index}`)]],
    ["a whole message after every text", (index) => [said(`text ${index}`), whole(`text ${index}`)]],
    [
      "other messages during a text with a key",
      (index) => [said("a long piece ", "k"), whole(`other ${index}`)],
    ],
    ["calls with one id", (index) => [start("1"), said("x"), result("1"), said(`${index}`)]],
  ];
  for (const [name, chunksAt] of workloads) {
    test(`${name}: 8,000 cost about as much as eight runs of 1,000`, () => {
      const ratio = costOfWhole(8000, (count) => {
        const chunks = Array.from({ length: count }, (_, index) => chunksAt(index)).flat();
        return cost(() => reduceMessage(chunks));
      });
      expect(ratio).toBeLessThanOrEqual(3);
    });
  }
});
