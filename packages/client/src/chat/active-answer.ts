/**
 * The answer in progress: requests it, folds its chunks, stops it and leaves it. Owns its stream and its timer, and
 * ends both. Knows nothing of the conversation but its messages, and publishes nothing; its owner does.
 */
import {
  type ChatTypes,
  createMessageAccumulator,
  type MessageAccumulator,
  type RunStartChunk,
  type StreamChunk,
  type UIMessage,
} from "@kortyx/protocol";
import { createId } from "../route/create-id.ts";
import { yieldConnection } from "../route/shared-connections.ts";
import type { ConnectionState } from "../route/stream-from-route.ts";
import { StreamRemoteError, toError } from "../stream/errors.ts";
import {
  type AnswerState,
  beginAnswer,
  changeConnection,
  endAnswer,
  isNoRun,
  isWhole,
  meansNoRun,
  receiveChunk,
  receiveFirst,
  refuseStop,
  requestStop,
  showFound,
  shownPhase,
} from "./answer.ts";
import type { AssistantUIMessage } from "./messages.ts";
import { type AnswerPlace, placeById, placeLast } from "./place-answer.ts";
import type { ChatTransport, ChatTransportOptions } from "./route-transport.ts";

/** How long the `abort` chunk may take after a stop was accepted, in milliseconds. */
const stopGraceMs = 10_000;
/** The same if the answer gave up its connection for the stop: another one may never become free. */
const yieldedGraceMs = 2_000;

export interface AnswerRequest {
  origin: AnswerState["origin"];
  /** Carries the answer, and stops it. */
  transport: ChatTransport;
  open(options: ChatTransportOptions): AsyncIterable<StreamChunk>;
  /** Identifies the answer to stop while its run's id is unknown. */
  idempotencyKey?: string | undefined;
  /** The message that the answer continues, unless its run names another. */
  continues?: AssistantUIMessage | undefined;
}

/** The conversation that an answer belongs to. Each callback may end the answer. */
export interface AnswerOwner {
  /** The messages without the answer. */
  readonly messages: readonly UIMessage[];
  /** Passes the chunk on to {@link ActiveAnswer.receive}. An error that it throws fails the answer. */
  onChunk(answer: ActiveAnswer, chunk: StreamChunk): void;
  onConnectionChange(connection: ConnectionState): void;
  /** The visible state of the answer changed, other than by a chunk. */
  onChange(): void;
  onStopFailure(error: Error): void;
  /** The answer has ended; `error` is why it failed. */
  onEnd(answer: ActiveAnswer, error: Error | undefined): void;
  /** A search ended before the user saw a run; `error` is why it failed. */
  onSearchEnd(error: Error | undefined): void;
}

export class ActiveAnswer {
  /** Resolves when the answer has ended. */
  readonly ended: Promise<void>;
  readonly #request: AnswerRequest;
  readonly #owner: AnswerOwner;
  readonly #resolveEnded: () => void;
  readonly #abort = new AbortController();
  /** The message that the answer continues. */
  #continued: AssistantUIMessage | undefined;
  #accumulator: MessageAccumulator<ChatTypes, AssistantUIMessage>;
  /** The message, once it has its end: its run is not read again. */
  #whole: AssistantUIMessage | undefined;
  /** On the monotonic clock. */
  readonly #startedAt = performance.now();
  #state: AnswerState;
  #stream: AsyncIterable<StreamChunk> | undefined;
  /** The current attempt to stop it, until that fails. */
  #stop: Promise<void> | undefined;

