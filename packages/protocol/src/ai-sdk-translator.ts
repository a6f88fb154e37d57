/**
 * Translates the chunks of one stream into the AI SDK's UI message stream: its message, its steps, and its end.
 * `ai-sdk-texts.ts` writes texts, `ai-sdk-calls.ts` tool calls, `ai-sdk-objects.ts` structured objects.
 */
import { type AISDKCallOutput, AISDKCalls } from "./ai-sdk-calls.ts";
import type { AISDKChunk, AISDKCitedSource } from "./ai-sdk-chunks.ts";
import { withoutUnsafeKeys } from "./ai-sdk-keys.ts";
import { type AISDKDraft, compact, ownKey, toFinishReason } from "./ai-sdk-metadata.ts";
import { AISDKObjects } from "./ai-sdk-objects.ts";
import { toData, toFile, toSource } from "./ai-sdk-parts.ts";
import { AISDKTexts } from "./ai-sdk-texts.ts";
import type { ChatMessage } from "./chat-request.ts";
import type { ChunkTranslator } from "./chunk-translator.ts";
import { translateChunks } from "./chunk-translator.ts";
import type {
  AbortChunk,
  DoneChunk,
  ErrorChunk,
  FileChunk,
  FinishReason,
  SourceChunk,
  StepEndChunk,
  StreamChunk,
  UnknownChunk,
} from "./chunks.ts";
import { withSafeUrl } from "./safe-url.ts";
import { reduceStreamError } from "./stream-outcome.ts";

/** Options of {@link createAISDKTranslator} and {@link toAISDK}. */
export interface AISDKTranslatorOptions {
  /** The id of the message, unless the stream's `run-start` names it. Without an id, the client makes one up. */
  messageId?: string | undefined;
  /**
   * The answer that the stream continues, as {@link continuedMessageOf} finds it in a request. It keeps its id, and its
   * calls get their results instead of a second part.
   */
  continuedMessage?: Pick<ChatMessage, "id" | "parts"> | undefined;
  /**
   * Whether the parts of a tool are `dynamic-tool`, unless its chunks say so with `isDynamic`.
   *
   * @defaultValue no tool's: they are `tool-<name>`
   */
  isDynamicTool?: ((tool: string) => boolean) | undefined;
}

/**
 * Translates the chunks of one stream into those of the AI SDK's UI message stream, version 1, which `useChat` reads.
 *
 * @example
 * ```ts
 * const translator = createAISDKTranslator();
 * translator.translate({ type: "text-delta", delta: "Hello" }).at(-1);
 * // { type: "text-delta", id: "text-1", delta: "Hello" }
 * ```
 */
export function createAISDKTranslator(options: AISDKTranslatorOptions = {}): ChunkTranslator<AISDKChunk> {
  return new AISDKTranslator(options);
}

/**
 * A whole stream as the AI SDK's UI message stream.
 *
 * @throws what the stream throws, after the chunks that end it with an error.
 *
 * @example
 * ```ts
 * async function* answer() {
 *   yield { type: "text-delta", delta: "Hello" } as const;
 *   yield { type: "done", finishReason: "stop" } as const;
 * }
 * const types: string[] = [];
 * for await (const { type } of toAISDK(answer())) types.push(type);
 * types; // ["start", "start-step", "text-start", "text-delta", "text-end", "finish-step", "finish"]
 * ```
 */
export function toAISDK(
  chunks: AsyncIterable<StreamChunk | UnknownChunk>,
  options?: AISDKTranslatorOptions,
): AsyncGenerator<AISDKChunk, void, void> {
  return translateChunks(chunks, createAISDKTranslator(options));
}

class AISDKTranslator implements ChunkTranslator<AISDKChunk>, AISDKCallOutput {
  readonly #options: AISDKTranslatorOptions;
  readonly #sources = new Map<string, AISDKCitedSource>();
  readonly #texts = new AISDKTexts(this, this.#sources);
  readonly #calls = new AISDKCalls(this);
  readonly #objects = new AISDKObjects(this);
  /** Files that later stages may replace, by id. */
  readonly #files = new Map<string, FileChunk>();
  #events: AISDKChunk[] = [];
  #runMessageId: string | undefined;
  #sessionId: string | undefined;
  #hasStarted = false;
  #isOver = false;
  #isStepOpen = false;
  /** The stream names its steps. */
  #hasOwnSteps = false;
  /** The step has a call that is not its provider's. */
  #hasCalls = false;
  /** Held back: the outcome, if nothing more comes. */
  #error: Readonly<ErrorChunk> | undefined;
  step = 0;

  constructor(options: AISDKTranslatorOptions) {
    this.#options = options;
    this.#calls.resume(options.continuedMessage?.parts ?? []);
  }

