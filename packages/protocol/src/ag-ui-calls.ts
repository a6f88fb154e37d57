/** The tool calls of a stream, as those of AG-UI. Which call a chunk belongs to is decided by `tool-call-order.ts`. */
import type { AGUIToolCallResultEvent } from "./ag-ui-events.ts";
import { splitProviderMetadata, toEventMetadata } from "./ag-ui-metadata.ts";
import { type AGUIRun, parseInput } from "./ag-ui-run.ts";
import { type AGUITexts, tagOf } from "./ag-ui-texts.ts";
import { isRecord } from "./chunk-shape.ts";
import type {
  InterruptChunk,
  InterruptResolvedChunk,
  PartMetadataChunk,
  StreamChunkOf,
  ToolResultChunk,
} from "./chunks.ts";
import { isSameJSON } from "./same-json.ts";
import { createToolCallOrder, isDenial, type OrderedCall, type ToolCallChunk } from "./tool-call-order.ts";

interface Call {
  /** As the client knows it. */
  id: string;
  tool: string | undefined;
  subagentRunId: string | undefined;
  /** The text of the call's input so far. */
  args: string;
  state: "new" | "started" | "ended";
  /** What AG-UI has no field for. */
  own: Record<string, unknown>;
  /** Of it, what the client has, as JSON: clients replace it as a whole. */
  sentOwn: string;
  metadata: Record<string, unknown> | undefined;
  parentSegmentId: string | undefined;
  /** The client runs it. */
  isClients: boolean;
  /** A question about it is open, or was answered: it runs later. */
  isAsked: boolean;
  /** It was refused, which its result may still have to show. */
  denial: { reason: string | undefined } | undefined;
  resultId: string | undefined;
  progressId: string | undefined;
  /** An earlier run has made it. */
  isEarlier: boolean;
}

/** Writes the calls of one run. */
export class AGUICalls {
  readonly #run: AGUIRun;
  readonly #texts: AGUITexts;
  readonly #order = createToolCallOrder();
  readonly #calls = new Map<OrderedCall, Call>();

  constructor(run: AGUIRun, texts: AGUITexts) {
    this.#run = run;
    this.#texts = texts;
    for (const { toolCallId, tool, input, isAnswered } of run.knownCalls) {
      const state = isAnswered ? ("done" as const) : ("running" as const);
      this.#order.resume({ type: "tool-call", toolCallId, tool, input, state, inputText: "" }, 0);
      const call = this.#order.newestOf(toolCallId)!;
      const resultId = isAnswered ? toolCallId : undefined;
      const earlier = { tool, state: "ended", isEarlier: true, resultId } as const;
      this.#calls.set(call, { ...toCall(toolCallId, undefined), ...earlier });
    }
  }