  constructor(request: AnswerRequest, owner: AnswerOwner) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ended = promise;
    this.#resolveEnded = resolve;
    this.#request = request;
    this.#owner = owner;
    this.#state = beginAnswer(request.origin, Date.now());
    this.#continued = request.continues;
    this.#accumulator = accumulate(request.continues);
  }

  get state(): AnswerState {
    return this.#state;
  }

  /** Undefined until its first chunk. */
  get message(): AssistantUIMessage | undefined {
    return this.#state.place && this.#shown;
  }

  /** The conversation with the answer in its place; undefined until its first chunk. */
  get messages(): UIMessage[] | undefined {
    const { place } = this.#state;
    return place && [...place.before, this.#shown, ...place.after];
  }

  get #shown(): AssistantUIMessage {
    return this.#whole ?? this.#accumulator.message;
  }

  /** Requests the answer, and reads it to its end. */
  async follow(): Promise<void> {
    try {
      this.#stream = this.#request.open({
        signal: this.#abort.signal,
        onConnectionChange: (connection) => this.#changeConnection(connection),
      });
      for await (const chunk of this.#stream) {
        if (this.#state.phase === "ended") return;
        this.#owner.onChunk(this, chunk);
      }
      this.#end("done");
    } catch (error) {
      this.#end("truncated", toError(error));
    }
  }

  /** @throws StreamProtocolError for a chunk that the message cannot hold. */
  receive(chunk: StreamChunk): void {
    if (chunk.type === "run-start") this.#begin(chunk);
    this.#accumulator.apply(chunk);
    if (!this.#state.place) {
      this.#state = receiveFirst(this.#state, this.#placeFirst(), this.#elapsedMs());
    }
    this.#state = receiveChunk(this.#state, chunk, this.#owner.messages);
  }

  /** A run names the message that it continues. It is the first chunk of its log, so nothing is lost. */
  #begin({ runId, continues }: RunStartChunk): void {
    if (this.#continued?.id === continues || this.#state.runId === runId) return;
    const shown = this.#owner.messages.find(({ id }) => id === continues) as AssistantUIMessage | undefined;
    // A message that already holds chunks of this run, from before a reload, would hold them twice.
    this.#continued = shown?.runId === runId ? (shown.beforeRun ?? shown) : shown;
    this.#accumulator = accumulate(this.#continued);
  }

  #placeFirst(): AnswerPlace {
    const { messages } = this.#owner;
    return (this.#continued && placeById(messages, this.#continued.id)) ?? placeLast(messages);
  }

  /** Shows a found run to the user. */
  show(): void {
    this.#state = showFound(this.#state);
  }

  /** Stops reading; a run continues on the server. */
  leave(): void {
    this.#end("aborted");
    this.#abort.abort();
  }

  /**
   * Stops the answer for every follower. A second call waits for the first.
   *
   * @throws The error of the transport's `stop`; the answer then continues.
   */
  stop(): Promise<void> {
    if (this.#stop) return this.#stop;
    const { promise, resolve } = Promise.withResolvers<void>();
    // Set before listeners are notified, because a listener may also stop the answer.
    this.#stop = promise;
    resolve(this.#requestStop());
    return promise;
  }

  async #requestStop(): Promise<void> {
    this.#state = requestStop(this.#state);
    this.#owner.onChange();
    const { transport, idempotencyKey } = this.#request;
    const { runId } = this.#state;
    const target = runId ? { runId } : idempotencyKey ? { idempotencyKey } : undefined;
    if (!transport.stop || !target) return this.leave();
    let hasYielded: boolean;
    try {
      // An answer that ends on its own need not wait for the response to its stop.
      const stopped = Promise.race([transport.stop(target), this.ended]);
      hasYielded = await yieldConnection(this.#stream, stopped);
    } catch (thrown) {
      return this.#failStop(thrown);
    }
    const timer = setTimeout(() => this.leave(), hasYielded ? yieldedGraceMs : stopGraceMs);
    await this.ended;
    clearTimeout(timer);
  }

  #failStop(thrown: unknown): void {
    if (this.#state.phase === "ended") return;
    if (meansNoRun(thrown)) {
      this.leave();
      return;
    }
    const error = toError(thrown);
    this.#state = refuseStop(this.#state);
    this.#owner.onStopFailure(error);
    // Only now: a listener that stops every streaming answer must not repeat this attempt endlessly.
    this.#stop = undefined;
    throw error;
  }

  #changeConnection(connection: ConnectionState): void {
    this.#owner.onConnectionChange(connection);
    const { connectionError } = this.#state;
    this.#state = changeConnection(this.#state, connection);
    if (this.#state.connectionError !== connectionError && shownPhase(this.#state)) this.#owner.onChange();
  }

  #end(how: "done" | "truncated" | "aborted", thrown?: Error): void {
    const state = this.#state;
    if (state.phase === "ended") return;
    this.#accumulator.finish(how);
    const { beforeRun, ...message } = this.#accumulator.message;
    if (beforeRun && isWhole(message)) this.#whole = message;
    // A stream that ended in order without chunks is an empty answer.
    const place = state.place ?? (how === "done" ? this.#placeFirst() : undefined);
    this.#state = endAnswer({ ...state, place }, this.#elapsedMs());
    this.#resolveEnded();
    if (shownPhase(state)) {
      const { status, error } = this.#accumulator.message;
      this.#owner.onEnd(this, thrown ?? (status === "error" ? new StreamRemoteError(error!) : undefined));
    } else {
      this.#owner.onSearchEnd(thrown && isNoRun(state, thrown) ? undefined : thrown);
    }
  }

  #elapsedMs(): number {
    return performance.now() - this.#startedAt;
  }
}

/** @param continued - The message to continue; it is kept until the run has ended, to read the run again. */
function accumulate(
  continued: AssistantUIMessage | undefined,
): MessageAccumulator<ChatTypes, AssistantUIMessage> {
  if (!continued)
    return createMessageAccumulator({ id: createId(), role: "assistant" } as AssistantUIMessage);
  const { beforeRun: _, ...message } = continued;
  return createMessageAccumulator({ ...message, beforeRun: message } as AssistantUIMessage);
}
