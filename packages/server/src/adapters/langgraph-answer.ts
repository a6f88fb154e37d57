/**
 * The messages of a graph's run, each once, with the steps that they make and what they cost. Knows no modes of streams.
 */
import type { FinishReason, ModelUsage, StreamChunk, TokenUsage } from "@kortyx/protocol";
import { type GraphCalls, hasOnlyWholeCalls } from "./langgraph-calls.ts";
import { type ReadMessage, readBlocks } from "./langgraph-message.ts";
import { MessageTexts } from "./langgraph-texts.ts";
import { readFinishReason, readUsage, sumByModel } from "./langgraph-usage.ts";
import { recordOf, textOf } from "./loose-values.ts";
import { addUsage } from "./model-stream.ts";

type Node = { node?: string };

/** Where a message comes from. */
export interface MessageOrigin {
  namespace: readonly string[];
  node: Node;
  /** LangGraph's own facts about it, if the mode has them. */
  metadata: Record<string, unknown>;
}

interface GraphMessage {
  key: string;
  node: Node;
  texts: MessageTexts;
  /** It came in pieces: the whole message repeats them. */
  hasPieces: boolean;
  isOver: boolean;
  usage: TokenUsage | undefined;
  model: string | undefined;
  provider: string | undefined;
  finishReason: FinishReason | undefined;
}

/** A step of one graph or subgraph: its nodes run in parallel. */
interface GraphStep {
  stepId: string;
  node: Node;
  /** LangGraph's number of it. */
  number: unknown;
  messages: GraphMessage[];
}

export class GraphAnswer {
  readonly #calls: GraphCalls;
  readonly #onUnknown: (block: unknown) => void;
  readonly #messages = new Map<string, GraphMessage>();
  /** The messages that the thread had before. */
  readonly #known = new Set<string>();
  /** By namespace. */
  readonly #steps = new Map<string, GraphStep>();
  #last: GraphMessage | undefined;

  constructor(calls: GraphCalls, onUnknown: (block: unknown) => void) {
    this.#calls = calls;
    this.#onUnknown = onUnknown;
  }