  apply(chunk: ToolCallChunk, subagentRunId: string | undefined): void {
    const call = this.#find(this.#order.callOf(chunk), chunk.toolCallId, subagentRunId);
    call.tool ??= chunk.tool;
    switch (chunk.type) {
      case "tool-call-start":
      case "tool-call-ready":
        this.#describe(call, chunk);
        break;
      case "tool-call-delta":
        if (call.state !== "ended") this.#append(call, chunk.delta);
        break;
      case "tool-call-progress":
        this.#writeProgress(call, chunk);
        break;
      case "tool-call-result":
        this.#writeResult(call, chunk.content, {
          isError: chunk.isError,
          structuredContent: chunk.structuredContent,
          providerMetadata: chunk.providerMetadata,
        });
        break;
      case "tool-call-error":
        if (call.args === "" && typeof chunk.input === "string") this.#append(call, chunk.input);
        this.#writeResult(call, chunk.message, {
          isError: true,
          code: chunk.code,
          providerMetadata: chunk.providerMetadata,
        });
        break;
      case "tool-call-denied":
        this.#deny(call, chunk.reason);
    }
  }

  /** A result without an id. */
  applyLegacy(chunk: ToolResultChunk, subagentRunId: string | undefined): void {
    const call = this.#find(this.#order.callOfLegacyResult(chunk) ?? {}, "", subagentRunId);
    call.tool ??= chunk.tool;
    this.#writeResult(call, chunk.content, {});
  }

  applyMetadata({ toolCallId, isResult, providerMetadata }: PartMetadataChunk): void {
    const ordered = this.#order.newestOf(toolCallId);
    const call = ordered && this.#calls.get(ordered);
    if (call === undefined) return;
    const { encrypted } = splitProviderMetadata(providerMetadata);
    if (!isResult) this.#run.encrypt("tool-call", call.id, encrypted);
    else if (call.resultId !== undefined) this.#run.encrypt("message", call.resultId, encrypted);
  }

  /** @returns the id of the call that the question is about, as the client knows it. */
  ask(chunk: InterruptChunk): string | undefined {
    const ordered = this.#order.ask(chunk);
    const call = ordered && this.#calls.get(ordered);
    if (call) call.isAsked = true;
    return call?.id ?? chunk.toolCallId;
  }

  resolve(chunk: InterruptResolvedChunk): void {
    const ordered = this.#order.resolve(chunk);
    const call = ordered && this.#calls.get(ordered);
    if (call && isDenial(chunk)) call.denial = { reason: chunk.reason };
  }

  /** The ids of the calls that wait for the client. Each other call without a result gets one. */
  endWaiting(pending: readonly string[], isWaiting: boolean): string[] {
    const named = new Set(pending.map((toolCallId) => this.#order.newestOf(toolCallId)));
    const waiting: string[] = [];
    for (const [ordered, call] of this.#calls) {
      if (call.resultId !== undefined || call.isEarlier) continue;
      if (isWaiting && (call.isClients || named.has(ordered))) waiting.push(call.id);
      else if (call.denial) this.#deny(call, call.denial.reason);
      else if (!(isWaiting && call.isAsked)) {
        this.#writeResult(call, "The call was interrupted before it had a result.", {
          isError: true,
          isInterrupted: true,
        });
      }
    }
    return waiting;
  }

  /** Closes the inputs that are open. */
  end(): void {
    for (const call of this.#calls.values()) this.#end(call);
  }

  #find(ordered: OrderedCall, toolCallId: string, subagentRunId: string | undefined): Call {
    const known = this.#calls.get(ordered);
    if (known) return known;
    this.#texts.endUnkeyed();
    const call = toCall(this.#run.addCall(toolCallId), subagentRunId);
    this.#calls.set(ordered, call);
    return call;
  }

  #describe(call: Call, chunk: StreamChunkOf<"tool-call-start" | "tool-call-ready">): void {
    const { executor, title, inputFormat, isDynamic, parentSegmentId, input } = chunk;
    const { metadata, encrypted } = splitProviderMetadata(chunk.providerMetadata);
    const isReady = chunk.type === "tool-call-ready";
    if (executor !== undefined) call.isClients = executor === "client";
    if (metadata) call.metadata = { ...call.metadata, ...metadata };
    call.parentSegmentId ??= parentSegmentId;
    const own = {
      executor,
      title,
      inputFormat,
      isDynamic,
      resumeToken: isReady ? chunk.resumeToken : undefined,
    };
    for (const [name, value] of Object.entries(own)) if (value !== undefined) call.own[name] = value;
    const text = typeof input === "string" && call.own.inputFormat === "text" ? input : JSON.stringify(input);
    if (call.state !== "ended" && input !== undefined && call.args === "") this.#append(call, text);
    if (
      call.state !== "ended" &&
      isReady &&
      text !== call.args &&
      !isSameJSON(parseInput(call.args), input)
    ) {
      call.own.input = input;
    }
    if (isReady) this.#end(call);
    else this.#start(call);
    this.#run.encrypt("tool-call", call.id, encrypted);
  }

  #start(call: Call): void {
    // The name of the tool cannot be sent later.
    if (call.state !== "new") return;
    call.state = "started";
    const parentMessageId = this.#texts.parentOf(call.parentSegmentId, call.id, call.subagentRunId);
    call.own = { messageId: this.#run.messageId, ...call.own };
    this.#run.write({
      type: "TOOL_CALL_START",
      toolCallId: call.id,
      toolCallName: call.tool ?? "",
      parentMessageId,
      ...toEventMetadata(call.metadata, call.own),
      ...tagOf(call),
    });
    call.metadata = undefined;
    call.sentOwn = JSON.stringify(call.own);
    if (call.args !== "") this.#writeArgs(call, call.args);
  }

  #append(call: Call, text: string): void {
    if (text === "") return;
    call.args += text;
    if (call.state === "new" && call.tool !== undefined) this.#start(call);
    else if (call.state === "started") this.#writeArgs(call, text);
  }

  #writeArgs(call: Call, delta: string): void {
    this.#run.write({ type: "TOOL_CALL_ARGS", toolCallId: call.id, delta, ...tagOf(call) });
  }

  #end(call: Call): void {
    if (call.state === "ended") return;
    this.#start(call);
    call.state = "ended";
    const isNew = call.sentOwn !== JSON.stringify(call.own);
    this.#run.write({
      type: "TOOL_CALL_END",
      toolCallId: call.id,
      ...toEventMetadata(call.metadata, isNew ? call.own : {}),
      ...tagOf(call),
    });
  }

  #writeProgress(call: Call, { tool, content }: StreamChunkOf<"tool-call-progress">): void {
    this.#start(call);
    const { id: toolCallId, subagentRunId } = call;
    call.progressId ??= this.#run.addMessage(`${call.id}:progress`, { isAssistant: false, subagentRunId });
    this.#run.write({
      type: "ACTIVITY_SNAPSHOT",
      messageId: call.progressId,
      activityType: "tool-call-progress",
      content: { tool, toolCallId, content },
      ...tagOf(call),
    });
  }

  #deny(call: Call, reason: string | undefined): void {
    const content = reason ? `The call was denied: ${reason}` : "The call was denied.";
    this.#writeResult(call, content, { isError: true, isDenied: true, reason });
  }

  #writeResult(
    call: Call,
    value: unknown,
    {
      providerMetadata,
      ...own
    }: Record<string, unknown> & { providerMetadata?: Record<string, unknown> | undefined },
  ): void {
    this.#end(call);
    // A client cannot replace a result.
    if (call.resultId !== undefined) return;
    const { metadata, message, encrypted } = splitProviderMetadata(providerMetadata);
    const wanted = typeof message.messageId === "string" ? message.messageId : `${call.id}:result`;
    const { subagentRunId } = call;
    call.resultId = this.#run.addMessage(wanted, { isAssistant: false, subagentRunId });
    const content = toContent(value);
    const isJSON = typeof value !== "string" && typeof content === "string" ? true : undefined;
    // So that TanStack's client shows a failure.
    const tanstack = own.isError ? { tanstack: { state: "output-error" } } : undefined;
    this.#run.write({
      type: "TOOL_CALL_RESULT",
      messageId: call.resultId,
      toolCallId: call.id,
      role: "tool",
      content,
      ...toEventMetadata(tanstack || metadata ? { ...tanstack, ...metadata } : undefined, { isJSON, ...own }),
      ...tagOf(call),
    });
    this.#run.encrypt("message", call.resultId, encrypted);
    this.#texts.endTurn();
  }
}

