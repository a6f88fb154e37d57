/**
 * The parts that show tool calls and questions, which depend on each other. `tool-call-order.ts` decides which call a
 * chunk belongs to, `fold-tool-call.ts` what it changes in that call.
 */
import {
  type AssistantMessage,
  type InterruptPart,
  isFinishedCall,
  type MessagePart,
  type ToolCallPart,
  waitsAfter,
} from "./assistant-message.ts";
import type {
  FinishReason,
  InterruptChunk,
  InterruptResolvedChunk,
  PartMetadataChunk,
  ProviderFields,
  ToolResultChunk,
} from "./chunks.ts";
import {
  answerAboutCall,
  askAboutCall,
  awaitClient,
  describeCall,
  foldToolCall,
  resolutionOf,
} from "./fold-tool-call.ts";
import type { MessageParts } from "./message-parts.ts";
import { OpenInterrupts } from "./open-interrupts.ts";
import type { OwnedContainers } from "./owned-containers.ts";
import { createToolCallOrder, type OrderedCall, type ToolCallChunk } from "./tool-call-order.ts";

/** Begins the id of a call that is known only by its legacy result. */
const legacyId = "tool-result:";

/** Writes tool calls and questions into the parts of a message. The cost is linear in the size of each chunk. */
export class CallParts {
  readonly #parts: MessageParts;
  readonly #owned: OwnedContainers;
  readonly #put: (part: MessagePart) => number;
  readonly #calls = createToolCallOrder();
  readonly #interrupts = new OpenInterrupts();
  /** The indices of the calls that an answer has let run. */
  readonly #approved = new Set<number>();
  #legacyResults = 0;

  /** @param put - Begins a part, or replaces the one with the same name, and returns its index. */
  constructor(parts: MessageParts, owned: OwnedContainers, put: (part: MessagePart) => number) {
    this.#parts = parts;
    this.#owned = owned;
    this.#put = put;
  }

  /** The open questions, oldest first; undefined if there are none. */
  get interrupts(): readonly Readonly<InterruptChunk>[] | undefined {
    return this.#interrupts.list;
  }

  apply(chunk: ToolCallChunk | ToolResultChunk): void {
    const isLegacy = chunk.type === "tool-result";
    const call = isLegacy ? (this.#calls.callOfLegacyResult(chunk) ?? {}) : this.#calls.callOf(chunk);
    const part =
      call.index === undefined
        ? beginCall(isLegacy ? `${legacyId}${this.#legacyResults++}` : chunk.toolCallId)
        : (this.#parts.at(call.index) as ToolCallPart);
    const isAsked = this.#interrupts.about(part.toolCallId).size > 0;
    const isResult = chunk.type === "tool-call-result" || chunk.type === "tool-call-error";
    const folded = foldToolCall(part, chunk, isAsked);
    const changed = describeCall(folded, chunk as ProviderFields, isResult, this.#owned);
    call.index ??= this.#put(changed);
    this.#set(call.index, changed);
  }

  /** Adds what a provider wants back with a call, also if that has ended. */
  applyMetadata(chunk: PartMetadataChunk): void {
    const isResult = chunk.isResult === true;
    this.#change(this.#calls.newestOf(chunk.toolCallId), (part) =>
      describeCall(part, chunk, isResult, this.#owned),
    );
  }

  ask(chunk: InterruptChunk): void {
    this.#interrupts.add(chunk, this.#put(chunk));
    const call = this.#calls.ask(chunk);
    if (this.#interrupts.about(chunk.toolCallId).size > 0) this.#change(call, askAboutCall);
  }

  resolve(chunk: InterruptResolvedChunk): void {
    const question = this.#closeQuestion(chunk);
    const call = this.#calls.resolve(chunk);
    if (call?.index === undefined) return;
    const isAsked = this.#interrupts.about(question?.toolCallId).size > 0;
    if (chunk.outcome === "answered") this.#approved.add(call.index);
    this.#change(call, (part) => answerAboutCall(part, chunk, isAsked));
  }

  /** The calls of these ids wait for the client. */
  awaitClient(toolCallIds: readonly string[]): void {
    for (const toolCallId of toolCallIds) this.#change(this.#calls.newestOf(toolCallId), awaitClient);
  }

  /** A part of an earlier message, of any type, has this index. */
  resume(part: MessagePart, index: number): void {
    if (part.type === "interrupt") {
      this.#calls.ask(part);
      if (!part.resolution) this.#interrupts.add(part, index);
    }
    if (part.type !== "tool-call") return;
    this.#calls.resume(part, index);
    if (part.state === "running") this.#approved.add(index);
    if (part.toolCallId.startsWith(legacyId)) this.#legacyResults++;
  }

  /** The message has ended: closes every part, of any type. */
  end({ status, finishReason }: Pick<AssistantMessage, "status" | "finishReason">): void {
    this.#parts.closeAll(status === "done" && waitsAfter(finishReason), this.#approved);
    this.closeQuestions(status, finishReason);
  }

  /** An answer that was cut off waits for nothing, and one that ended for another reason for no decision about a call. */
  closeQuestions(status: AssistantMessage["status"], finishReason: FinishReason | undefined): void {
    if (status !== "done") this.#interrupts.clear();
    else if (!waitsAfter(finishReason)) this.#interrupts.removeAboutCalls();
  }

  /** Changes the part of a call, if there is one. */
  #change(call: OrderedCall | undefined, change: (part: ToolCallPart) => ToolCallPart): void {
    if (call?.index !== undefined) this.#set(call.index, change(this.#parts.at(call.index) as ToolCallPart));
  }

  /** The end of a call closes the questions about it. */
  #set(index: number, part: ToolCallPart): void {
    this.#parts.set(index, part);
    if (!isFinishedCall(part.state)) return;
    for (const requestId of this.#interrupts.about(part.toolCallId)) {
      this.#closeQuestion(resolutionOf(part, requestId));
    }
  }

  /** @returns the question; undefined if it is unknown. */
  #closeQuestion(resolution: InterruptResolvedChunk): InterruptPart | undefined {
    const index = this.#parts.indexOf("interrupt", resolution.requestId);
    if (index === undefined) return undefined;
    const question = this.#parts.at(index) as InterruptPart;
    this.#parts.set(index, { ...question, resolution });
    this.#interrupts.remove(resolution.requestId);
    return question;
  }
}

const beginCall = (toolCallId: string): ToolCallPart => ({
  type: "tool-call",
  toolCallId,
  tool: "",
  state: "input-streaming",
  inputText: "",
});
