/**
 * What each mode of a graph's stream holds, as chunks. What messages, calls and questions become is in the files next to this
 * one.
 */
import type { DataChunk, FinishReason, InterruptAnswer, StreamChunk } from "@kortyx/protocol";
import type { LangGraphOptions, LangGraphRun } from "./langgraph.ts";
import { GraphAnswer } from "./langgraph-answer.ts";
import { GraphCalls } from "./langgraph-calls.ts";
import { toNode } from "./langgraph-events.ts";
import { toInterrupts, toResolved } from "./langgraph-interrupts.ts";
import { messagesOf, type ReadMessage, readMessage } from "./langgraph-message.ts";
import { isRecord, listOf, recordOf, textOf } from "./loose-values.ts";
import type { ModelTurn } from "./model-stream.ts";

type Chunks = Generator<StreamChunk, void, void>;

export class GraphReader {
  readonly #options: LangGraphOptions;
  readonly #resumes: readonly InterruptAnswer[];
  readonly #calls: GraphCalls;
  readonly #answer: GraphAnswer;
  /** What `messages/metadata` has of each message. */
  readonly #metadata = new Map<string, Record<string, unknown>>();
  /** The interrupts that were asked, by LangGraph's id. */
  readonly #asked = new Set<string>();
  /** The elements of LangGraph's generative UI. */
  readonly #elements = new Map<string, DataChunk>();
  /** The graph waits, but for no answer: it was compiled with a breakpoint. */
  #isPaused = false;
  run: LangGraphRun | undefined;
  /** The server has sent its `end`. */
  hasEnd = false;
  #wasInterrupted = false;

  constructor(options: LangGraphOptions) {
    this.#options = options;
    this.#resumes = options.resumes ?? [];
    this.#calls = new GraphCalls(options.clientTools);
    this.#answer = new GraphAnswer(this.#calls, (block) => options.onUnknown?.(block));
  }