  /** A message of the thread that is not to be shown, unless it has been already. */
  know(id: string | undefined): void {
    if (id !== undefined && !this.#messages.has(id)) this.#known.add(id);
  }

  has(id: string | undefined): boolean {
    return id !== undefined && this.#messages.has(id);
  }

  isKnown(id: string | undefined): boolean {
    return id !== undefined && this.#known.has(id);
  }

  /** A piece of a message, or, if it `isWhole`, all of it so far. */
  *add(message: ReadMessage, origin: MessageOrigin, isWhole: boolean): Generator<StreamChunk, void, void> {
    const key = message.id ?? this.#nameOf(message, origin);
    if (this.#known.has(key)) return;
    const entry = this.#messages.get(key) ?? (yield* this.#begin(key, origin));
    if (!isWhole) entry.hasPieces = true;
    else if (entry.hasPieces) return;
    // A piece may come after the step that it belongs to.
    entry.isOver = false;
    this.#last = entry;
    this.#describe(entry, message, origin, isWhole);
    const { node } = entry;
    for (const block of readBlocks(message)) {
      const { kind } = block.block;
      if (kind === "provider-call" || kind === "provider-result") yield* entry.texts.end(node);
      if (block.block.kind === "provider-call") {
        const { toolCallId, tool, input } = block.block;
        yield* this.#calls.addProviderCall(toolCallId, tool, input, node);
      } else if (block.block.kind === "provider-result") {
        const { toolCallId, content, isError } = block.block;
        yield* this.#calls.addProviderResult(toolCallId, content, isError, node);
      } else if (kind === "unknown") this.#onUnknown(block.raw);
      else yield* entry.texts.add(block, isWhole, node);
    }
    const calls = [...this.#calls.addPieces(key, message.fields.tool_call_chunks, isWhole, node)];
    if (calls.length > 0) yield* entry.texts.end(node);
    yield* calls;
    if (!isWhole && hasOnlyWholeCalls(message)) yield* this.#calls.addWhole(message, key, node);
  }

  /** A message that was shown, or is shown now, is over: everything of it is whole. */
  *settle(message: ReadMessage): Generator<StreamChunk, void, void> {
    const entry = this.#messages.get(message.id ?? "");
    if (!entry) return;
    this.#describe(entry, message, undefined, true);
    yield* entry.texts.end(entry.node);
    yield* this.#calls.addWhole(message, entry.key, entry.node);
    yield* this.#end(entry);
  }

  /** A whole message at once. */
  *addWhole(message: ReadMessage, origin: MessageOrigin): Generator<StreamChunk, void, void> {
    const id = message.id ?? `message-${crypto.randomUUID()}`;
    const named = { ...message, id, isPiece: false };
    yield* this.add(named, origin, true);
    yield* this.settle(named);
  }

  /** Ends everything that is open. */
  *end(): Generator<StreamChunk, void, void> {
    for (const namespace of [...this.#steps.keys()].reverse()) yield* this.#endStep(namespace);
    for (const message of this.#messages.values()) yield* this.#end(message);
    yield* this.#calls.finishAll();
  }

  get usage(): TokenUsage | undefined {
    return [...this.#messages.values()].reduce<TokenUsage | undefined>(
      (sum, { usage }) => addUsage(sum, usage),
      undefined,
    );
  }

  get usageByModel(): ModelUsage[] | undefined {
    const all = [...this.#messages.values()].filter(({ usage }) => usage);
    return sumByModel(all.map(({ provider, model, usage }) => ({ provider, model, ...usage })));
  }

  /** The message that was written last. */
  get last(): { model: string | undefined; finishReason: FinishReason | undefined } {
    return { model: this.#last?.model, finishReason: this.#last?.finishReason };
  }

  /** LangGraph gives every message an id, and other servers should. */
  #nameOf({ isPiece }: ReadMessage, { namespace, node, metadata }: MessageOrigin): string {
    return isPiece
      ? [...namespace, node.node, metadata.langgraph_step].join(":")
      : `message-${crypto.randomUUID()}`;
  }

  *#begin(key: string, origin: MessageOrigin): Generator<StreamChunk, GraphMessage, void> {
    const { node, metadata } = origin;
    const message: GraphMessage = {
      key,
      node,
      texts: new MessageTexts(key),
      hasPieces: false,
      isOver: false,
      usage: undefined,
      model: undefined,
      provider: undefined,
      finishReason: undefined,
    };
    const namespace = origin.namespace.join("|");
    const { langgraph_step: number } = metadata;
    let step = this.#steps.get(namespace);
    // Without a number, the message may be of a node that runs in parallel.
    const isNext =
      number === undefined ? !step?.messages.some(({ isOver }) => !isOver) : step?.number !== number;
    if (isNext) {
      yield* this.#endSteps(namespace);
      step = { stepId: key, node, number, messages: [] };
      this.#steps.set(namespace, step);
      yield { type: "step-start", stepId: key, ...(node.node && { name: node.node }), ...node };
    }
    step!.messages.push(message);
    this.#messages.set(key, message);
    return message;
  }

  /** Ends the step of a graph, and those of its subgraphs. */
  *#endSteps(namespace: string): Generator<StreamChunk, void, void> {
    for (const other of [...this.#steps.keys()].reverse()) {
      const isWithin = other === namespace || namespace === "" || other.startsWith(`${namespace}|`);
      if (isWithin) yield* this.#endStep(other);
    }
  }

  *#endStep(namespace: string): Generator<StreamChunk, void, void> {
    const { stepId, node, messages } = this.#steps.get(namespace)!;
    this.#steps.delete(namespace);
    for (const message of messages) yield* this.#end(message);
    const usage = messages.reduce<TokenUsage | undefined>((sum, one) => addUsage(sum, one.usage), undefined);
    const { finishReason, model } = messages.at(-1)!;
    yield {
      type: "step-end",
      stepId,
      ...(finishReason && { finishReason }),
      ...(usage && { usage }),
      ...(model && { model }),
      ...node,
    };
  }

  *#end(message: GraphMessage): Generator<StreamChunk, void, void> {
    if (message.isOver) return;
    message.isOver = true;
    yield* message.texts.end(message.node);
    yield* this.#calls.finishAll(`${message.key}:`);
  }

  #describe(
    entry: GraphMessage,
    { fields }: ReadMessage,
    origin: MessageOrigin | undefined,
    isWhole: boolean,
  ): void {
    const usage = readUsage(fields.usage_metadata);
    // Of pieces, each counts what it adds.
    if (!isWhole) entry.usage = addUsage(entry.usage, usage);
    else if (!entry.hasPieces || entry.usage === undefined) entry.usage = usage ?? entry.usage;
    const response = recordOf(fields.response_metadata);
    const { ls_provider, ls_model_name } = origin?.metadata ?? {};
    entry.model =
      textOf(response.model_name) ?? textOf(response.model) ?? entry.model ?? textOf(ls_model_name);
    entry.provider = textOf(response.model_provider) ?? entry.provider ?? textOf(ls_provider);
    entry.finishReason = readFinishReason(response) ?? entry.finishReason;
  }
}
