/**
 * Tool calls and the questions about them as the AI SDK reads them: each call with an id of its own, and at most one
 * question. `tool-call-order.ts` decides which call a chunk belongs to.
 */
import {
  describeCall,
  descriptorOf,
  earlier,
  kindOf,
  type ResultEvent,
  type ShownCall,
} from "./ai-sdk-call.ts";
import { UniqueIds } from "./ai-sdk-ids.ts";
import { type OwnPartMetadata, toProviderMetadata } from "./ai-sdk-metadata.ts";
import type { AISDKOutput } from "./ai-sdk-texts.ts";
import { isFinishedCall, type ToolCallPart } from "./assistant-message.ts";
import type { ChatMessagePart, ToolCallMessagePart } from "./chat-request.ts";
import { isRecord } from "./chunk-shape.ts";
import type {
  InterruptChunk,
  InterruptResolvedChunk,
  PartMetadataChunk,
  ProviderMetadata,
  StreamChunkOf,
  ToolResultChunk,
} from "./chunks.ts";
import { mergeProviderMetadata } from "./merge-metadata.ts";
import { OwnedContainers } from "./owned-containers.ts";
import { isSameJSON } from "./same-json.ts";
import { createToolCallOrder, isDenial, type OrderedCall, type ToolCallChunk } from "./tool-call-order.ts";

type StartChunk = StreamChunkOf<"tool-call-start" | "tool-call-ready">;

/** What the calls of a stream need to know of the rest. */
export interface AISDKCallOutput extends AISDKOutput {
  /** Counts the steps. */
  readonly step: number;
  /** Whether a tool's parts are `dynamic-tool`. */
  isDynamicTool(tool: string): boolean;
}

/** Writes the calls of one stream. */
export class AISDKCalls {
  readonly #out: AISDKCallOutput;
  readonly #order = createToolCallOrder();
  readonly #owned = new OwnedContainers();
  readonly #shown = new Map<OrderedCall, ShownCall>();
  readonly #ids = new UniqueIds();
  /** The call of each question, or undefined for one without. */
  readonly #questions = new Map<string, { chunk: InterruptChunk; call: ShownCall | undefined }>();
  #open = 0;

  constructor(out: AISDKCallOutput) {
    this.#out = out;
  }

  /** Whether a call waits for its result. */
  get hasOpen(): boolean {
    return this.#open > 0;
  }