  translate(chunk: StreamChunk | UnknownChunk): AISDKChunk[] {
    if (this.#isOver) return [];
    const before = this.#error;
    this.#error = reduceStreamError(before, chunk);
    if (before && this.#error !== before) this.write({ type: "data-error", data: before, transient: true });
    if (!keepsEnds.test(chunk.type)) this.#texts.release();
    this.#apply(chunk as StreamChunk);
    return this.#take();
  }

  flush(): AISDKChunk[] {
    if (!this.#isOver) this.#objects.flush();
    return this.#take();
  }

  end(end: "complete" | "truncated"): AISDKChunk[] {
    if (this.#isOver) return [];
    if (this.#error) this.#fail(this.#error);
    else if (end === "complete") this.#finish({ type: "done", finishReason: "other" });
    else this.#fail({ type: "error", message: "The answer was cut off.", code: "truncated" });
    return this.#take();
  }

  isDynamicTool(tool: string): boolean {
    return this.#options.isDynamicTool?.(tool) ?? false;
  }

  write(event: AISDKDraft): void {
    this.#start();
    // A delta has only texts.
    const isText = event.type.endsWith("-delta");
    this.#events.push(compact(isText ? event : withoutUnsafeKeys(event)) as AISDKChunk);
  }

  beginPart(type: "text" | "call" | "provider-call"): void {
    // A model that continues after the results of its calls has been called again.
    const isNext = type === "text" && this.#hasCalls && !this.#calls.hasOpen && !this.#hasOwnSteps;
    if (isNext) this.#endStep();
    this.#beginStep();
    if (type === "call") this.#hasCalls = true;
  }

  #take(): AISDKChunk[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }

  #apply(chunk: StreamChunk): void {
    switch (chunk.type) {
      case "run-start":
        this.#runMessageId ??= chunk.continues ?? chunk.runId;
        if (chunk.sessionId !== undefined) this.#sessionId ??= chunk.sessionId;
        this.#start();
        break;
      case "session":
        if (this.#hasStarted) this.#describe({ sessionId: chunk.sessionId });
        this.#sessionId = chunk.sessionId;
        break;
      case "metadata":
        this.write({ type: "message-metadata", messageMetadata: chunk.metadata });
        break;
      case "checkpoint":
      case "trace": {
        const { type, ...fields } = chunk;
        this.#describe({ [type]: fields });
        break;
      }
      case "status":
      case "transition":
        this.write({ type: `data-${chunk.type}`, data: chunk, transient: true });
        break;
      case "done":
        if (this.#error) this.#fail(this.#error);
        else this.#finish(chunk);
        break;
      case "abort":
        this.#abort(chunk);
        break;
      default:
        this.#applyPart(chunk);
    }
  }

  #applyPart(chunk: StreamChunk): void {
    switch (chunk.type) {
      case "message":
      case "text-start":
      case "text-delta":
      case "text-end":
      case "reasoning-start":
      case "reasoning-delta":
      case "reasoning-end":
        this.#texts.apply(chunk);
        break;
      case "tool-call-start":
      case "tool-call-delta":
      case "tool-call-ready":
      case "tool-call-progress":
      case "tool-call-result":
      case "tool-call-error":
      case "tool-call-denied":
      case "tool-result":
        this.#texts.endUnkeyed();
        this.#texts.release();
        this.#calls.apply(chunk);
        break;
      case "interrupt":
        this.#texts.endUnkeyed();
        this.#texts.release();
        this.#beginStep();
        this.#calls.ask(chunk);
        break;
      case "interrupt-resolved":
        this.#calls.resolve(chunk);
        break;
      case "part-metadata":
        if (chunk.toolCallId === undefined) this.#texts.applyMetadata(chunk);
        else this.#calls.applyMetadata(chunk);
        break;
      case "structured-data":
      case "structured-data-invalidated":
        this.#objects.apply(chunk);
        break;
      default:
        this.#applyOther(chunk);
    }
  }

  #applyOther(chunk: StreamChunk): void {
    switch (chunk.type) {
      case "data":
        if (!chunk.transient) this.beginData();
        this.write(toData(chunk));
        break;
      case "source":
        this.#addSource(withSafeUrl(chunk));
        break;
      case "file":
        this.#addFile(withSafeUrl(chunk));
        break;
      case "step-start":
        this.#texts.endUnkeyed();
        this.#endStep();
        this.#hasOwnSteps = true;
        this.#beginStep();
        break;
      case "step-end":
        this.#endOwnStep(chunk);
    }
  }

  /** Data or an object begins: it splits a text. */
  beginData(): void {
    this.#texts.splitUnkeyed();
    this.#texts.release();
    this.#beginStep();
  }

  #start(): void {
    if (this.#hasStarted) return;
    this.#hasStarted = true;
    const { continuedMessage, messageId: given } = this.#options;
    const messageId = continuedMessage?.id ?? this.#runMessageId ?? given;
    const sessionId = this.#sessionId;
    const messageMetadata = sessionId === undefined ? undefined : { [ownKey]: { sessionId } };
    this.write({ type: "start", messageId, messageMetadata });
  }

  #beginStep(): void {
    if (this.#isStepOpen) return;
    this.#isStepOpen = true;
    this.#hasCalls = false;
    this.step++;
    this.write({ type: "start-step" });
  }

  #endStep(): void {
    this.#texts.release();
    this.#releaseFiles();
    if (!this.#isStepOpen) return;
    this.#isStepOpen = false;
    this.write({ type: "finish-step" });
  }

  #endOwnStep({ type: _, stepId, node: __, id: ___, opId: ____, ...facts }: StepEndChunk): void {
    this.#texts.endUnkeyed();
    this.#endStep();
    if (Object.values(facts).some((value) => value !== undefined)) {
      this.#describe({ steps: Object.fromEntries([[stepId, facts]]) });
    }
  }

  /** Adds to the metadata of the message, apart from that of the application. */
  #describe(own: Record<string, unknown>): void {
    this.write({ type: "message-metadata", messageMetadata: { [ownKey]: own } });
  }

  #addSource(chunk: SourceChunk): void {
    const { event, source } = toSource(chunk);
    this.#sources.set(chunk.id, source);
    this.#beginStep();
    this.write(event);
  }

  #addFile(chunk: FileChunk): void {
    if (chunk.id === undefined) {
      this.#writeFile(chunk);
      return;
    }
    // The reader can replace no file: it gets the last stage, and the others only for the moment.
    this.write({ type: "data-file", id: chunk.id, data: chunk, transient: true });
    this.#files.set(chunk.id, chunk);
  }

