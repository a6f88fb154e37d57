/**
 * The turns of one answer: each calls the model, runs the tools that it calls, and decides whether another follows.
 * `run-call.ts` runs one call, `open-calls.ts` finds what a request has for the calls of an earlier answer.
 */
import {
  type ChatMessage,
  type ClientTool,
  createMessageAccumulator,
  type FinishReason,
  type ModelUsage,
  reduceStreamError,
  type StreamChunk,
  type TokenUsage,
} from "@kortyx/protocol";
import { checkOption, toChatMessage } from "@kortyx/protocol/internal";
import { addUsage, type ModelStream, type ModelToolCall, type ModelTurn } from "../adapters/model-stream.ts";
import { closeIterator } from "../stream/source.ts";
import { describeTools, type Tools } from "./define-tool.ts";
import { mergeStreams } from "./merge-streams.ts";
import { type ContinuedMessage, findContinued, findOpenCalls } from "./open-calls.ts";
import { answerCall, beginCall, type CallContext, type CallOutcome, findTool, resolve } from "./run-call.ts";
import type { RunToolsOptions } from "./run-tools.ts";
import { untilAborted } from "./until-aborted.ts";

type Chunks<Result> = AsyncGenerator<StreamChunk, Result, void>;

/** What the chunks of a turn have shown. */
interface ReadTurn extends Omit<ModelTurn, "finishReason"> {
  /** Absent if the turn has ended with an error, which then is the outcome of the answer. */
  finishReason: FinishReason | undefined;
  /** Calls that have failed already, so that the model can repair them. */
  failedCalls: number;
}

/** The answer to one request. */
export class ToolLoop {
  readonly #options: RunToolsOptions;
  readonly #signal: AbortSignal;
  readonly #offered: ClientTool[];
  readonly #continued: ContinuedMessage | undefined;
  /** The conversation before this answer. */
  readonly #before: ChatMessage[];
  /** This answer, those parts included that an earlier request has brought. */
  readonly #answer: ReturnType<typeof createMessageAccumulator>;
  readonly #usageByModel = new Map<string, ModelUsage>();
  #usage: TokenUsage | undefined;
  /** Calls of the model for this answer. */
  #turns = 0;

  constructor(options: RunToolsOptions, signal: AbortSignal) {
    const { messages, tools, options: given = {} } = options;
    this.#options = options;
    this.#signal = signal;
    this.#offered = (given.tools ?? []).filter(({ name }) => findTool(tools, name) === undefined);
    this.#continued = findContinued(messages, given);
    this.#before = this.#continued?.before ?? messages;
    this.#answer = createMessageAccumulator(this.#continued?.message);
    const { parts } = this.#answer.message;
    this.#turns = parts.filter(({ type }) => type === "step").length;
  }