  /** The message that the stream continues has these parts. */
  resume(parts: readonly ChatMessagePart[]): void {
    for (const part of parts) {
      if (!isCall(part)) continue;
      this.#order.resume(part as unknown as ToolCallPart, 0);
      const call = this.#order.newestOf(part.toolCallId)!;
      this.#shown.set(call, {
        ...this.#newCall(part.toolCallId, part.tool, part.isDynamic),
        isProviderExecuted: part.executor === "provider",
        state: isFinishedCall(part.state) ? "over" : "ready",
        step: earlier,
        input: part.input,
        metadata: part.providerMetadata,
      });
      if (!isFinishedCall(part.state)) this.#open++;
    }
  }

  apply(chunk: ToolCallChunk | ToolResultChunk): void {
    if (chunk.type === "tool-result") {
      this.#applyLegacy(chunk);
      return;
    }
    const order = this.#order.callOf(chunk);
    const isNew = order.index === undefined;
    order.index = 0;
    const call = isNew ? this.#begin(order, chunk) : this.#shown.get(order)!;
    this.#applyTo(call, chunk, isNew);
  }

  /** Adds what a provider wants back with a call, or with its result. */
  applyMetadata({ toolCallId, isResult, providerMetadata }: PartMetadataChunk): void {
    const order = this.#order.newestOf(toolCallId);
    const call = order && this.#shown.get(order);
    if (!call) return;
    if (!isResult) {
      call.metadata = mergeProviderMetadata(call.metadata, providerMetadata, this.#owned);
      // Again only for a call that the page does not run: it would run it twice.
      const isRepeatable = call.isProviderExecuted && call.step === this.#out.step;
      if (call.state === "ready" && isRepeatable) this.#writeInput(call);
      return;
    }
    call.resultMetadata = mergeProviderMetadata(call.resultMetadata, providerMetadata, this.#owned);
    this.#writeResult(call);
  }

  /** A question that is not about an open call, or not the only one, is data for the page. */
  ask(chunk: InterruptChunk): void {
    const order = this.#order.ask(chunk);
    const call = order && this.#shown.get(order);
    const isAsked = call?.isApprovalOpen && call.approvalId !== chunk.requestId;
    const canAsk = call && call.state !== "over" && !isAsked;
    this.#questions.set(chunk.requestId, { chunk, call: canAsk ? call : undefined });
    if (!canAsk) {
      this.#out.write({ type: "data-interrupt", id: chunk.requestId, data: chunk });
      return;
    }
    call.approvalId = chunk.requestId;
    call.isApprovalOpen = true;
    const { requestId: approvalId, input, isAutomatic, resumeToken } = chunk;
    const reason = input.question || undefined;
    const approvalDescriptor = descriptorOf(chunk);
    const about = { approvalId, toolCallId: call.id, approvalDescriptor, reason };
    this.#out.write({
      type: "tool-approval-request",
      ...about,
      isAutomatic: isAutomatic || undefined,
      signature: resumeToken || undefined,
    });
  }

  resolve(chunk: InterruptResolvedChunk): void {
    const { requestId, outcome, reason } = chunk;
    this.#order.resolve(chunk);
    const question = this.#questions.get(requestId);
    if (!question) return;
    const { call } = question;
    if (!call) {
      this.#out.write({
        type: "data-interrupt",
        id: requestId,
        data: { ...question.chunk, resolution: chunk },
      });
      return;
    }
    if (call.approvalId !== requestId || call.state === "over") return;
    this.#respond(call, outcome === "answered" && !isDenial(chunk), reason);
    if (isDenial(chunk)) this.#deny(call);
  }

  /** @returns the ids, as the page knows them, of calls that wait for it without saying so. */
  unmarked(toolCallIds: readonly string[]): string[] {
    return toolCallIds.flatMap((toolCallId) => {
      const order = this.#order.newestOf(toolCallId);
      const call = order && this.#shown.get(order);
      const isMarked = !call || call.own.executor === "client" || call.own.resumeToken !== undefined;
      return isMarked ? [] : [call.id];
    });
  }

  #begin(order: OrderedCall, { toolCallId, tool }: ToolCallChunk): ShownCall {
    const call = this.#newCall(toolCallId, tool ?? "");
    this.#shown.set(order, call);
    this.#open++;
    return call;
  }

  #newCall(toolCallId: string, tool: string, isDynamic?: boolean): ShownCall {
    const id = this.#ids.take(toolCallId || "call");
    return {
      id,
      tool,
      isDynamic: isDynamic ?? this.#out.isDynamicTool(tool),
      isProviderExecuted: false,
      state: "started",
      step: this.#out.step,
      own: id === toolCallId ? {} : { toolCallId },
      metadata: undefined,
      resultMetadata: undefined,
    };
  }

  #applyTo(call: ShownCall, chunk: ToolCallChunk, isNew: boolean): void {
    switch (chunk.type) {
      case "tool-call-start":
        this.#describe(call, chunk, isNew);
        if (isNew) this.#writeStart(call);
        if (chunk.input !== undefined) this.#setInput(call, chunk.input);
        break;
      case "tool-call-ready":
        this.#describe(call, chunk, isNew);
        if (isNew) this.#out.beginPart(call.isProviderExecuted ? "provider-call" : "call");
        call.step = isNew ? this.#out.step : call.step;
        this.#setInput(call, chunk.input);
        break;
      case "tool-call-error":
        this.#fail(call, chunk, isNew);
        break;
      default:
        if (isNew) this.#writeStart(call);
        this.#applyLater(call, chunk);
    }
  }

  #applyLater(
    call: ShownCall,
    chunk: StreamChunkOf<"tool-call-delta" | "tool-call-progress" | "tool-call-result" | "tool-call-denied">,
  ): void {
    const { id: toolCallId } = call;
    switch (chunk.type) {
      case "tool-call-delta":
        // After the whole input, a delta would make it partial again.
        if (call.state === "started" && chunk.delta !== "") {
          this.#out.write({ type: "tool-input-delta", toolCallId, inputTextDelta: chunk.delta });
        }
        break;
      case "tool-call-progress":
        if (call.state === "over") break;
        this.#out.write({
          type: "tool-output-available",
          toolCallId,
          output: chunk.content,
          ...kindOf(call),
          preliminary: true,
        });
        break;
      case "tool-call-result":
        this.#succeed(call, chunk);
        break;
      case "tool-call-denied":
        if (call.step !== earlier && call.approvalId === undefined) this.#askAutomatically(call);
        if (call.isApprovalOpen) this.#respond(call, false, chunk.reason);
        this.#deny(call);
    }
  }

  #applyLegacy({ tool = "", content }: ToolResultChunk): void {
    const known = this.#order.callOfLegacyResult({ type: "tool-result", content, ...(tool && { tool }) });
    let call = known && this.#shown.get(known);
    if (!call) {
      call = this.#newCall("tool-result", tool);
      this.#open++;
      this.#writeStart(call);
    }
    this.#succeed(call, { content });
  }

  /** Takes what a start or a whole input states about the call. What the reader keeps for ever is only taken once. */
  #describe(call: ShownCall, chunk: StartChunk, isNew: boolean): void {
    const { tool, executor, title, inputFormat, parentSegmentId, providerMetadata } = chunk;
    call.tool = tool;
    if (isNew) call.isDynamic = chunk.isDynamic ?? this.#out.isDynamicTool(tool);
    if (executor === "provider") call.isProviderExecuted = true;
    else if (executor !== undefined && executor !== "server") call.own.executor = executor;
    if (title !== undefined) call.title = title;
    if (inputFormat !== undefined) call.inputFormat = inputFormat;
    if (parentSegmentId !== undefined) call.own.parentSegmentId = parentSegmentId;
    if (chunk.type === "tool-call-ready" && chunk.resumeToken !== undefined) {
      call.own.resumeToken = chunk.resumeToken;
    }
    if (providerMetadata) call.metadata = mergeProviderMetadata(call.metadata, providerMetadata, this.#owned);
  }

  #writeStart(call: ShownCall): void {
    this.#out.beginPart(call.isProviderExecuted ? "provider-call" : "call");
    call.step = this.#out.step;
    const { id: toolCallId, tool: toolName, inputFormat } = call;
    // Other formats are the application's own.
    const inputEncoding = inputFormat === "text" || inputFormat === "json" ? inputFormat : undefined;
    this.#out.write({ type: "tool-input-start", toolCallId, toolName, inputEncoding, ...describeCall(call) });
  }

  #setInput(call: ShownCall, input: unknown): void {
    // The part of an earlier step cannot be changed, and one that is repeated would run in the page again.
    if (call.state === "over" || call.step !== this.#out.step) return;
    if (call.state === "ready" && isSameJSON(call.input, input)) return;
    call.state = "ready";
    call.input = input;
    this.#writeInput(call);
  }

  #writeInput(call: ShownCall): void {
    const { id: toolCallId, tool: toolName, input } = call;
    const whole = { toolCallId, toolName, input: input ?? null };
    this.#out.write({ type: "tool-input-available", ...whole, ...describeCall(call) });
  }

  #succeed(call: ShownCall, chunk: Pick<StreamChunkOf<"tool-call-result">, "content"> & ResultFields): void {
    const { content, structuredContent, isError, providerMetadata } = chunk;
    const hasBoth = structuredContent !== undefined;
    const { id: toolCallId } = call;
    call.resultMetadata = providerMetadata;
    if (!isError) {
      const output = hasBoth ? { content, structuredContent } : content;
      const own: OwnPartMetadata = hasBoth ? { isPair: true } : {};
      this.#over(call, { type: "tool-output-available", toolCallId, output: output ?? null }, own);
      return;
    }
    const isText = typeof content === "string";
    const errorText = isText ? content : (JSON.stringify(content) ?? "");
    const own = { content: content ?? null, structuredContent };
    this.#over(call, { type: "tool-output-error", toolCallId, errorText }, own);
  }

  #fail(call: ShownCall, chunk: StreamChunkOf<"tool-call-error">, isNew: boolean): void {
    const { id: toolCallId, tool } = call;
    const { message: errorText, code, input, providerMetadata } = chunk;
    call.resultMetadata = providerMetadata;
    const isInvalid = call.state === "started" && (isNew || input !== undefined);
    if (isNew) this.#out.beginPart(call.isProviderExecuted ? "provider-call" : "call");
    if (isNew) call.step = this.#out.step;
    // Of an earlier step, the part would be doubled.
    if (isInvalid && call.step === this.#out.step) {
      const what = { toolCallId, toolName: tool, input: input ?? null, errorText };
      this.#over(call, { type: "tool-input-error", ...what }, { code });
    } else {
      this.#over(call, { type: "tool-output-error", toolCallId, errorText }, { code });
    }
  }

  #over(call: ShownCall, event: ResultEvent, own: OwnPartMetadata): void {
    this.#close(call);
    call.result = { event: { ...event, ...kindOf(call) }, own };
    this.#writeResult(call);
  }

  #writeResult({ result, resultMetadata }: ShownCall): void {
    if (!result) return;
    const providerMetadata = toProviderMetadata(resultMetadata, result.own);
    this.#out.write({ ...result.event, providerMetadata });
  }

  #deny(call: ShownCall): void {
    this.#close(call);
    delete call.result;
    this.#out.write({ type: "tool-output-denied", toolCallId: call.id });
  }

  /** A refused call has a question in the SDK's messages. */
  #askAutomatically(call: ShownCall): void {
    call.approvalId = `denied:${call.id}`;
    call.isApprovalOpen = true;
    const { id: toolCallId, approvalId } = call;
    this.#out.write({ type: "tool-approval-request", approvalId, toolCallId, isAutomatic: true });
  }

  #respond(call: ShownCall, approved: boolean, reason: string | undefined): void {
    call.isApprovalOpen = false;
    const { approvalId = "" } = call;
    call.own.resolved = approvalId;
    const providerMetadata = toProviderMetadata(call.metadata, call.own);
    this.#out.write({ type: "tool-approval-response", approvalId, approved, reason, providerMetadata });
  }

  #close(call: ShownCall): void {
    if (call.state !== "over") this.#open--;
    call.state = "over";
    call.isApprovalOpen = false;
  }
}

/** The parts come from a client. */
const isCall = (part: unknown): part is ToolCallMessagePart =>
  isRecord(part) &&
  part.type === "tool-call" &&
  typeof part.toolCallId === "string" &&
  typeof part.tool === "string";

interface ResultFields {
  structuredContent?: unknown;
  isError?: boolean | undefined;
  providerMetadata?: ProviderMetadata | undefined;
}
