/**
 * The state of one conversation: its messages, its session, the answer in progress and the last failure. Creates
 * snapshots and notifies listeners. The user's actions are in `create-chat.ts`.
 *
 * A callback of the application (a listener, `onChunk`, `onFinish`, `onConnectionChange`) may end, start or clear
 * anything. So the state is read again after each one.
 */
import type { StreamChunk } from "@kortyx/protocol";
import type { ConnectionState } from "../route/stream-from-route.ts";
import { ActiveAnswer, type AnswerOwner, type AnswerRequest } from "./active-answer.ts";
import { shownPhase } from "./answer.ts";
import type { ChatOptions, ChatSnapshot, ChatTiming } from "./chat.ts";
import { checkChatOptions } from "./check-chat-options.ts";
import type { AssistantUIMessage, UIMessage } from "./messages.ts";
import { onNextFrame } from "./next-frame.ts";
import { toUIMessage } from "./stored-message.ts";

type Listener = (snapshot: ChatSnapshot) => void;

export class Conversation implements AnswerOwner {
  readonly #readOptions: () => ChatOptions;
  readonly #listeners = new Set<Listener>();
  readonly #firstMessages: readonly UIMessage[];
  #messages: readonly UIMessage[];
  #sessionId: string | undefined;
  #answer: ActiveAnswer | undefined;
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
    const { initialMessages } = this.#readOptions();
    // Any other change of the messages replaces the first array.
    const isUntouched = this.#snapshot.messages === this.#firstMessages && this.#firstMessages.length === 0;
    if (!isUntouched || !initialMessages?.length) return;
    this.#messages = initialMessages.map(toUIMessage);
    this.#publish();
  }

  setMessages(messages: readonly UIMessage[]): void {
    this.#messages = messages;
    this.#refusal = undefined;
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
   * Requests the answer to `messages`.
   *
   * @returns a promise that resolves when it has ended.
   */
  requestAnswer(
    messages: readonly UIMessage[],
    sessionId: string,
    request: Omit<AnswerRequest, "origin">,
  ): Promise<void> {
    this.leaveUnseen();
    this.#messages = messages;
    this.#sessionId = sessionId;
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

  /** Ends a search for a run: there is nothing to stop yet. */
  leaveUnseen(): void {
    const answer = this.#answer;
    if (answer && !shownPhase(answer.state)) answer.leave();
  }

  onChunk(answer: ActiveAnswer, chunk: StreamChunk): void {
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
    const shown = this.#messages.find(({ id }) => id === runId) as AssistantUIMessage | undefined;
    return shown?.status === "done" || shown?.abortReason !== undefined;
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

  #toSnapshot(): ChatSnapshot {
    const answer = this.#answer;
    const phase = answer && shownPhase(answer.state);
    const shown = phase && answer;
    const messages = shown?.messages ?? this.#messages;
    const connectionError = shown?.state.connectionError;
    return {
      messages,
      status: phase ?? (this.#failure ? "error" : "ready"),
      statusMessage: shown?.state.statusMessage,
      reconnecting: connectionError !== undefined,
      connectionError,
      error: this.#refusal ?? this.#failure,
      interrupt: findInterrupt(messages),
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

/** The question at the end of the last message. */
function findInterrupt(messages: readonly UIMessage[]): AssistantUIMessage["interrupt"] {
  const { status, interrupt } = (messages.at(-1) ?? {}) as Partial<AssistantUIMessage>;
  return status === "done" ? interrupt : undefined;
}