  *begin(): Chunks {
    yield* toResolved(this.#resumes, (toolCallId) => this.#calls.deny(toolCallId));
  }

  *readMessage(value: unknown, metadata: Record<string, unknown>, namespace: readonly string[]): Chunks {
    const message = readMessage(value);
    if (message === undefined) return;
    const node = toNode(namespace, metadata.langgraph_node);
    if (listOf(metadata.tags).some((tag) => hiddenTags.has(tag))) this.#answer.know(message.id);
    else if (message.role === "tool") yield* this.#calls.addResult(message, node);
    else if (message.role === "ai" && message.isPiece) {
      yield* this.#answer.add(message, { namespace, node, metadata }, false);
    } else if (message.role === "ai") yield* this.#answer.addWhole(message, { namespace, node, metadata });
  }

  keepMetadata(data: unknown): StreamChunk[] {
    for (const [id, entry] of Object.entries(recordOf(data))) {
      this.#metadata.set(id, recordOf(recordOf(entry).metadata));
    }
    return [];
  }

  /** The SDK's mode `messages`: each message from its beginning. */
  *readPartial(data: unknown, namespace: readonly string[]): Chunks {
    for (const message of listOf(data).map(readMessage)) {
      if (message?.role !== "ai") continue;
      const metadata = this.#metadata.get(message.id ?? "") ?? {};
      const origin = { namespace, node: toNode(namespace, metadata.langgraph_node), metadata };
      yield* this.#answer.add({ ...message, isPiece: false }, origin, true);
    }
  }

  *readComplete(data: unknown, namespace: readonly string[]): Chunks {
    for (const value of listOf(data)) {
      const message = readMessage(value);
      if (message === undefined) continue;
      const metadata = this.#metadata.get(message.id ?? "") ?? {};
      if (message.role === "ai" && message.isPiece) message.isPiece = false;
      const node = toNode(namespace, metadata.langgraph_node);
      if (message.role === "ai") yield* this.#answer.addWhole(message, { namespace, node, metadata });
      else if (message.role === "tool") yield* this.#calls.addResult(message, node);
    }
  }

  *readUpdates(updates: Record<string, unknown>, namespace: readonly string[]): Chunks {
    const { __metadata__, __interrupt__, ...nodes } = updates;
    const isCached = recordOf(__metadata__).cached === true;
    for (const [name, update] of Object.entries(nodes)) {
      const node = toNode(namespace, name);
      for (const { message, isAnswer } of messagesOf(update)) {
        // When a run is resumed, nodes that were done repeat what they had written.
        if (isCached && this.#resumes.length > 0) continue;
        const isNew = isCached || message.id === undefined || this.#options.textsFrom === "updates";
        yield* this.#readUpdated(message, isAnswer && isNew, { namespace, node, metadata: {} });
      }
    }
    yield* this.#ask(__interrupt__, namespace);
  }

  *#readUpdated(
    message: ReadMessage,
    isNew: boolean,
    origin: Parameters<GraphAnswer["addWhole"]>[1],
  ): Chunks {
    const { id, role } = message;
    if (role === "ai") {
      if (this.#answer.has(id)) yield* this.#answer.settle(message);
      else if (isNew) yield* this.#answer.addWhole(message, origin);
    } else if (role === "tool") {
      const isKnown = this.#calls.has(String(message.fields.tool_call_id));
      if (isKnown || (isNew && !this.#answer.isKnown(id))) yield* this.#calls.addResult(message, origin.node);
    }
  }

  *readValues({ __interrupt__, ...values }: Record<string, unknown>, namespace: readonly string[]): Chunks {
    for (const { message } of messagesOf(values)) this.#answer.know(message.id);
    yield* this.#ask(__interrupt__, namespace);
  }

  *readTask(task: Record<string, unknown>, namespace: readonly string[]): Chunks {
    // At its beginning, a task has the interrupts that are being answered.
    if ("result" in task) yield* this.#ask(listOf(task.interrupts), namespace, false);
  }

  *#ask(interrupts: unknown, namespace: readonly string[], mayPause = true): Chunks {
    if (!Array.isArray(interrupts)) return;
    if (interrupts.length === 0 && mayPause) this.#isPaused = true;
    for (const interrupt of interrupts) {
      const { id, interrupt_id } = recordOf(interrupt);
      const key = String(id ?? interrupt_id ?? "interrupt");
      if (this.#asked.has(key)) continue;
      this.#asked.add(key);
      yield* toInterrupts(interrupt, this.#calls.open, toNode(namespace));
    }
  }

  *readCustom(data: unknown, namespace: readonly string[]): Chunks {
    const node = toNode(namespace);
    if (this.#options.custom) {
      const chunks = this.#options.custom(data, node);
      yield* (chunks === undefined ? [] : [chunks].flat()) as StreamChunk[];
      return;
    }
    const { type, id, name, props, metadata } = recordOf(data);
    const element = this.#elements.get(String(id));
    if (type === "ui" && typeof id === "string" && typeof name === "string") {
      const isMerged = recordOf(metadata).merge === true && isRecord(element?.data);
      const merged = isMerged ? { ...recordOf(element.data), ...recordOf(props) } : (props ?? null);
      const added: DataChunk = { type: "data", name, id, data: merged, ...node };
      this.#elements.set(id, added);
      yield added;
    } else if (type === "remove-ui" && element) {
      this.#elements.delete(String(id));
      yield { ...element, data: null };
    } else {
      yield { type: "data", name: "custom", data: data ?? null, transient: true, ...node };
    }
  }

  *readTool(tool: Record<string, unknown>, namespace: readonly string[]): Chunks {
    const toolCallId = textOf(tool.toolCallId);
    const name = textOf(tool.name);
    // A tool that a node runs by itself, without a call of a model.
    if (toolCallId === undefined || name === undefined) return;
    const node = toNode(namespace);
    if (tool.event === "on_tool_start") yield* this.#calls.start(toolCallId, name, tool.input, node);
    else if (tool.event === "on_tool_event") {
      yield* this.#calls.progress(toolCallId, name, tool.data ?? null, node);
    } else if (tool.event === "on_tool_end") {
      const message = readMessage(tool.output);
      if (message?.role === "tool") yield* this.#calls.addResult(message, node);
    }
    // After `on_tool_error`, the tool is run again, its message has the failure, or the graph fails.
  }

  *readCheckpoint(
    { config, metadata, values }: Record<string, unknown>,
    namespace: readonly string[],
  ): Chunks {
    for (const { message } of messagesOf(values)) this.#answer.know(message.id);
    const { checkpoint_id, thread_id } = recordOf(recordOf(config).configurable);
    const { step } = recordOf(metadata);
    if (namespace.length > 0 || typeof checkpoint_id !== "string" || typeof thread_id !== "string") return;
    // LangGraph begins with -1.
    const turnIndex = typeof step === "number" ? Math.max(0, Math.trunc(step) + 1) : 0;
    yield { type: "checkpoint", id: checkpoint_id, sessionId: thread_id, turnIndex };
  }

  *readRun(data: Record<string, unknown>): Chunks {
    const runId = textOf(data.run_id);
    const threadId = textOf(data.thread_id);
    if (runId === undefined) return;
    this.run = { runId, threadId: threadId ?? "" };
    yield {
      type: "metadata",
      metadata: { langgraph: { run_id: runId, ...(threadId && { thread_id: threadId }) } },
    };
  }

  readEnd({ status }: Record<string, unknown>): StreamChunk[] {
    this.hasEnd = true;
    if (status === "error" || status === "timeout") fail({ message: `The run ended with "${status}".` });
    this.#wasInterrupted = status === "interrupted" || status === "rollback";
    return [];
  }

  /** The run was stopped on the server. */
  get isStopped(): boolean {
    return this.#wasInterrupted && this.#asked.size === 0 && !this.#isPaused;
  }

  *end(): Generator<StreamChunk, ModelTurn, void> {
    yield* this.#answer.end();
    const { usage, usageByModel, last } = this.#answer;
    const toolCalls = this.#asked.size > 0 ? [] : this.#calls.waiting;
    return {
      finishReason: this.#finishReason(toolCalls.length > 0),
      usage,
      usageByModel,
      model: last.model,
      toolCalls,
    };
  }

  #finishReason(hasCalls: boolean): FinishReason {
    if (this.#asked.size > 0) return "interrupt";
    if (this.#isPaused) return "pause";
    if (this.isStopped) return "other";
    if (hasCalls) return "tool-calls";
    const { finishReason } = this.#answer.last;
    return finishReason === "length" || finishReason === "content-filter" ? finishReason : "stop";
  }
}

/** LangGraph leaves out most of them itself. */
const hiddenTags: ReadonlySet<unknown> = new Set(["nostream", "langsmith:nostream", "langsmith:hidden"]);

/** The server reports the error of the graph, or of the run. */
export function fail(cause: unknown): never {
  const { error, message } = recordOf(cause);
  const failure = new Error(textOf(message) ?? textOf(error) ?? "The graph failed.", { cause });
  failure.name = textOf(error) ?? failure.name;
  throw failure;
}
