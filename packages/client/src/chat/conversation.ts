/**
 * The state of one conversation: its messages, its session, the answer in progress and the last failure. Creates
 * snapshots and notifies listeners. The user's actions are in `create-chat.ts`.
 *
 * A callback of the application (a listener, `onChunk`, `onFinish`, `onConnectionChange`) may end, start or clear
 * anything. So the state is read again after each one.
 */
import type { InterruptAnswer, StreamChunk } from "@kortyx/protocol";
import { withSafeUrl } from "@kortyx/protocol/internal";
import type { ConnectionState } from "../route/stream-from-route.ts";
import { ActiveAnswer, type AnswerOwner, type AnswerRequest } from "./active-answer.ts";
import { isWhole, shownPhase } from "./answer.ts";
import type { ChatOptions, ChatSnapshot, ChatTiming } from "./chat.ts";
import { checkChatOptions, checkInitialMessages } from "./check-chat-options.ts";
import type { AssistantUIMessage, UIMessage } from "./messages.ts";
import { onNextFrame } from "./next-frame.ts";
import { closeLate, type LateAnswers, openQuestions } from "./open-questions.ts";
import { toUIMessage } from "./stored-message.ts";

type Listener = (snapshot: ChatSnapshot) => void;

export class Conversation implements AnswerOwner {
  readonly #readOptions: () => ChatOptions;
  readonly #listeners = new Set<Listener>();
  readonly #firstMessages: readonly UIMessage[];
  #messages: readonly UIMessage[];
  #sessionId: string | undefined;
  #answer: ActiveAnswer | undefined;
  /** A message is being prepared: its files are uploaded. */
  #preparation: AbortController | undefined;
  #acceptsParts = false;
  /** Answers that wait for those to other questions, by `requestId`. */
  readonly #decisions = new Map<string, InterruptAnswer>();
  /** Timing of the last finished answer. */
  #timing: ChatTiming | undefined;
  /** Why the last answer failed. */
  #failure: Error | undefined;
  /** Why the last action was refused; it hides the failure. */
  #refusal: Error | undefined;
  #snapshot: ChatSnapshot;
  #cancelFrame: (() => void) | undefined;

  constructor(readOptions: () => ChatOptions) {
    const options = readOptions();
    checkChatOptions(options);
    this.#readOptions = readOptions;
    this.#firstMessages = (options.initialMessages ?? []).map(toUIMessage);
    this.#messages = this.#firstMessages;
    this.#sessionId = options.sessionId || undefined;
    this.#snapshot = this.#toSnapshot();
  }

  get snapshot(): ChatSnapshot {
    return this.#snapshot;
  }

  /** The messages, without the answer in progress. */
  get messages(): readonly UIMessage[] {
    return this.#messages;
  }

  get sessionId(): string | undefined {
    return this.#sessionId;
  }

  /** The route has shown that it reads the parts of messages. */
  get acceptsParts(): boolean {
    return this.#acceptsParts;
  }

  get isPreparing(): boolean {
    return this.#preparation !== undefined;
  }

  /** The answer in progress, or being looked for. */
  get answer(): ActiveAnswer | undefined {
    return this.#answer;
  }