  #releaseFiles(): void {
    for (const file of this.#files.values()) this.#writeFile(file);
    this.#files.clear();
  }

  #writeFile(chunk: FileChunk): void {
    this.beginData();
    this.write(toFile(chunk));
  }

  /** Nothing is added to the message. */
  #close(): void {
    this.#objects.close();
    this.#texts.close();
    this.#endStep();
    this.#isOver = true;
  }

  #finish({ finishReason, usage, usageByModel, data, pendingToolCallIds = [] }: DoneChunk): void {
    this.#close();
    const hasEmptyStep = this.#endWithoutCalls(finishReason);
    const pending = this.#calls.unmarked(pendingToolCallIds);
    const own = compact({
      finishReason: finishReason === toFinishReason(finishReason) ? undefined : finishReason,
      usage,
      usageByModel,
      data,
      pendingToolCallIds: pending.length > 0 ? pending : undefined,
    });
    // The SDK shows a step that has begun only with the next change of its message.
    const hasMetadata = Object.keys(own).length > 0 || hasEmptyStep;
    const messageMetadata = hasMetadata ? { [ownKey]: own } : undefined;
    this.write({ type: "finish", finishReason: toFinishReason(finishReason), messageMetadata });
  }

  #abort({ reason }: AbortChunk): void {
    // The SDK shows an answer that was aborted as one that is whole, which is right only if its reader has stopped it.
    if (reason !== "stopped" && reason !== "cancelled") {
      const message = "The answer was stopped before it was complete.";
      this.#fail({ type: "error", message, code: `abort:${reason}` });
      return;
    }
    this.#close();
    this.#endWithoutCalls("stop");
    this.#describe({ abortReason: reason });
    this.write({ type: "abort", reason });
  }

  #fail({ type: _, message, ...facts }: Readonly<ErrorChunk>): void {
    this.#close();
    this.#describe({ error: { message, ...facts } });
    this.write({ type: "error", errorText: message });
  }

  /**
   * A page that sends results and decisions by itself looks at the calls of the last step: with all of them done, it would
   * ask for more of an answer that is whole. After an empty step it does not.
   */
  #endWithoutCalls(finishReason: FinishReason | undefined): boolean {
    const isWaiting =
      finishReason === "tool-calls" ||
      finishReason === "interrupt" ||
      (finishReason === undefined && this.#calls.hasOpen);
    if (isWaiting || !this.#hasCalls) return false;
    this.write({ type: "start-step" });
    this.write({ type: "finish-step" });
    return true;
  }
}

/** After these, an ended text may still be described. */
const keepsEnds =
  /^(text-end|reasoning-end|part-metadata|metadata|source|session|status|trace|checkpoint|error)$/;
