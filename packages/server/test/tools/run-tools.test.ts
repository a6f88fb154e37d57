import type { StreamChunk } from "@kortyx/protocol";
import { afterEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import type { ModelStream } from "../../src/adapters/model-stream.ts";
import { defineTool, type Tools } from "../../src/tools/define-tool.ts";
import { type RunToolsOptions, runTools } from "../../src/tools/run-tools.ts";
import { call, collect, type ScriptedTurn, scriptTurns, text, user, withoutSteps } from "./scripted-turns.ts";

const search = defineTool({
  description: "Searches.",
  inputSchema: z.object({ query: z.string() }),
  run: async ({ query }) => [`${query}!`],
});
const messages = [user("Hi")];

afterEach(() => {
  vi.restoreAllMocks();
});

/** Plays the turns, and returns what was sent. */
async function play(tools: Tools, scripts: ScriptedTurn[], more: Partial<RunToolsOptions> = {}) {
  const { turn, turns } = scriptTurns(...scripts);
  const chunks = await collect(runTools({ messages, tools, turn, ...more }));
  return { chunks, turns };
}

describe("the turns", () => {
  test("end with the first that calls no tool, and done has that turn's reason", async () => {
    const { chunks, turns } = await play({ search }, [{ chunks: [text("Hello")], finishReason: "length" }]);
    expect(chunks).toEqual([
      { type: "step-start", stepId: "step-1" },
      { type: "text-delta", delta: "Hello" },
      { type: "step-end", stepId: "step-1", finishReason: "length" },
      { type: "done", finishReason: "length" },
    ]);
    expect(turns[0]!.messages).toEqual(messages);
    expect(turns[0]!.tools).toEqual([
      { name: "search", description: "Searches.", inputSchema: search.jsonSchema },
    ]);
  });

  test("continue with the result of a tool, in the conversation as a client would send it", async () => {
    const { chunks, turns } = await play({ search }, [
      { chunks: [text("Let me look.")], calls: [call("search", { query: "a" })] },
      { chunks: [text("Found.")] },
    ]);
    expect(chunks).toEqual([
      { type: "step-start", stepId: "step-1" },
      { type: "text-delta", delta: "Let me look." },
      { type: "tool-call-ready", toolCallId: "search-1", tool: "search", input: { query: "a" } },
      { type: "tool-call-result", toolCallId: "search-1", tool: "search", content: ["a!"] },
      { type: "step-end", stepId: "step-1", finishReason: "tool-calls" },
      { type: "step-start", stepId: "step-2" },
      { type: "text-delta", delta: "Found." },
      { type: "step-end", stepId: "step-2", finishReason: "stop" },
      { type: "done", finishReason: "stop" },
    ]);
    expect(turns[1]!.messages).toEqual([
      user("Hi"),
      {
        role: "assistant",
        content: "Let me look.",
        parts: [
          { type: "step", stepId: "step-1" },
          { type: "text", text: "Let me look." },
          {
            type: "tool-call",
            toolCallId: "search-1",
            tool: "search",
            state: "done",
            input: { query: "a" },
            content: ["a!"],
          },
        ],
      },
    ]);
  });

  test("end at maxTurns, and the last one knows it", async () => {
    const turn = { calls: [call("search", { query: "a" })] };
    const { chunks, turns } = await play({ search }, [turn, turn], { maxTurns: 2 });
    expect(turns.map(({ isLast }) => isLast)).toEqual([false, true]);
    expect(chunks.filter(({ type }) => type === "tool-call-result")).toHaveLength(2);
    expect(chunks.at(-1)).toEqual({ type: "done", finishReason: "max-turns" });
  });

  test("are ten at most by default", async () => {
    const turn = { calls: [call("search", { query: "a" })] };
    const { chunks, turns } = await play({ search }, Array(10).fill(turn));
    expect(turns).toHaveLength(10);
    expect(chunks.at(-1)).toEqual({ type: "done", finishReason: "max-turns" });
  });

  test("repeat the conversation after a pause of the provider", async () => {
    const { chunks, turns } = await play({}, [
      { chunks: [text("One.")], finishReason: "pause" },
      { chunks: [text("Two.")] },
    ]);
    expect(turns[1]!.messages.at(-1)).toMatchObject({ role: "assistant", content: "One." });
    expect(chunks.at(-1)).toEqual({ type: "done", finishReason: "stop" });
  });

  test("count pauses", async () => {
    const { chunks } = await play({}, [{ finishReason: "pause" }], { maxTurns: 1 });
    expect(chunks.at(-1)).toEqual({ type: "done", finishReason: "max-turns" });
  });

  test("run no call of a turn that was cut, whose input may be cut, too", async () => {
    for (const finishReason of ["length", "content-filter"]) {
      const calls = [call("search", { query: "a" })];
      const { chunks } = await play({ search }, [{ calls, finishReason }]);
      expect(chunks.some(({ type }) => type === "tool-call-result")).toBe(false);
      expect(chunks.at(-1)).toEqual({ type: "done", finishReason });
    }
  });

  test("run the calls of a turn that ended with another reason", async () => {
    const calls = [call("search", { query: "a" })];
    const { turns } = await play({ search }, [{ calls, finishReason: "stop" }, {}]);
    expect(turns).toHaveLength(2);
  });

  test("let the model repair a call whose input was no JSON", async () => {
    const failed = { type: "tool-call-error", tool: "search", toolCallId: "c", message: "No JSON." } as const;
    const { turns } = await play({ search }, [{ chunks: [failed], finishReason: "tool-calls" }, {}]);
    expect(turns[1]!.messages.at(-1)!.parts).toContainEqual({
      type: "tool-call",
      toolCallId: "c",
      tool: "search",
      state: "error",
      errorMessage: "No JSON.",
    });
  });

  test("do not continue for a failed call of the provider, or for no call at all", async () => {
    const chunks: StreamChunk[] = [
      { type: "tool-call-start", tool: "web", toolCallId: "p", executor: "provider" },
      { type: "tool-call-error", tool: "web", toolCallId: "p", message: "Failed." },
    ];
    expect((await play({}, [{ chunks }])).chunks.at(-1)).toEqual({ type: "done", finishReason: "stop" });
    // A client would wait for a result.
    const none = await play({}, [{ finishReason: "tool-calls" }]);
    expect(none.chunks.at(-1)).toEqual({ type: "done", finishReason: "other" });
  });

  test("have their usage, and done has the sum, also by model", async () => {
    const usage = { inputTokens: 5, outputTokens: 1 };
    const first = { usage, usageByModel: [{ provider: "p", model: "a", ...usage }] };
    const other = { usage, usageByModel: [{ provider: "p", model: "b", ...usage }] };
    const calls = [call("search", { query: "a" })];
    const { chunks } = await play({ search }, [{ ...first, calls }, { ...other, calls }, first, {}]);
    expect(chunks.filter(({ type }) => type === "step-end")).toEqual([
      { type: "step-end", stepId: "step-1", finishReason: "tool-calls", usage, model: "a" },
      { type: "step-end", stepId: "step-2", finishReason: "tool-calls", usage, model: "b" },
      { type: "step-end", stepId: "step-3", finishReason: "stop", usage, model: "a" },
    ]);
    expect(chunks.at(-1)).toEqual({
      type: "done",
      finishReason: "stop",
      usage: { inputTokens: 15, outputTokens: 3 },
      usageByModel: [
        { provider: "p", model: "a", inputTokens: 10, outputTokens: 2 },
        { provider: "p", model: "b", inputTokens: 5, outputTokens: 1 },
      ],
    });
  });

  test("that throw are thrown, after what they have sent", async () => {
    const run = vi.fn(() => 1);
    const failure = new Error("The model failed.");
    async function* turn(): ModelStream {
      yield text("Half");
      yield { type: "tool-call-ready", ...call("count") };
      throw failure;
    }
    const sent: StreamChunk[] = [];
    const reading = (async () => {
      const tools = { count: defineTool({ description: "", run }) };
      for await (const chunk of runTools({ messages, tools, turn })) sent.push(chunk);
    })();
    await expect(reading).rejects.toBe(failure);
    expect(sent.map(({ type }) => type)).toEqual(["step-start", "text-delta", "tool-call-ready"]);
    expect(run).not.toHaveBeenCalled();
  });

  test("that reject before their first chunk are thrown", async () => {
    const turn = () => Promise.reject(new Error("No network."));
    await expect(collect(runTools({ messages, tools: {}, turn }))).rejects.toThrow("No network.");
  });

  test("that send an abort end the answer with it", async () => {
    const abort = { type: "abort", reason: "busy" } as const;
    const { chunks, turns } = await play({ search }, [{ chunks: [abort], calls: [call("search")] }]);
    expect(withoutSteps(chunks)).toEqual([abort]);
    expect(turns).toHaveLength(1);
  });

  test("that end with an error end the answer with it, and run no tool", async () => {
    const error = { type: "error", message: "Too many requests." } as const;
    async function* turn(): ModelStream {
      yield { type: "tool-call-ready", ...call("search", { query: "a" }) };
      yield error;
      const usage = { inputTokens: 1 };
      const toolCalls = [call("search", { query: "a" })];
      return { finishReason: "tool-calls", usage, usageByModel: undefined, model: undefined, toolCalls };
    }
    const chunks = await collect(runTools({ messages, tools: { search }, turn }));
    expect(chunks.slice(2)).toEqual([
      error,
      { type: "step-end", stepId: "step-1", usage: { inputTokens: 1 } },
      { type: "done", usage: { inputTokens: 1 } },
    ]);
  });

  test("that warn with an error continue", async () => {
    const error = { type: "error", message: "Slow." } as const;
    const { chunks } = await play({}, [{ chunks: [error, text("Hi")] }]);
    expect(chunks.at(-1)).toEqual({ type: "done", finishReason: "stop" });
  });

  test("must return what their adapter returns", async () => {
    async function* turn() {
      yield text("Hi");
    }
    const loop = runTools({ messages, tools: {}, turn: turn as never });
    await expect(collect(loop)).rejects.toThrow(
      new TypeError(
        "turn must return what its adapter returns: return the adapter's stream itself, or `return yield* fromOpenAIChat(…)`.",
      ),
    );
  });

  test.each([
    ["an array", []],
    ["an object", new Response("the stream of an SDK")],
    ["undefined", undefined],
  ])("must be streams of an adapter, not %s", async (what, stream) => {
    const chunks = runTools({ messages: [user("Go")], tools: {}, turn: () => stream as never });
    await expect(collect(chunks)).rejects.toThrow(
      new TypeError(
        `The result of turn must be the stream of an adapter, such as fromOpenAIChat(…); got ${what}.`,
      ),
    );
  });

  test("pass each chunk on before the next one is there", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    async function* turn(): ModelStream {
      yield text("One");
      await promise;
      return {
        finishReason: "stop",
        usage: undefined,
        usageByModel: undefined,
        model: undefined,
        toolCalls: [],
      };
    }
    const loop = runTools({ messages, tools: {}, turn });
    await loop.next();
    expect((await loop.next()).value).toEqual(text("One"));
    resolve();
    expect((await collect(loop)).at(-1)!.type).toBe("done");
  });
});

