/**
 * The tool calls of a graph: pieces of their input, the whole input, and their results, each once. Knows no texts.
 */
import type { StreamChunk } from "@kortyx/protocol";
import type { ReadMessage } from "./langgraph-message.ts";
import { isRecord, listOf, recordOf, textOf } from "./loose-values.ts";
import { invalidToolInput, type ModelToolCall, parseToolInput } from "./model-stream.ts";

export interface GraphCall {
  toolCallId: string;
  tool: string;
  /** The input's text so far. */
  text: string;
  /** Present once the input is whole. */
  input?: unknown;
  state: "streaming" | "ready" | "over";
  node: { node?: string };
}

export class GraphCalls {
  readonly #clientTools: ReadonlySet<string>;
  /** By id. */
  readonly #calls = new Map<string, GraphCall>();
  /** By message and place. */
  readonly #placed = new Map<string, GraphCall>();
  /** The calls of which the newest result is known, those of earlier answers included. */
  readonly #settled = new Set<string>();
  /** The calls that the user has refused. */
  readonly #denied = new Set<string>();

  constructor(clientTools: readonly string[] = []) {
    this.#clientTools = new Set(clientTools);
  }

  /** Calls with their whole input and without a result, oldest first. */
  get open(): GraphCall[] {
    return [...this.#calls.values()].filter(({ state }) => state === "ready");
  }

  /** Those that wait for the page. */
  get waiting(): ModelToolCall[] {
    return this.open
      .filter(({ tool }) => this.#clientTools.has(tool))
      .map(({ toolCallId, tool, input }) => ({ toolCallId, tool, input }));
  }

  deny(toolCallId: string): void {
    this.#denied.add(toolCallId);
  }

  /** @param isWhole - The pieces hold all of the input so far, not only what is new. */
  *addPieces(
    key: string,
    pieces: unknown,
    isWhole: boolean,
    node: { node?: string },
  ): Generator<StreamChunk, void, void> {
    let position = 0;
    for (const piece of listOf(pieces).map(recordOf)) {
      const place = `${key}:${String(piece.index ?? (isWhole ? position : "last"))}`;
      position += 1;
      const id = textOf(piece.id);
      let call = this.#placed.get(place);
      if (call === undefined || (id !== undefined && id !== call.toolCallId)) {
        const tool = textOf(piece.name);
        if (tool === undefined) continue;
        if (call) yield* this.finish(call);
        const toolCallId = id ?? place;
        call = { toolCallId, tool, text: "", state: "streaming", node };
        this.#placed.set(place, call);
        if (this.#calls.has(toolCallId)) continue;
        this.#calls.set(toolCallId, call);
        yield { type: "tool-call-start", tool, toolCallId, ...this.#executor(tool), ...node };
      }
      const args = typeof piece.args === "string" ? piece.args : "";
      const delta = isWhole ? args.slice(call.text.length) : args;
      if (delta === "" || call.state !== "streaming") continue;
      call.text += delta;
      yield { type: "tool-call-delta", toolCallId: call.toolCallId, delta, ...node };
    }
  }

  /** A message that is whole: its calls, and those whose input is no JSON. */
  *addWhole(message: ReadMessage, key: string, node: { node?: string }): Generator<StreamChunk, void, void> {
    const { tool_calls, invalid_tool_calls } = message.fields;
    let position = 0;
    for (const { id, name, args } of listOf(tool_calls).map(recordOf)) {
      const tool = textOf(name);
      const toolCallId = textOf(id) ?? `${key}:${position}`;
      position += 1;
      if (tool !== undefined) yield* this.#ready(toolCallId, tool, args ?? {}, node);
    }
    for (const { id, name, args } of listOf(invalid_tool_calls).map(recordOf)) {
      const toolCallId = textOf(id);
      const call = toolCallId === undefined ? undefined : this.#calls.get(toolCallId);
      const tool = textOf(name) ?? call?.tool;
      if (toolCallId === undefined || tool === undefined || (call && call.state !== "streaming")) continue;
      if (call) call.state = "over";
      else this.#calls.set(toolCallId, { toolCallId, tool, text: "", state: "over", node });
      yield { ...invalidToolInput(tool, toolCallId, String(args ?? "")), ...node } as StreamChunk;
    }
  }

  /** A tool begins to run. */
  *start(toolCallId: string, tool: string, input: unknown, node: { node?: string }) {
    const parsed = typeof input === "string" ? parseToolInput(input) : { input };
    yield* this.#ready(toolCallId, tool, parsed ? parsed.input : input, node);
  }

  /** The pieces of a call have all come. */
  *finish(call: GraphCall): Generator<StreamChunk, void, void> {
    if (call.state !== "streaming") return;
    const { toolCallId, tool, text, node } = call;
    const parsed = parseToolInput(text);
    if (parsed) {
      yield* this.#ready(toolCallId, tool, parsed.input, node);
      return;
    }
    call.state = "over";
    yield { ...invalidToolInput(tool, toolCallId, text), ...node } as StreamChunk;
  }

  /** Finishes the calls of a message, or all. */
  *finishAll(key = ""): Generator<StreamChunk, void, void> {
    for (const [place, call] of this.#placed) {
      if (!place.startsWith(key)) continue;
      yield* this.finish(call);
      this.#placed.delete(place);
    }
  }

  *progress(toolCallId: string, tool: string, content: unknown, node: { node?: string }) {
    if (this.#settled.has(toolCallId)) return;
    const progress: StreamChunk = { type: "tool-call-progress", tool, toolCallId, content, ...node };
    yield progress;
  }

  has(toolCallId: string): boolean {
    return this.#calls.has(toolCallId);
  }

  /** A message with the result of a tool. */
  *addResult({ fields }: ReadMessage, node: { node?: string }): Generator<StreamChunk, void, void> {
    const toolCallId = textOf(fields.tool_call_id);
    if (toolCallId === undefined || this.#settled.has(toolCallId)) return;
    this.#settled.add(toolCallId);
    const call = this.#calls.get(toolCallId);
    if (call) yield* this.finish(call);
    const tool = textOf(fields.name) ?? call?.tool ?? "tool";
    // The input was no JSON, and the call has failed already.
    if (call?.state === "over") return;
    if (call) call.state = "over";
    const { content = null, artifact } = fields;
    if (this.#denied.has(toolCallId)) {
      const reason = textOf(content);
      yield { type: "tool-call-denied", tool, toolCallId, ...(reason && { reason }), ...node };
      return;
    }
    yield {
      type: "tool-call-result",
      tool,
      toolCallId,
      content,
      ...(artifact !== undefined && artifact !== null && { structuredContent: artifact }),
      ...(fields.status === "error" && { isError: true }),
      ...node,
    };
  }

  /** A tool that the model's provider has run. */
  *addProviderCall(toolCallId: string, tool: string, input: unknown, node: { node?: string }) {
    if (this.#calls.has(toolCallId)) return;
    this.#calls.set(toolCallId, { toolCallId, tool, text: "", state: "over", node });
    const ready: StreamChunk = {
      type: "tool-call-ready",
      tool,
      toolCallId,
      input,
      executor: "provider",
      ...node,
    };
    yield ready;
  }

  *addProviderResult(toolCallId: string, content: unknown, isError: boolean, node: { node?: string }) {
    const tool = this.#calls.get(toolCallId)?.tool;
    if (tool === undefined || this.#settled.has(toolCallId)) return;
    this.#settled.add(toolCallId);
    const result: StreamChunk = {
      type: "tool-call-result",
      tool,
      toolCallId,
      content,
      ...(isError && { isError }),
      ...node,
    };
    yield result;
  }

  *#ready(
    toolCallId: string,
    tool: string,
    input: unknown,
    node: { node?: string },
  ): Generator<StreamChunk, void, void> {
    const call = this.#calls.get(toolCallId);
    if (call && call.state !== "streaming") return;
    if (call) Object.assign(call, { state: "ready", input });
    else this.#calls.set(toolCallId, { toolCallId, tool, text: "", input, state: "ready", node });
    yield { type: "tool-call-ready", tool, toolCallId, input, ...this.#executor(tool), ...node };
  }

  #executor(tool: string): { executor?: "client" } {
    return this.#clientTools.has(tool) ? { executor: "client" } : {};
  }
}

/** Whether a piece of a message has the whole calls only: some models stream no pieces of them. */
export const hasOnlyWholeCalls = ({ fields }: ReadMessage): boolean =>
  listOf(fields.tool_call_chunks).length === 0 &&
  listOf(fields.tool_calls).some((call) => isRecord(call) && Object.keys(recordOf(call.args)).length > 0);
