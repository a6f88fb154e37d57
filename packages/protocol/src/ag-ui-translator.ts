/**
 * Translates the chunks of one stream into the events of AG-UI, in an order that its clients accept: they refuse a piece
 * of a text that has not begun, the end of a run in which something is open, and anything after that end. Does no I/O.
 */
import { AGUICalls } from "./ag-ui-calls.ts";
import type { AGUIEvent } from "./ag-ui-events.ts";
import { toInterrupt } from "./ag-ui-interrupts.ts";
import { splitProviderMetadata, toEventMetadata } from "./ag-ui-metadata.ts";
import { AGUIObjects } from "./ag-ui-objects.ts";
import type { AGUITokenUsage } from "./ag-ui-outcome.ts";
import { AGUIRun } from "./ag-ui-run.ts";
import { AGUISteps } from "./ag-ui-steps.ts";
import { AGUITexts } from "./ag-ui-texts.ts";
import { waitsAfter } from "./assistant-message.ts";
import { type ChunkTranslator, translateChunks } from "./chunk-translator.ts";
import type {
  AbortChunk,
  DataChunk,
  DoneChunk,
  ErrorChunk,
  InterruptChunk,
  StreamChunk,
  UnknownChunk,
} from "./chunks.ts";
import { reduceStreamError } from "./stream-outcome.ts";

/** The fields of a request of AG-UI that its events depend on: the request itself will do. */
export interface AGUITranslatorOptions {
  /** The conversation. @defaultValue that of a first chunk `run-start` or `session`; else `"thread"` */
  threadId?: string | undefined;
  /** The run. Ids that the stream leaves open begin with it. @defaultValue that of a first chunk `run-start`; else `"run"` */
  runId?: string | undefined;
  /** The run that this one continues. */
  parentRunId?: string | undefined;
  /**
   * The messages that the client has, of any shape. None of their ids is used for another message, and a call in them
   * gets its result without beginning again.
   */
  messages?: unknown;
}

/**
 * The events of a whole stream, for a client of AG-UI such as `HttpAgent`, or TanStack's `ChatClient`. The first is
 * `RUN_STARTED`, the last `RUN_FINISHED` or `RUN_ERROR`; no `[DONE]` may follow.
 *
 * @throws what the source throws, after a `RUN_ERROR`.
 *
 * @example
 * ```ts
 * async function* answer(): AsyncGenerator<StreamChunk> {
 *   yield { type: "text-delta", delta: "Hello" };
 *   yield { type: "done" };
 * }
 * const types: string[] = [];
 * for await (const { type } of toAGUI(answer(), { threadId: "t1", runId: "r1" })) types.push(type);
 * types.join(); // "RUN_STARTED,TEXT_MESSAGE_START,TEXT_MESSAGE_CONTENT,TEXT_MESSAGE_END,RUN_FINISHED"
 * ```
 */
export const toAGUI = (
  chunks: AsyncIterable<StreamChunk | UnknownChunk>,
  options: AGUITranslatorOptions,
): AsyncGenerator<AGUIEvent, void, void> => translateChunks(chunks, createAGUITranslator(options));

/**
 * Creates a translator of the chunks of one stream into events of AG-UI, for a program that writes the response itself.
 * Never throws. What AG-UI has no field for is in the events' `metadata`, under `kortyx`, and what it has no event for in
 * `CUSTOM` events with the type of the chunk as their name.
 *
 * @example
 * ```ts
 * const translator = createAGUITranslator({ threadId: "t1", runId: "r1" });
 * const [started] = translator.translate({ type: "status", message: "Searching" });
 * started; // { type: "RUN_STARTED", threadId: "t1", runId: "r1" }
 * ```
 */
export function createAGUITranslator(options: AGUITranslatorOptions = {}): ChunkTranslator<AGUIEvent> {
  return new AGUITranslator(options);
}

class AGUITranslator implements ChunkTranslator<AGUIEvent> {
  readonly #options: AGUITranslatorOptions;
  readonly #run: AGUIRun;
  /** On the first event and the last. */
  #ids = { threadId: "thread", runId: "run" };
  readonly #texts: AGUITexts;
  readonly #calls: AGUICalls;
  readonly #objects: AGUIObjects;
  readonly #steps: AGUISteps;
  /** The open questions, by `requestId`. */
  readonly #questions = new Map<string, { chunk: InterruptChunk; subagentRunId: string | undefined }>();
  /** The outcome, if nothing more comes. */
  #error: Readonly<ErrorChunk> | undefined;
  #state: "new" | "started" | "over" = "new";