describe("the tools of the server", () => {
  test("of one turn run in parallel, and their chunks come as they come", async () => {
    const slow = Promise.withResolvers<string>();
    const tools = {
      slow: defineTool({ description: "", run: () => slow.promise }),
      fast: defineTool({
        description: "",
        async *run() {
          yield "half";
          slow.resolve("at last");
          return "whole";
        },
      }),
    };
    const { chunks } = await play(tools, [{ calls: [call("slow"), call("fast")] }, {}]);
    expect(chunks.filter(({ type }) => /progress|result/.test(type))).toEqual([
      { type: "tool-call-progress", toolCallId: "fast-1", tool: "fast", content: "half" },
      { type: "tool-call-result", toolCallId: "slow-1", tool: "slow", content: "at last" },
      { type: "tool-call-result", toolCallId: "fast-1", tool: "fast", content: "whole" },
    ]);
  });

  test("receive the input that the schema has read, the call, and the conversation", async () => {
    const run = vi.fn(() => "ok");
    const inputSchema = z.object({ day: z.string().transform((day) => Number(day)) });
    const tools = { plan: defineTool({ description: "", inputSchema, run }) };
    await play(tools, [{ chunks: [text("Hm.")], calls: [call("plan", { day: "5" })] }, {}]);
    expect(run).toHaveBeenCalledExactlyOnceWith(
      { day: 5 },
      {
        toolCallId: "plan-1",
        signal: expect.any(AbortSignal),
        messages: [user("Hi"), expect.objectContaining({ role: "assistant", content: "Hm." })],
      },
    );
  });

  test("yield copies: a tool may change what it has yielded", async () => {
    const tools = {
      list: defineTool<unknown, string[]>({
        description: "",
        async *run() {
          const found = ["a"];
          yield found;
          found.push("b");
          return found;
        },
      }),
    };
    const { chunks } = await play(tools, [{ calls: [call("list")] }, {}]);
    expect(
      chunks.filter((chunk) => "content" in chunk).map((chunk) => "content" in chunk && chunk.content),
    ).toEqual([["a"], ["a", "b"]]);
  });

  test("without a result return null", async () => {
    const tools = { save: defineTool({ description: "", run: () => {} }) };
    const { chunks } = await play(tools, [{ calls: [call("save")] }, {}]);
    expect(chunks[2]).toEqual({
      type: "tool-call-result",
      toolCallId: "save-1",
      tool: "save",
      content: null,
    });
  });

  test("that throw fail with a text without secrets, and the error is logged", async () => {
    const log = vi.spyOn(console, "error").mockImplementation(() => {});
    const failure = new Error("db at secret@host");
    const run = () => {
      throw failure;
    };
    const { chunks, turns } = await play({ save: defineTool({ description: "", run }) }, [
      { calls: [call("save")] },
      {},
    ]);
    expect(chunks[2]).toEqual({
      type: "tool-call-error",
      toolCallId: "save-1",
      tool: "save",
      message: "The tool failed.",
      code: "tool-failed",
    });
    expect(log).toHaveBeenCalledExactlyOnceWith('The tool "save" failed (call save-1):', failure);
    expect(turns).toHaveLength(2);
  });

  test("fail with the text of onToolError, which logs nothing", async () => {
    const failure = new Error("secret");
    const run = () => Promise.reject(failure);
    const onToolError = vi.fn(() => "Try again tomorrow.");
    const tools = { save: defineTool({ description: "", run }) };
    const { chunks } = await play(tools, [{ calls: [call("save")] }, {}], { onToolError });
    expect(chunks[2]).toMatchObject({ message: "Try again tomorrow.", code: "tool-failed" });
    expect(onToolError).toHaveBeenCalledExactlyOnceWith(failure, call("save"));
  });

  test("fail with the generic text if onToolError returns none, or throws", async () => {
    const log = vi.spyOn(console, "error").mockImplementation(() => {});
    const failure = new Error("secret");
    const run = () => Promise.reject(failure);
    const tools = { save: defineTool({ description: "", run }) };
    const mistake = new Error("mistake");
    const throwing = () => {
      throw mistake;
    };
    for (const onToolError of [() => undefined, throwing]) {
      const { chunks } = await play(tools, [{ calls: [call("save")] }, {}], { onToolError });
      expect(chunks[2]).toMatchObject({ message: "The tool failed." });
    }
    expect(log.mock.calls.map(([, error]) => error)).toEqual([
      failure,
      new AggregateError([failure, mistake], "A tool failed, and so did onToolError."),
    ]);
  });

  test("fail with a result that is not JSON; the stream does not", async () => {
    const log = vi.spyOn(console, "error").mockImplementation(() => {});
    const tools = { count: defineTool({ description: "", run: () => 1n }) };
    const { chunks } = await play(tools, [{ calls: [call("count")] }, {}]);
    expect(chunks[2]).toMatchObject({ type: "tool-call-error", message: "The tool failed." });
    expect(log).toHaveBeenCalledOnce();
  });

  test("that throw after a progress keep it, and other tools are not affected", async () => {
    vi.spyOn(console, "error").mockImplementation(() => {});
    const tools = {
      search,
      broken: defineTool({
        description: "",
        async *run() {
          yield 1;
          throw new Error("broken");
        },
      }),
    };
    const calls = [call("broken"), call("search", { query: "a" })];
    const { chunks } = await play(tools, [{ calls }, {}]);
    expect(
      chunks
        .filter(({ type }) => /progress|result|error/.test(type))
        .map(({ type }) => type)
        .sort(),
    ).toEqual(["tool-call-error", "tool-call-progress", "tool-call-result"]);
  });

  test("do not run with an invalid input; the model gets the issues", async () => {
    const { chunks } = await play({ search }, [{ calls: [call("search", { query: 5 })] }, {}]);
    expect(chunks[2]).toEqual({
      type: "tool-call-error",
      toolCallId: "search-1",
      tool: "search",
      message: "The input is invalid. query: Invalid input: expected string, received number",
      code: "invalid-input",
      input: { query: 5 },
    });
  });

  test("that do not exist are reported, also those named like a method of objects", async () => {
    const { chunks } = await play({ search }, [{ calls: [call("find"), call("constructor")] }, {}]);
    expect(chunks.filter(({ type }) => type === "tool-call-error")).toEqual(
      ["find", "constructor"].map((tool) => ({
        type: "tool-call-error",
        toolCallId: `${tool}-1`,
        tool,
        message: `There is no tool "${tool}".`,
        code: "unknown-tool",
      })),
    );
  });

  test("run once for a call that an adapter repeats, and for each call of the same id with another input", async () => {
    const run = vi.fn(() => 1);
    const tools = { count: defineTool({ description: "", run }) };
    const calls = [
      call("count"),
      call("count"),
      call("count", { to: 2 }),
      call("count", {}, ""),
      call("count", {}, ""),
    ];
    await play(tools, [{ calls }, {}]);
    expect(run).toHaveBeenCalledTimes(4);
  });

  test.each(["x", ""])(
    "run one after the other for calls with the id %j: each gets its own result",
    async (id) => {
      const first = Promise.withResolvers<string>();
      let running = 0;
      const run = vi.fn(async (input: unknown) => {
        expect(++running).toBe(1);
        const result = input === 1 ? await first.promise : "two";
        running--;
        return result;
      });
      const { turn, turns } = scriptTurns(
        { calls: [call("find", 1, id), call("find", 2, id), call("other", 3)] },
        { chunks: [text("Done.")] },
      );
      const other = defineTool({
        description: "",
        run: () => {
          first.resolve("one");
          return "three";
        },
      });
      const tools = { find: defineTool({ description: "", run }), other };
      await collect(runTools({ messages: [user("Go")], tools, turn }));
      const parts = turns[1]!.messages.at(-1)!.parts!;
      expect(
        parts.flatMap((part) => (part.type === "tool-call" ? [[part.input, part.content]] : [])),
      ).toEqual([
        [1, "one"],
        [2, "two"],
        [3, "three"],
      ]);
    },
  );

  test.each([
    ["without a schema", undefined],
    [
      "with a schema that returns what it gets",
      { "~standard": { version: 1, vendor: "own", validate: (value: unknown) => ({ value }) } },
    ],
  ] as const)(
    "may change their input %s: the conversation keeps what the model has sent",
    async (_, inputSchema) => {
      const { turn, turns } = scriptTurns(
        { calls: [call("sort", { list: [2, 1] })] },
        { chunks: [text("Done.")] },
      );
      const run = (input: unknown) => (input as { list: number[] }).list.sort();
      const sort = defineTool({ description: "", inputSchema, jsonSchema: {}, run });
      await collect(runTools({ messages: [user("Go")], tools: { sort }, turn }));
      expect(turns[1]!.messages.at(-1)!.parts).toContainEqual(
        expect.objectContaining({ input: { list: [2, 1] }, content: [1, 2] }),
      );
    },
  );

  test("may be functions that return a promise of a generator", async () => {
    const { turn } = scriptTurns({ calls: [call("count")] }, { chunks: [text("Done.")] });
    const count = defineTool({
      description: "",
      run: async () =>
        (async function* () {
          yield 1;
          return 2;
        })(),
    });
    const chunks = withoutSteps(await collect(runTools({ messages: [user("Go")], tools: { count }, turn })));
    expect(chunks.slice(1, 3)).toEqual([
      { type: "tool-call-progress", toolCallId: "count-1", tool: "count", content: 1 },
      { type: "tool-call-result", toolCallId: "count-1", tool: "count", content: 2 },
    ]);
  });

  test("run again for the same id in a later turn", async () => {
    const { chunks } = await play({ search }, [
      { calls: [call("search", { query: "a" })] },
      { calls: [call("search", { query: "a" })] },
      {},
    ]);
    expect(chunks.filter(({ type }) => type === "tool-call-result")).toHaveLength(2);
  });

  test("give their calls a title", async () => {
    const tools = { search: { ...search, title: "Searching" } };
    const { chunks } = await play(tools, [{ calls: [call("search", { query: "a" })] }, {}]);
    expect(chunks[1]).toMatchObject({ type: "tool-call-ready", title: "Searching" });
    expect(chunks[1]).not.toHaveProperty("executor");
    // A tool of the provider's may have the same name.
    const ofProvider = { type: "tool-call-ready", ...call("search"), executor: "provider" } as const;
    expect((await play(tools, [{ chunks: [ofProvider] }])).chunks[1]).toEqual(ofProvider);
  });
});

