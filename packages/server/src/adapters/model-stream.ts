/**
 * What the adapters of models share: their options, what they return, and how a stream ends. Knows no provider.
 */
import {
  type ChatTypes,
  type FinishReason,
  type ModelUsage,
  type StreamChunk,
  StreamTruncatedError,
  type TokenUsage,
} from "@kortyx/protocol";
import { describeKind } from "@kortyx/protocol/internal";

/** Options of every adapter of a model's stream. */
export interface AdapterOptions {
  /**
   * The signal that the SDK's request has, too. SDKs end silently when they are aborted; with the signal, the adapter
   * throws its reason instead of taking the rest for the whole answer.
   */
  signal?: AbortSignal | undefined;
  /** Ends the chunks with `done`. `false` for one turn of a loop, which sends its own; an `abort` comes all the same. @defaultValue true */
  terminal?: boolean | undefined;
  /** Called with each event, or part of one, that this version does not know. It is otherwise passed over. */
  onUnknown?: ((event: unknown) => void) | undefined;
}

/** A call of a tool that the application has to run, or to give to the client. */
export interface ModelToolCall {
  /** Names the call. */
  toolCallId: string;
  /** The name of the tool. */
  tool: string;
  /** The input, parsed; a text for a tool that takes free text. */
  input: unknown;
}

/** What one call of a model has come to: the return value of an adapter, for `yield*` in a loop. */
export interface ModelTurn {
  /** Why the model stopped. */
  finishReason: FinishReason;
  /** The tokens of this call, if the provider reports them. */
  usage: TokenUsage | undefined;
  /** The same by model. */
  usageByModel: ModelUsage[] | undefined;
  /** The model, as the provider names it. */
  model: string | undefined;
  /** The calls that wait for a result; without those of which the input was no JSON, which have failed already. */
  toolCalls: ModelToolCall[];
}

/** The chunks of one call of a model. */
export type ModelStream<Types extends ChatTypes = ChatTypes> = AsyncGenerator<
  StreamChunk<Types>,
  ModelTurn,
  void
>;

/**
 * Reads the stream of an SDK. To be called at once, not at the first `next()`: a request that fails before its chunks are
 * requested would be an unhandled rejection, which ends a Node process. The iteration throws the failure instead.
 *
 * @param takes - The adapter, and what it takes, for the message about anything else.
 * @throws the reason of an aborted signal, also where the SDK continues, or fails with an error of its own; TypeError for
 * what is no stream, such as the response to a request without `stream: true`, and for a stream of text or bytes.
 */
export function readEvents<Event>(
  stream: AsyncIterable<Event> | PromiseLike<AsyncIterable<Event>>,
  signal: AbortSignal | undefined,
  takes: string,
): AsyncGenerator<Event, void, void> {
  const opened = Promise.resolve(stream);
  opened.catch(() => {});
  return iterate(opened, signal, takes);
}

async function* iterate<Event>(
  opened: PromiseLike<AsyncIterable<Event>>,
  signal: AbortSignal | undefined,
  takes: string,
): AsyncGenerator<Event, void, void> {
  try {
    const stream: unknown = await opened;
    if (typeof stream !== "object" || stream === null || !(Symbol.asyncIterator in stream)) {
      throw new TypeError(`${takes}; got ${describeKind(stream)}.`);
    }
    for await (const event of stream as AsyncIterable<Event>) {
      signal?.throwIfAborted();
      const isRaw = typeof event !== "object" || ArrayBuffer.isView(event);
      if (isRaw) throw new TypeError(`${takes}; got a stream of text or bytes.`);
      yield event;
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}

/** Translates the events of one call of a model. */
export interface TurnReader<Event> {
  /** Whether the provider's own end has come. */
  readonly hasEnded: boolean;
  read(event: Event): readonly StreamChunk[];
  /** To be called once, after all events. */
  end(): { chunks: readonly StreamChunk[]; turn: ModelTurn };
}

/**
 * The chunks of one call of a model.
 *
 * @param source - The provider's name, for the message of a stream that has no end.
 * @param takes - The adapter, and what it takes, for the message about anything else.
 */
export function readTurn<Event>(
  source: string,
  takes: string,
  stream: AsyncIterable<Event> | PromiseLike<AsyncIterable<Event>>,
  options: AdapterOptions,
  reader: TurnReader<Event>,
): ModelStream {
  return toChunks(source, readEvents(stream, options.signal, takes), options, reader);
}

async function* toChunks<Event>(
  source: string,
  events: AsyncIterable<Event>,
  { signal, terminal = true }: AdapterOptions,
  reader: TurnReader<Event>,
): ModelStream {
  for await (const event of events) {
    for (const chunk of reader.read(event)) yield chunk;
  }
  checkEnd(source, reader.hasEnded, signal);
  const { chunks, turn } = reader.end();
  for (const chunk of chunks) yield chunk;
  if (terminal) yield toDone(turn);
  return turn;
}

/** @returns the `done` of a turn. */
export const toDone = ({ finishReason, usage, usageByModel }: ModelTurn): StreamChunk => ({
  type: "done",
  finishReason,
  ...(usage && { usage }),
  ...(usageByModel && { usageByModel }),
});

/**
 * To be called when the SDK's iterator has ended: all of them also end without an error when they are aborted, and when a
 * proxy ends the response early.
 *
 * @param source - The provider's name, for the message.
 * @throws the reason of an aborted signal; StreamTruncatedError if the provider's own end has not come.
 */
export function checkEnd(source: string, hasEnded: boolean, signal: AbortSignal | undefined): void {
  signal?.throwIfAborted();
  if (!hasEnded) throw new StreamTruncatedError(`The stream of ${source} ended too early`);
}

/** Reads the input that a model wrote for a tool: JSON, or nothing at all for no arguments. */
export function parseToolInput(text: string): { input: unknown } | undefined {
  if (text.trim() === "") return { input: {} };
  try {
    return { input: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

/** @returns the chunk for a call of which the model wrote an input that is no JSON. */
export const invalidToolInput = (tool: string, toolCallId: string, input: string): StreamChunk => ({
  type: "tool-call-error",
  tool,
  toolCallId,
  message: "The model wrote an input that is not JSON.",
  code: "invalid-input",
  input,
});

/** @returns the counts that are numbers; undefined where nothing was counted, as where all of them are 0. */
export function countTokens(counts: { [Name in keyof TokenUsage]: unknown }): TokenUsage | undefined {
  const known = Object.entries(counts).filter(([, count]) => Number.isFinite(count));
  return known.some(([, count]) => count !== 0) ? Object.fromEntries(known) : undefined;
}

/** Adds token counts; a count that no side has stays absent. */
export function addUsage(a: TokenUsage | undefined, b: TokenUsage | undefined): TokenUsage | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  const names = [...new Set([...Object.keys(a), ...Object.keys(b)])] as (keyof TokenUsage)[];
  const sums = names.map((name) => [name, sum(a[name], b[name])] as const);
  return Object.fromEntries(sums.filter(([, count]) => count !== undefined));
}

const sum = (a: number | undefined, b: number | undefined) =>
  a === undefined && b === undefined ? undefined : (a ?? 0) + (b ?? 0);
