import { createMessageAccumulator, readStream } from "@kortyx/client";
import { type InterruptAnswer, type StreamChunk, toSSE } from "@kortyx/server";
import {
  fromLangGraph,
  type LangGraphOptions,
  toLangChainMessages,
  toLangChainResults,
  toResumeMap,
} from "@kortyx/server/langgraph";
import type { BaseMessage } from "@langchain/core/messages";
import { describe, expect, test, vi } from "vitest";
import { isInstalled } from "../install.ts";

const none = {} as never;
const { AIMessage, RemoveMessage } = isInstalled() ? await import("@langchain/core/messages") : none;
const { tool } = isInstalled() ? await import("@langchain/core/tools") : none;
const {
  Annotation,
  Command,
  entrypoint,
  interrupt,
  MemorySaver,
  MessagesAnnotation,
  Send,
  START,
  StateGraph,
  task,
} = isInstalled() ? await import("@langchain/langgraph") : none;
const { ToolNode, toolsCondition } = isInstalled() ? await import("@langchain/langgraph/prebuilt") : none;
const { z } = isInstalled() ? await import("zod") : none;
const { ScriptedModel } = isInstalled() ? await import("./kit/scripted-model.ts") : none;

const streamMode = ["messages" as const, "updates" as const, "custom" as const];
const onThread = (thread_id = "t1") => ({
  configurable: { thread_id },
  streamMode,
  subgraphs: true as const,
});
const hello = { messages: toLangChainMessages([{ role: "user", content: "Hello", id: "u1" }]) };

async function collect(stream: Parameters<typeof fromLangGraph>[0], options?: LangGraphOptions) {
  const chunks: StreamChunk[] = [];
  for await (const chunk of fromLangGraph(stream, options)) chunks.push(chunk);
  return chunks;
}

const textOf = (chunks: StreamChunk[]) =>
  chunks.map((chunk) => (chunk.type === "text-delta" ? chunk.delta : "")).join("");

const ofType = <Type extends StreamChunk["type"]>(chunks: StreamChunk[], type: Type) =>
  chunks.filter((chunk): chunk is Extract<StreamChunk, { type: Type }> => chunk.type === type);

const answersTo = (chunks: StreamChunk[], answer: unknown): InterruptAnswer[] =>
  ofType(chunks, "interrupt").map(({ requestId, resumeToken }) => ({ requestId, resumeToken, answer }));

const toolPiece = (id: string | undefined, name: string | undefined, args: string, index = 0) => ({
  content: "",
  tool_call_chunks: [{ id, name, args, index }],
});

function createAgent(model: InstanceType<typeof ScriptedModel>) {
  const search = tool(async ({ q }: { q: string }) => [`Found ${q}.`, { hits: 1 }], {
    name: "search",
    description: "Searches.",
    schema: z.object({ q: z.string() }),
    responseFormat: "content_and_artifact",
  });
  const broken = tool(
    async () => {
      throw new Error("No printer.");
    },
    { name: "broken", description: "Fails.", schema: z.object({}) },
  );
  return new StateGraph(MessagesAnnotation)
    .addNode("agent", async ({ messages }) => ({ messages: [await model.invoke(messages)] }))
    .addNode("tools", new ToolNode([search, broken]))
    .addEdge(START, "agent")
    .addConditionalEdges("agent", toolsCondition)
    .addEdge("tools", "agent")
    .compile({ checkpointer: new MemorySaver() });
}