const toCall = (id: string, subagentRunId: string | undefined): Call => ({
  id,
  tool: undefined,
  subagentRunId,
  args: "",
  state: "new",
  own: {},
  sentOwn: "{}",
  metadata: undefined,
  parentSegmentId: undefined,
  isClients: false,
  isAsked: false,
  denial: undefined,
  resultId: undefined,
  progressId: undefined,
  isEarlier: false,
});

/** A text, or parts that AG-UI knows, as they are; JSON of anything else. */
const toContent = (content: unknown): AGUIToolCallResultEvent["content"] => {
  if (typeof content === "string") return content;
  if (Array.isArray(content) && content.length > 0 && content.every(isContentPart)) return content;
  return JSON.stringify(content) ?? "null";
};

const mediaTypes = ["image", "audio", "video", "document"];

function isContentPart(part: unknown): part is Record<string, unknown> {
  if (!isRecord(part)) return false;
  const { type, text, source, id, metadata, ...others } = part;
  if (Object.keys(others).length > 0 || !(id === undefined || typeof id === "string")) return false;
  if (type === "text") return typeof text === "string" && source === undefined;
  return mediaTypes.includes(type as string) && text === undefined && isSource(source);
}

function isSource(source: unknown): boolean {
  if (!isRecord(source)) return false;
  const { type, value, mimeType, provider, ...others } = source;
  const hasType = typeof mimeType === "string" || (mimeType === undefined && type !== "data");
  const hasProvider = provider === undefined || (type === "file" && typeof provider === "string");
  const isKnown = ["data", "url", "file"].includes(type as string) && typeof value === "string";
  return isKnown && hasType && hasProvider && Object.keys(others).length === 0;
}