  subscribe(listener: Listener): () => void {
    // A separate entry even if the same function subscribes twice.
    const own: Listener = (snapshot) => callSafely(() => listener(snapshot));
    this.#listeners.add(own);
    own(this.#snapshot);
    return () => this.#listeners.delete(own);
  }

  /**
   * Shows `initialMessages` that arrive after the chat was created, unless messages were sent, answered, set or
   * cleared.
   */
  takeHistory(): void {
    // Any other change of the messages replaces the first array.
    const isUntouched = this.#snapshot.messages === this.#firstMessages && this.#firstMessages.length === 0;
    if (!isUntouched) return;
    const options = this.#readOptions();
    checkInitialMessages(options);
    const { initialMessages } = options;
    if (!initialMessages?.length) return;
    this.#messages = initialMessages.map(toUIMessage);
    this.#publish();
  }

  setMessages(messages: readonly UIMessage[]): void {
    this.#messages = messages;
    this.#refusal = undefined;
    this.#publish();
  }

  /** Keeps an answer to a question of the last message, which is open no more. */
  decide(answer: InterruptAnswer): void {
    this.#decisions.set(answer.requestId, answer);
    this.#refusal = undefined;
    this.#publish();
  }

  /** The answers that were kept. The next request takes them along, or they are void. */
  get decisions(): InterruptAnswer[] {
    const asked = openQuestions(this.#messages.at(-1));
    return asked.flatMap(({ requestId }) => this.#decisions.get(requestId) ?? []);
  }

  /** Closes questions and calls of a message that no stream has closed. */
  closeLate(messageId: string, late: LateAnswers): void {
    this.#messages = this.#messages.map((message) =>
      message.role === "assistant" && message.id === messageId ? closeLate(message, late) : message,
    );
    this.#publish();
  }

  clear(): void {
    this.#messages = [];
    this.#sessionId = undefined;
    this.#timing = undefined;
    this.#failure = undefined;
    this.#refusal = undefined;
    this.#publish();
  }

  /** An action was refused. Published once, even if a second action waits for the first and fails with it. */
  refuse(error: Error): void {
    if (this.#refusal === error) return;
    this.#refusal = error;
    this.#publish();
  }

  /**
   * Waits for what a message needs before it is sent. The chat is busy until then, and until {@link requestAnswer}.
   *
   * @returns undefined if the user has left meanwhile.
   * @throws What `prepare` throws.
   */
  async prepare<Value>(prepare: (signal: AbortSignal) => Promise<Value>): Promise<Value | undefined> {
    this.leaveUnseen();
    const preparation = new AbortController();
    const { signal } = preparation;
    const left = new Promise<undefined>((resolve) => {
      signal.addEventListener("abort", () => resolve(undefined));
    });
    this.#preparation = preparation;
    const failure = this.#failure;
    this.#failure = undefined;
    this.#refusal = undefined;
    this.#publish();
    try {
      return await Promise.race([left, prepare(signal)]);
    } catch (error) {
      if (this.#preparation === preparation) {
        this.#preparation = undefined;
        this.#failure = failure;
      }
      throw error;
    }
  }

  /**
   * Requests the answer to `messages`.
   *
   * @returns a promise that resolves when it has ended.
   */
  requestAnswer(
    messages: readonly UIMessage[],
    sessionId: string,
    request: Omit<AnswerRequest, "origin">,
  ): Promise<void> {
    this.#preparation = undefined;
    this.leaveUnseen();
    this.#messages = messages;
    this.#sessionId = sessionId;
    this.#decisions.clear();
    this.#failure = undefined;
    this.#refusal = undefined;
    const answer = new ActiveAnswer({ ...request, origin: "submitted" }, this);
    this.#answer = answer;
    this.#publish();
    if (answer.state.phase !== "ended") void answer.follow();
    return answer.ended;
  }

  /**
   * Looks for the latest run of the session. Invisible to the user until a run is found.
   *
   * @returns a promise that resolves when it has ended, or was not found.
   */
  findRun(request: Omit<AnswerRequest, "origin">): Promise<void> {
    const answer = new ActiveAnswer({ ...request, origin: "looking" }, this);
    this.#answer = answer;
    void answer.follow();
    return answer.ended;
  }

  /** Ends a search for a run, and the preparation of a message: there is nothing to stop yet. */
  leaveUnseen(): void {
    const answer = this.#answer;
    if (answer && !shownPhase(answer.state)) answer.leave();
    if (!this.#preparation) return;
    this.#preparation.abort();
    this.#preparation = undefined;
    this.#publish();
  }

  onChunk(answer: ActiveAnswer, given: StreamChunk): void {
    // A transport of the application may not have read the chunk with this package.
    const chunk = withSafeUrl(given);
    const { phase, place } = answer.state;
    if (phase === "looking" && chunk.type === "run-start" && this.#showsWhole(chunk.runId)) {
      answer.leave();
      return;
    }
    answer.receive(chunk);
    this.#readOptions().onChunk?.(chunk);
    if (answer !== this.#answer) return;
    if (phase === "looking") {
      this.#failure = undefined;
      this.#refusal = undefined;
      answer.show();
    }
    if (chunk.type === "run-start" && chunk.acceptsParts) this.#acceptsParts = true;
    const isNewSession = chunk.type === "session" && chunk.sessionId !== this.#sessionId;
    if (isNewSession) this.#sessionId = chunk.sessionId;
    if (isNewSession || !place) this.#publish();
    else this.#cancelFrame ??= onNextFrame(this.#publish);
  }

  onConnectionChange(connection: ConnectionState): void {
    this.#readOptions().onConnectionChange?.(connection);
  }

  onChange(): void {
    this.#publish();
  }

  onStopFailure(error: Error): void {
    this.#refusal = error;
    this.#publish();
  }

  onEnd({ messages, message, state }: ActiveAnswer, error: Error | undefined): void {
    this.#answer = undefined;
    this.#messages = messages ?? this.#messages;
    this.#timing = state.timing;
    this.#failure = error;
    this.#refusal = undefined;
    this.#publish();
    callSafely(() => this.#readOptions().onFinish?.({ message, error }));
  }

  onSearchEnd(error: Error | undefined): void {
    this.#answer = undefined;
    if (!error) return;
    this.#failure = error;
    this.#publish();
  }

  /** Whether the finished answer is already shown: then there is nothing to follow. */
  #showsWhole(runId: string): boolean {
    return this.#messages.some((message) => {
      const { id, runId: latest = id, beforeRun, ...shown } = message as AssistantUIMessage;
      if (latest !== runId) return false;
      // A message that was continued elsewhere cannot be folded again: what it was before is not known.
      return isWhole(shown) || (latest !== id && !beforeRun);
    });
  }

  readonly #publish = (): void => {
    this.#cancelFrame?.();
    this.#cancelFrame = undefined;
    this.#snapshot = this.#toSnapshot();
    for (const listener of [...this.#listeners]) {
      // A listener may have unsubscribed another one.
      if (this.#listeners.has(listener)) listener(this.#snapshot);
    }
  };

  #findInterrupts(last: UIMessage | undefined): ChatSnapshot["interrupts"] {
    if ((last as Partial<AssistantUIMessage> | undefined)?.status !== "done") return [];
    return openQuestions(last).filter(({ requestId }) => !this.#decisions.has(requestId));
  }

  #toSnapshot(): ChatSnapshot {
    const answer = this.#answer;
    const phase = answer && shownPhase(answer.state);
    const shown = phase && answer;
    const messages = shown?.messages ?? this.#messages;
    const interrupts = phase || this.#preparation ? [] : this.#findInterrupts(messages.at(-1));
    const connectionError = shown?.state.connectionError;
    return {
      messages,
      status: phase ?? (this.#preparation ? "submitted" : this.#failure ? "error" : "ready"),
      statusMessage: shown?.state.statusMessage,
      reconnecting: connectionError !== undefined,
      connectionError,
      error: this.#refusal ?? this.#failure,
      interrupt: interrupts.at(-1),
      interrupts,
      sessionId: this.#sessionId,
      timing: shown?.state.timing ?? this.#timing,
    };
  }
}

/** Calls a listener. If it throws, neither the answer nor the other listeners are affected. */
function callSafely(callback: () => void): void {
  try {
    callback();
  } catch (error) {
    console.error(error);
  }
}