describe.skipIf(!isInstalled())("a graph in this process", () => {
  test("an agent with tools is steps of texts and calls, and a later turn has only its own", async () => {
    const model = new ScriptedModel(
      [
        { content: "Let me ", id: "m1" },
        { content: "look. ", id: "m1" },
        { ...toolPiece("c1", "search", '{"q":'), id: "m1" },
        { ...toolPiece(undefined, undefined, '"x"}'), id: "m1" },
        { ...toolPiece("c2", "broken", "{}", 1), id: "m1" },
        {
          content: "",
          id: "m1",
          usage_metadata: { input_tokens: 5, output_tokens: 2, total_tokens: 7 },
          response_metadata: { model_name: "model-1", finish_reason: "tool_calls" },
        },
      ],
      [{ content: "Here it is." }],
      [{ content: "Again." }],
    );
    const graph = createAgent(model);
    const chunks = await collect(graph.stream(hello, onThread()));
    const { message } = ((accumulator) => {
      for (const chunk of chunks) accumulator.apply(chunk);
      return accumulator;
    })(createMessageAccumulator());
    expect(message.parts.map((part) => (part.type === "text" ? part.text : part.type))).toEqual([
      "step",
      "Let me look. ",
      "tool-call",
      "tool-call",
      "step",
      "Here it is.",
    ]);
    expect(message.parts.filter((part) => part.type === "tool-call")).toMatchObject([
      {
        state: "done",
        input: { q: "x" },
        content: "Found x.",
        structuredContent: { hits: 1 },
        node: "tools",
      },
      { state: "error", content: expect.stringContaining("No printer.") },
    ]);
    expect(ofType(chunks, "step-end")[0]).toMatchObject({
      finishReason: "tool-calls",
      model: "model-1",
      usage: { inputTokens: 5 },
    });
    const again = { messages: toLangChainMessages([{ role: "user", content: "Again?", id: "u2" }]) };
    expect(textOf(await collect(graph.stream(again, onThread())))).toBe("Again.");
    // The checkpointer has the rest.
    expect(model.asked[2]!.map(({ type }) => type)).toEqual(["human", "ai", "tool", "tool", "ai", "human"]);
  });

  test("a request that is repeated adds its message once", async () => {
    const graph = createAgent(new ScriptedModel([{ content: "One." }], [{ content: "Two." }]));
    await collect(graph.stream(hello, onThread()));
    await collect(graph.stream(hello, onThread()));
    const { values } = await graph.getState({ configurable: { thread_id: "t1" } });
    expect(values.messages.map(({ id, text }: BaseMessage) => id === "u1" || text)).toEqual([
      true,
      "One.",
      "Two.",
    ]);
  });

  test("two nodes that stream in parallel, one of them a subgraph, stay apart", async () => {
    let release = () => {};
    const isReleased = new Promise<void>((resolve) => {
      release = resolve;
    });
    const one = new ScriptedModel([{ content: "one " }, () => isReleased, { content: "more" }]);
    const two = new ScriptedModel([{ content: "two " }, async () => release(), { content: "more" }]);
    const speak = (model: typeof one) => async () => ({ messages: [await model.invoke("Speak")] });
    const sub = new StateGraph(MessagesAnnotation)
      .addNode("inner", speak(two))
      .addEdge(START, "inner")
      .compile();
    const graph = new StateGraph(MessagesAnnotation)
      .addNode("outer", speak(one))
      .addNode("sub", sub)
      .addEdge(START, "outer")
      .addEdge(START, "sub")
      .compile();
    const deltas = ofType(await collect(graph.stream(hello, onThread())), "text-delta");
    const texts = new Map<string, string>();
    for (const { node, segmentId, delta } of deltas) {
      const key = `${node} ${segmentId}`;
      texts.set(key, `${texts.get(key) ?? ""}${delta}`);
    }
    expect([...texts].map(([key, text]) => [key.split(" ")[0], text]).sort()).toEqual([
      ["outer", "one more"],
      ["sub/inner", "two more"],
    ]);
  });

  test("messages that no model streamed come once, and those that a node removes or repeats do not", async () => {
    const graph = new StateGraph(MessagesAnnotation)
      .addNode("plain", () => ({
        messages: [new AIMessage("Plain. "), { role: "assistant", content: "Short. " }],
      }))
      .addNode("tidy", ({ messages }) => ({
        messages: [new RemoveMessage({ id: messages[0]!.id! }), ...messages.slice(1)],
      }))
      .addNode("fan", () => new Command({ goto: [new Send("say", { n: 1 }), new Send("say", { n: 2 })] }), {
        ends: ["say"],
      })
      .addNode("say", ({ n }: { n: number }) => ({ messages: [new AIMessage(`Said ${n}. `)] }))
      .addEdge(START, "plain")
      .addEdge("plain", "tidy")
      .addEdge("tidy", "fan")
      .compile({ checkpointer: new MemorySaver() });
    const all = "Plain. Short. Said 1. Said 2. ";
    expect(textOf(await collect(graph.stream(hello, onThread())))).toBe(all);
    const withValues = { ...onThread(), streamMode: [...streamMode, "values" as const] };
    expect(textOf(await collect(graph.stream(hello, withValues)))).toBe(all);
    const updates = { ...onThread(), streamMode: ["values" as const, "updates" as const] };
    expect(textOf(await collect(graph.stream(hello, updates), { textsFrom: "updates" }))).toBe(all);
  });

  test("the functional API is read, too", async () => {
    const model = new ScriptedModel([{ content: "From a " }, { content: "task." }]);
    const ask = task("ask", (text: string) => model.invoke(text));
    const flow = entrypoint("flow", async (text: string) => (await ask(text)).text);
    expect(textOf(await collect(flow.stream("Hi", { streamMode })))).toBe("From a task.");
  });

  test("two questions are answered one by one, and what was said before is not said again", async () => {
    const State = Annotation.Root({
      ...MessagesAnnotation.spec,
      answers: Annotation<unknown[]>({ reducer: (a, b) => a.concat(b), default: () => [] }),
    });
    const graph = new StateGraph(State)
      .addNode("say", () => ({ messages: [new AIMessage("Two questions.")] }))
      .addNode("city", () => ({ answers: [interrupt("Which city?")] }))
      .addNode("day", () => ({
        answers: [interrupt("Which day?", { responseSchema: z.object({ day: z.string() }) })],
      }))
      .addEdge(START, "say")
      .addEdge(START, "city")
      .addEdge(START, "day")
      .compile({ checkpointer: new MemorySaver() });
    const first = await collect(graph.stream(hello, onThread()));
    expect(textOf(first)).toBe("Two questions.");
    expect(ofType(first, "interrupt").map(({ input }) => [input.kind, input.question])).toEqual([
      ["text", "Which city?"],
      ["json", "Which day?"],
    ]);
    expect(first.at(-1)).toEqual({ type: "done", finishReason: "interrupt" });

    const city = answersTo(first, "Rome").slice(0, 1);
    const second = await collect(graph.stream(new Command({ resume: toResumeMap(city)! }), onThread()), {
      resumes: city,
    });
    expect(second.map(({ type }) => type)).toEqual(["interrupt-resolved", "interrupt", "done"]);
    const day = answersTo(second, { day: "Monday" });
    const third = await collect(graph.stream(new Command({ resume: toResumeMap(day)! }), onThread()), {
      resumes: day,
    });
    expect(third.map(({ type }) => type)).toEqual(["interrupt-resolved", "done"]);
    const { values } = await graph.getState({ configurable: { thread_id: "t1" } });
    expect(values.answers).toEqual(["Rome", { day: "Monday" }]);
  });

  test("a call of the page's tool ends the answer, and its result continues the graph", async () => {
    const model = new ScriptedModel([toolPiece("c1", "print", "{}")], [{ content: "Printed." }]);
    const graph = new StateGraph(MessagesAnnotation)
      .addNode("agent", async ({ messages }) => ({ messages: [await model.invoke(messages)] }))
      .addEdge(START, "agent")
      .compile({ checkpointer: new MemorySaver() });
    const first = await collect(graph.stream(hello, onThread()), { clientTools: ["print"] });
    expect(ofType(first, "tool-call-ready")).toMatchObject([{ toolCallId: "c1", executor: "client" }]);
    expect(first.at(-1)).toMatchObject({ type: "done", finishReason: "tool-calls" });
    const messages = toLangChainResults([{ toolCallId: "c1", tool: "print", content: "2 pages" }]);
    expect(textOf(await collect(graph.stream({ messages }, onThread())))).toBe("Printed.");
    expect(model.asked[1]!.map(({ type }) => type)).toEqual(["human", "ai", "tool"]);
  });

  test("progress, custom data and checkpoints arrive", async () => {
    const slow = tool(
      async function* () {
        yield "half";
        return "all";
      } as never,
      { name: "slow", description: "Reports.", schema: z.object({}) },
    );
    const model = new ScriptedModel([toolPiece("c1", "slow", "{}")]);
    const graph = new StateGraph(MessagesAnnotation)
      .addNode("agent", async ({ messages }, { writer }) => {
        writer?.({ percent: 50 });
        return { messages: [await model.invoke(messages)] };
      })
      .addNode("tools", new ToolNode([slow as never]))
      .addEdge(START, "agent")
      .addEdge("agent", "tools")
      .compile({ checkpointer: new MemorySaver() });
    const modes = [...streamMode, "tools" as const, "checkpoints" as const];
    const chunks = await collect(graph.stream(hello, { ...onThread(), streamMode: modes }));
    expect(ofType(chunks, "data")).toEqual([
      { type: "data", name: "custom", data: { percent: 50 }, transient: true },
    ]);
    expect(ofType(chunks, "tool-call-progress")).toMatchObject([{ toolCallId: "c1", content: "half" }]);
    expect(ofType(chunks, "tool-call-result")).toMatchObject([{ toolCallId: "c1", content: "all" }]);
    expect(ofType(chunks, "checkpoint").map(({ turnIndex }) => turnIndex)).toEqual([0, 1, 2, 3]);
  });

  test("a breakpoint pauses, and the same call without input continues", async () => {
    const graph = new StateGraph(MessagesAnnotation)
      .addNode("one", () => ({ messages: [new AIMessage("One.")] }))
      .addNode("two", () => ({ messages: [new AIMessage("Two.")] }))
      .addEdge(START, "one")
      .addEdge("one", "two")
      .compile({ checkpointer: new MemorySaver(), interruptBefore: ["two"] });
    const first = await collect(graph.stream(hello, onThread()));
    expect([textOf(first), first.at(-1)]).toEqual(["One.", { type: "done", finishReason: "pause" }]);
    expect(textOf(await collect(graph.stream(null, onThread())))).toBe("Two.");
  });

  test("an error of a node in mid-stream is the text, and then one masked error", async () => {
    const model = new ScriptedModel([
      { content: "Half" },
      async () => {
        throw new Error("db at postgres://secret");
      },
    ]);
    const logged = vi.spyOn(console, "error").mockReturnValue();
    const response = toSSE(fromLangGraph(createAgent(model).stream(hello, onThread())));
    const chunks: StreamChunk[] = [];
    for await (const chunk of readStream(response.body)) chunks.push(chunk);
    expect(textOf(chunks)).toBe("Half");
    expect(chunks.at(-1)).toMatchObject({ type: "error", code: "internal" });
    expect(JSON.stringify(chunks)).not.toContain("secret");
    expect(ofType(chunks, "done")).toEqual([]);
    expect(logged.mock.calls.flat().map(String).join()).toContain("secret");
    logged.mockRestore();
  });

  test("leaving the response stops the graph", async () => {
    let stopped = () => {};
    const isStopped = new Promise<void>((resolve) => {
      stopped = resolve;
    });
    const graph = new StateGraph(MessagesAnnotation)
      .addNode("wait", async (_state, { signal, writer }) => {
        writer?.("begun");
        await new Promise((_resolve, reject) => {
          signal?.addEventListener("abort", () => {
            stopped();
            reject(signal.reason);
          });
        });
        return {};
      })
      .addEdge(START, "wait")
      .compile();
    const controller = new AbortController();
    const { signal } = controller;
    const body = toSSE(fromLangGraph(graph.stream(hello, { ...onThread(), signal }), { signal }), { signal })
      .body!;
    const reader = body.getReader();
    await reader.read();
    controller.abort();
    await isStopped;
    await reader.cancel();
  });

  test("an aborted signal is thrown before the first item", async () => {
    const signal = AbortSignal.abort(new Error("left"));
    const graph = createAgent(new ScriptedModel([{ content: "a" }]));
    await expect(collect(graph.stream(hello, { ...onThread(), signal }), { signal })).rejects.toThrow();
  });

  test("a whole conversation is accepted by a graph without a checkpointer", async () => {
    const model = new ScriptedModel([{ content: "Yes." }]);
    const graph = new StateGraph(MessagesAnnotation)
      .addNode("agent", async ({ messages }) => ({ messages: [await model.invoke(messages)] }))
      .addEdge(START, "agent")
      .compile();
    const reasoning = { langchain: { type: "thinking", signature: "sig" } };
    const messages = toLangChainMessages([
      { role: "system", content: "Be brief." },
      {
        role: "user",
        content: "Look",
        parts: [
          { type: "text", text: "Look" },
          { type: "file", mediaType: "image/png", url: "data:image/png;base64,AA" },
        ],
      },
      {
        role: "assistant",
        content: "",
        parts: [
          { type: "reasoning", text: "Hm", providerMetadata: reasoning },
          {
            type: "tool-call",
            toolCallId: "c1",
            tool: "search",
            state: "done",
            input: { q: 1 },
            content: "x",
          },
        ],
      },
    ]);
    expect(textOf(await collect(graph.stream({ messages }, { streamMode })))).toBe("Yes.");
    const [system, human, ai, result] = model.asked[0]!;
    expect([system!.type, human!.type, ai!.type, result!.type]).toEqual(["system", "human", "ai", "tool"]);
    expect(ai).toMatchObject({
      content: [{ type: "thinking", thinking: "Hm", signature: "sig" }],
      tool_calls: [{ id: "c1", name: "search", args: { q: 1 } }],
    });
    expect(result).toMatchObject({ tool_call_id: "c1", content: "x", status: "success" });
  });
});