  constructor(options: AGUITranslatorOptions) {
    this.#options = options;
    this.#run = new AGUIRun(options.messages);
    this.#texts = new AGUITexts(this.#run);
    this.#calls = new AGUICalls(this.#run, this.#texts);
    this.#objects = new AGUIObjects(this.#run);
    this.#steps = new AGUISteps(this.#run);
  }

  translate(chunk: StreamChunk | UnknownChunk): AGUIEvent[] {
    if (this.#state === "over") return [];
    this.#start(chunk as StreamChunk);
    const error = reduceStreamError(this.#error, chunk);
    // More came after it, so it was a warning.
    if (this.#error && error !== this.#error) this.#writeCustom(this.#error);
    this.#error = error;
    this.#apply(chunk as StreamChunk);
    return this.#run.take();
  }

  flush(): AGUIEvent[] {
    if (this.#state === "over") return [];
    this.#start();
    this.#objects.flush();
    return this.#run.take();
  }

  end(end: "complete" | "truncated"): AGUIEvent[] {
    if (this.#state === "over") return [];
    this.#start();
    if (this.#error) this.#fail(this.#error);
    else if (end === "complete") this.#finish({ type: "done" });
    else this.#fail({ message: "The answer was cut off.", code: "truncated" });
    return this.#run.take();
  }

  #start(first?: StreamChunk): void {
    if (this.#state !== "new") return;
    this.#state = "started";
    const { parentRunId } = this.#options;
    const named = first?.type === "run-start" || first?.type === "session" ? first : undefined;
    const threadId = this.#options.threadId ?? named?.sessionId ?? this.#ids.threadId;
    const runId = this.#options.runId ?? (first?.type === "run-start" ? first.runId : this.#ids.runId);
    this.#ids = { threadId, runId };
    this.#run.runId = runId;
    const parent = parentRunId === undefined ? {} : { parentRunId };
    this.#run.write({ type: "RUN_STARTED", ...this.#ids, ...parent });
  }

  #apply(chunk: StreamChunk): void {
    const subagentRunId = this.#steps.subagentOf(chunk as { node?: unknown });
    switch (chunk.type) {
      case "text-start":
      case "text-delta":
      case "text-end":
      case "reasoning-start":
      case "reasoning-delta":
      case "reasoning-end":
      case "message":
        this.#texts.apply(chunk, subagentRunId);
        break;
      case "tool-call-start":
      case "tool-call-delta":
      case "tool-call-ready":
      case "tool-call-progress":
      case "tool-call-result":
      case "tool-call-error":
      case "tool-call-denied":
        this.#calls.apply(chunk, subagentRunId);
        break;
      case "tool-result":
        this.#calls.applyLegacy(chunk, subagentRunId);
        break;
      case "part-metadata":
        if (chunk.toolCallId === undefined) this.#texts.applyMetadata(chunk);
        else this.#calls.applyMetadata(chunk);
        break;
      case "structured-data":
      case "structured-data-invalidated":
        this.#objects.apply(chunk, subagentRunId);
        break;
      case "data":
        if (!this.#steps.applySubagent(chunk)) this.#writeData(chunk, subagentRunId);
        break;
      case "done":
        if (this.#error) this.#fail(this.#error);
        else this.#finish(chunk);
        break;
      case "abort":
        this.#abort(chunk);
        break;
      default:
        this.#applyOther(chunk, subagentRunId);
    }
  }

  #applyOther(chunk: StreamChunk, subagentRunId: string | undefined): void {
    switch (chunk.type) {
      case "run-start":
        this.#run.messageId = chunk.continues ?? chunk.runId;
        break;
      case "session":
        if (chunk.sessionId !== this.#ids.threadId) this.#writeCustom(chunk);
        break;
      case "status":
      case "checkpoint":
      case "trace":
      case "metadata":
      case "source":
      case "file":
        this.#writeCustom(chunk, subagentRunId);
        break;
      case "step-start":
        this.#texts.endUnkeyed();
        this.#texts.endTurn();
        this.#steps.start(chunk, subagentRunId);
        break;
      case "step-end":
        this.#steps.finish(chunk);
        break;
      case "transition":
        this.#steps.move(chunk);
        break;
      case "interrupt":
        this.#ask(chunk, subagentRunId);
        break;
      case "interrupt-resolved":
        this.#questions.delete(chunk.requestId);
        this.#calls.resolve(chunk);
        this.#writeCustom(chunk);
    }
  }

  #ask(chunk: InterruptChunk, subagentRunId: string | undefined): void {
    this.#texts.endUnkeyed();
    this.#questions.delete(chunk.requestId);
    this.#calls.ask(chunk);
    // A policy answers it.
    if (chunk.isAutomatic) this.#writeCustom(chunk, subagentRunId);
    else this.#questions.set(chunk.requestId, { chunk, subagentRunId });
  }

  #writeData({ name, data, id, providerMetadata }: DataChunk, subagentRunId: string | undefined): void {
    const { metadata } = splitProviderMetadata(providerMetadata);
    this.#run.write({
      type: "CUSTOM",
      name,
      value: data,
      ...toEventMetadata(metadata, { id }),
      ...(subagentRunId !== undefined && { subagentRunId }),
    });
  }

  #writeCustom({ type, ...value }: StreamChunk, subagentRunId?: string): void {
    const tag = subagentRunId === undefined ? {} : { subagentRunId };
    this.#run.write({ type: "CUSTOM", name: type, value, ...tag });
  }

  #finish({ data, finishReason, usage, usageByModel, pendingToolCallIds = [] }: DoneChunk): void {
    const isWaiting = waitsAfter(finishReason);
    const interrupts = this.#openQuestions(isWaiting);
    this.#closeParts();
    const hasInterrupts = interrupts.length > 0;
    const waiting = hasInterrupts ? [] : this.#calls.endWaiting(pendingToolCallIds, isWaiting);
    this.#steps.end(hasInterrupts ? "waiting" : "done");
    const tokens = (usageByModel ?? [usage ?? {}]).map(toUsage).filter((one) => Object.keys(one).length > 0);
    this.#run.write({
      type: "RUN_FINISHED",
      ...this.#ids,
      ...(data != null && { result: data }),
      outcome: hasInterrupts
        ? { type: "interrupt", interrupts }
        : { type: "success", ...(waiting.length > 0 && { pendingToolCallIds: waiting }) },
      ...(tokens.length > 0 && { usage: tokens }),
      ...toEventMetadata(undefined, { finishReason }),
    });
    this.#state = "over";
  }

  /** A question about a call is open only if the answer lets calls wait. */
  #openQuestions(isWaiting: boolean) {
    return [...this.#questions.values()]
      .filter(({ chunk }) => isWaiting || chunk.toolCallId === undefined)
      .map(({ chunk, subagentRunId }) => {
        const toolCallId = this.#calls.ask(chunk);
        return toInterrupt(chunk, { toolCallId, subagentRunId });
      });
  }

  #abort({ reason }: AbortChunk): void {
    if (reason !== "stopped" && reason !== "cancelled") {
      this.#fail({ message: "The answer was stopped before it was complete.", code: `abort:${reason}` });
      return;
    }
    this.#closeParts();
    this.#steps.end("failed");
    this.#run.write({ type: "RUN_FINISHED", ...this.#ids, outcome: { type: "cancelled" } });
    this.#state = "over";
  }

  #fail({ message, code, ...own }: Pick<ErrorChunk, "message" | "code">): void {
    this.#closeParts();
    this.#steps.end("failed");
    const { type, ...fields } = own as Partial<ErrorChunk>;
    this.#run.write({
      type: "RUN_ERROR",
      message,
      ...(code !== undefined && { code }),
      ...toEventMetadata(undefined, fields),
    });
    this.#state = "over";
  }

  #closeParts(): void {
    this.#objects.close();
    this.#texts.end();
    this.#calls.end();
  }
}

const usageNames = [
  "inputTokens",
  "outputTokens",
  "totalTokens",
  "reasoningTokens",
  "cachedInputTokens",
  "cacheWriteInputTokens",
] as const;

/** Clients refuse a count that is no whole number, and fields that they do not know. */
function toUsage(usage: AGUITokenUsage): AGUITokenUsage {
  const { provider, model } = usage;
  const counts = usageNames.flatMap((name) => {
    const count = Math.round(usage[name] ?? Number.NaN);
    return Number.isSafeInteger(count) && count >= 0 ? [[name, count] as const] : [];
  });
  return {
    ...(provider != null && { provider }),
    ...(model != null && { model }),
    ...Object.fromEntries(counts),
  };
}