describe("the tools of the client", () => {
  const locate = defineTool({ description: "Locates.", inputSchema: z.object({ exact: z.boolean() }) });
  const offered = [
    { name: "print", description: "Prints." },
    { name: "search", description: "Another search." },
  ];

  test("wait for the client, after the tools of the server have run", async () => {
    const calls = [call("locate", { exact: true }), call("search", { query: "a" })];
    const { chunks, turns } = await play({ search, locate }, [{ calls }]);
    expect(withoutSteps(chunks)).toEqual([
      { type: "tool-call-ready", ...call("locate", { exact: true }), executor: "client" },
      { type: "tool-call-ready", ...call("search", { query: "a" }) },
      { type: "tool-call-result", toolCallId: "search-1", tool: "search", content: ["a!"] },
      { type: "done", finishReason: "tool-calls" },
    ]);
    expect(turns).toHaveLength(1);
  });

  test("that it offers are described to the model, without those that the agent has itself", async () => {
    const options = { tools: offered };
    const calls = [call("print"), call("search", { query: "a" })];
    const { chunks, turns } = await play({ search }, [{ calls }], { options });
    expect(turns[0]!.tools.map(({ description }) => description)).toEqual(["Searches.", "Prints."]);
    expect(chunks).toContainEqual({ type: "tool-call-ready", ...call("print"), executor: "client" });
    expect(chunks).toContainEqual({ type: "tool-call-ready", ...call("search", { query: "a" }) });
    expect(chunks.at(-1)).toEqual({ type: "done", finishReason: "tool-calls" });
  });

  test("do not wait with an invalid input", async () => {
    const { chunks, turns } = await play({ locate }, [{ calls: [call("locate", {})] }, {}]);
    expect(chunks[2]).toMatchObject({ type: "tool-call-error", code: "invalid-input" });
    expect(turns).toHaveLength(2);
  });
});

test.each([
  ["messages", { messages: "Hi" }, "messages must be an array; got"],
  ["tools", { tools: undefined }, "tools must be an object of tools by name; got"],
  [
    "tool, such as one of another library,",
    { tools: { search: { description: "Searches.", execute: () => [] } } },
    "tools.search must be a tool as defineTool returns it, whose function is `run`; got",
  ],
  [
    "option of a tool",
    { tools: { pay: { description: "Pays.", needApproval: true, run: () => "Paid." } } },
    'tools.pay has no option "needApproval". Did you mean "needsApproval"?',
  ],
  ["list of tools", { tools: [() => []] }, "tools.0 must be a tool as defineTool returns it"],
  ["turn", { turn: {} }, "turn must be a function; got"],
  ["maxTurns", { maxTurns: -1 }, "maxTurns must be a number, 0 or more; got"],
  ["onToolError", { onToolError: "?" }, "onToolError must be a function; got"],
  ["name", { maxTurn: 1 }, 'runTools has no option "maxTurn". Did you mean "maxTurns"?'],
])("a wrong %s is refused at once", (_, options, message) => {
  expect(() => runTools({ messages, tools: {}, turn: () => undefined, ...options } as never)).toThrow(
    message,
  );
});