  async *run(): Chunks<void> {
    this.#signal.throwIfAborted();
    const { maxTurns = 10 } = this.#options;
    const waits = toWaitReason(yield* this.#continueCalls());
    let end = waits && [this.#toDone(waits)];
    while (end === undefined) {
      end = this.#turns < maxTurns ? yield* this.#takeTurn() : [this.#toDone("max-turns")];
    }
    yield* end;
  }

  /** Answers and results of the request, for the calls of the earlier answer. */
  async *#continueCalls(): Chunks<CallOutcome[]> {
    if (!this.#continued) return [];
    const { options = {}, tools } = this.#options;
    const { answered, ofProvider, results, unapproved, unrun } = findOpenCalls(
      this.#continued.message,
      options,
      tools,
    );
    for (const chunk of results) yield this.#keep(chunk);
    const context = this.#toContext();
    const outcomes = yield* this.#runCalls(
      answered.map(({ call, answer }) => inTurn([answerCall(call, answer, context)])),
    );
    const others: CallOutcome[] = [
      ...outcomes,
      ...unapproved.map(() => "awaits-approval" as const),
      ...unrun.map(() => "awaits-client" as const),
    ];
    if (ofProvider.length === 0) return others;
    // The provider wants all of these answers in one request, so they stay open until the model is called.
    const resolved = ofProvider.map(({ answer }) => resolve(answer, false)?.chunk);
    const isWhole = toWaitReason(others) === undefined && !resolved.includes(undefined);
    if (!isWhole) return [...others, "awaits-approval"];
    for (const chunk of resolved) yield this.#keep(chunk!);
    return others;
  }

  /** @returns what ends the answer; undefined if another turn follows. */
  async *#takeTurn(): Chunks<StreamChunk[] | undefined> {
    const stepId = `step-${++this.#turns}`;
    const messages = this.#conversation();
    yield this.#keep({ type: "step-start", stepId });
    const turn = yield* this.#readTurn(messages);
    if (turn === "aborted") return [];
    const { finishReason, usage, model, toolCalls, failedCalls } = turn;
    this.#count(turn);
    // Where a turn was cut, the input of a call may have been cut, too.
    const isWhole =
      finishReason !== undefined && finishReason !== "length" && finishReason !== "content-filter";
    const outcomes = isWhole ? yield* this.#beginCalls(toolCalls) : [];
    // The provider asks, about a call that it runs itself.
    const waits = finishReason === "interrupt" ? finishReason : toWaitReason(outcomes);
    yield this.#keep({
      type: "step-end",
      stepId,
      ...(finishReason !== undefined && { finishReason }),
      ...(usage && { usage }),
      ...(model !== undefined && { model }),
    });
    if (waits) return [this.#toDone(waits)];
    const isNext = finishReason === "pause" || (isWhole && toolCalls.length + failedCalls > 0);
    // Nothing waits for a result, whatever the provider has sent.
    return isNext ? undefined : [this.#toDone(finishReason === "tool-calls" ? "other" : finishReason)];
  }

  /** Passes on the chunks of one call of the model. */
  async *#readTurn(messages: ChatMessage[]): Chunks<ReadTurn | "aborted"> {
    const chunks = await this.#openTurn(messages);
    let isOpen = true;
    let error: ReturnType<typeof reduceStreamError>;
    let failedCalls = 0;
    const ofProvider = new Set<string>();
    try {
      for (;;) {
        const { done, value } = await untilAborted(chunks.next(), this.#signal);
        if (done) {
          isOpen = false;
          checkTurn(value);
          const finishReason = error ? undefined : value.finishReason;
          return { ...value, finishReason, failedCalls };
        }
        error = reduceStreamError(error, value);
        // The loop sends its own.
        if (value.type === "done") continue;
        if ("executor" in value && value.executor === "provider") ofProvider.add(value.toolCallId);
        if (value.type === "tool-call-error" && !ofProvider.has(value.toolCallId)) failedCalls++;
        yield this.#keep(this.#describeCall(value));
        if (value.type === "abort") return "aborted";
      }
    } finally {
      if (isOpen) closeIterator(chunks);
    }
  }

  async #openTurn(messages: ChatMessage[]): Promise<ModelStream> {
    const { tools, turn, maxTurns = 10 } = this.#options;
    const opening = Promise.resolve(
      turn({
        messages,
        tools: [...describeTools(tools), ...this.#offered],
        signal: this.#signal,
        isLast: this.#turns >= maxTurns,
      }),
    );
    try {
      const stream = await untilAborted(opening, this.#signal);
      // A stream of the SDK itself has no `next`.
      const isStream = typeof (stream as Partial<ModelStream> | undefined)?.next === "function";
      checkOption(
        "The result of turn",
        isStream,
        "the stream of an adapter, such as fromOpenAIChat(…)",
        stream,
      );
      return stream;
    } catch (error) {
      opening.then(closeIterator, () => {});
      throw error;
    }
  }

  async *#beginCalls(toolCalls: readonly ModelToolCall[]): Chunks<CallOutcome[]> {
    const context = this.#toContext();
    const callsOfIds = new Map<string, ModelToolCall[]>();
    for (const call of withoutRepeated(toolCalls)) {
      const calls = callsOfIds.get(call.toolCallId);
      if (calls) calls.push(call);
      else callsOfIds.set(call.toolCallId, [call]);
    }
    const streams = [...callsOfIds].map(([toolCallId, calls]) => {
      const isAmbiguous = toolCallId === "" || calls.length > 1;
      return inTurn(calls.map((call) => beginCall(call, isAmbiguous, context)));
    });
    return yield* this.#runCalls(streams);
  }

  async *#runCalls(streams: Chunks<CallOutcome[]>[]): Chunks<CallOutcome[]> {
    if (streams.length === 0) return [];
    const merged = mergeStreams(streams, this.#signal);
    try {
      for (;;) {
        const { done, value } = await merged.next();
        if (done) return value.flat();
        yield this.#keep(value);
      }
    } finally {
      closeIterator(merged);
    }
  }

  #toContext(): CallContext {
    const { tools, onToolError } = this.#options;
    const offered = new Set(this.#offered.map(({ name }) => name));
    return { tools, offered, signal: this.#signal, messages: this.#conversation(), onToolError };
  }

  /** The conversation with the answer so far, in the form in which a client sends both. */
  #conversation(): ChatMessage[] {
    const answer = toChatMessage(this.#answer.message, "parts");
    return answer ? [...this.#before, answer] : [...this.#before];
  }

  #keep(chunk: StreamChunk): StreamChunk {
    this.#answer.apply(chunk);
    return chunk;
  }

  /** Adds to a call what the adapter cannot know: who runs it, and its title. */
  #describeCall(chunk: StreamChunk): StreamChunk {
    if (chunk.type !== "tool-call-start" && chunk.type !== "tool-call-ready") return chunk;
    const tool: Tools[string] | undefined = findTool(this.#options.tools, chunk.tool);
    const isOffered = this.#offered.some(({ name }) => name === chunk.tool);
    const isOfClient = tool ? tool.run === undefined : isOffered;
    const { executor = isOfClient ? "client" : undefined, title = tool?.title } = chunk;
    return {
      ...chunk,
      ...(executor !== undefined && { executor }),
      ...(title !== undefined && executor !== "provider" && { title }),
    };
  }

  #count({ usage, usageByModel = [] }: ReadTurn): void {
    this.#usage = addUsage(this.#usage, usage);
    for (const { provider, model, ...counts } of usageByModel) {
      const key = JSON.stringify([provider, model]);
      const { provider: _, model: __, ...before } = this.#usageByModel.get(key) ?? {};
      this.#usageByModel.set(key, { provider, model, ...addUsage(before, counts) });
    }
  }

  #toDone(finishReason: FinishReason | undefined): StreamChunk {
    const usageByModel = [...this.#usageByModel.values()];
    return {
      type: "done",
      ...(finishReason !== undefined && { finishReason }),
      ...(this.#usage && { usage: this.#usage }),
      ...(usageByModel.length > 0 && { usageByModel }),
    };
  }
}

/** @returns why the answer ends for now; undefined if no call waits. */
const toWaitReason = (outcomes: readonly CallOutcome[]): FinishReason | undefined => {
  if (outcomes.includes("awaits-approval")) return "interrupt";
  return outcomes.includes("awaits-client") ? "tool-calls" : undefined;
};

/** Calls that share an id run one after the other: the first result with the id is that of the oldest call. */
async function* inTurn(calls: Chunks<CallOutcome>[]): Chunks<CallOutcome[]> {
  const outcomes: CallOutcome[] = [];
  for (const call of calls) outcomes.push(yield* call);
  return outcomes;
}

/** A call that an adapter repeats runs once; calls without an id may be the same twice. */
function withoutRepeated(calls: readonly ModelToolCall[]): ModelToolCall[] {
  const seen = new Set<string>();
  return calls.filter(({ toolCallId, tool, input }) => {
    const key = JSON.stringify([toolCallId, tool, input]);
    const isRepeated = toolCallId !== "" && seen.has(key);
    seen.add(key);
    return !isRepeated;
  });
}

/** @throws TypeError if a generator of the application's has lost the return value of its adapter. */
function checkTurn(turn: ModelTurn | undefined): asserts turn is ModelTurn {
  if (Array.isArray(turn?.toolCalls)) return;
  throw new TypeError(
    "turn must return what its adapter returns: return the adapter's stream itself, or `return yield* fromOpenAIChat(…)`.",
  );
}
