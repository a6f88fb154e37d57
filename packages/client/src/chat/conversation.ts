/**
 * The state of one conversation: its messages, its session, the answer in progress and why something failed. Makes the
 * snapshots and notifies their listeners. What the user may do is `create-chat.ts`.
 *
 * A callback of the application (a listener, `onChunk`, `onFinish`, `onConnectionChange`) may end, start or clear anything.
 * After each one, the state is read anew.
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
  /** Of the last answer that has ended. */
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

  /** What was said, without the answer in progress. */
  get messages(): readonly UIMessage[] {
    return this.#messages;
  }

  get sessionId(): string | undefined {
    return this.#sessionId;
  }

  /** The answer that is in progress, or looked for. */
  get answer(): ActiveAnswer | undefined {
    return this.#answer;
  }

  subscribe(listener: Listener): () => void {
    // Its own entry, also when the same function subscribes twice.
    const own: Listener = (snapshot) => callSafely(() => listener(snapshot));
    this.#listeners.add(own);
    own(this.#snapshot);
    return () => this.#listeners.delete(own);
  }

  /** Shows `initialMessages` that come later than the chat, as long as nothing was said, answered, set or cleared. */
  takeHistory(): void {
    const { initialMessages } = this.#readOptions();
    // Whatever else changes the messages puts another array in place of the first one.
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

  /** An action was refused. Published once, although a second action may wait for the first and fail with it. */
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
   * Looks for the newest run of the session. Until it is found, the user sees nothing of it.
   *
   * @returns a promise that resolves when it has ended, or was not found.
   */
  findRun(request: Omit<AnswerRequest, "origin">): Promise<void> {
    const answer = new ActiveAnswer({ ...request, origin: "looking" }, this);
    this.#answer = answer;
    void answer.follow();
    return answer.ended;
  }

  /** Leaves a run that is only looked for: there is nothing of it to stop. */
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

  /** Whether an answer is shown to its end already: then there is nothing to follow. */
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

/** Calls what a listener has given: its mistake affects neither the answer nor the other listeners. */
function callSafely(callback: () => void): void {
  try {
    callback();
  } catch (error) {
    console.error(error);
  }
}

/** The question that the last message ends on. */
function findInterrupt(messages: readonly UIMessage[]): AssistantUIMessage["interrupt"] {
  const { status, interrupt } = (messages.at(-1) ?? {}) as Partial<AssistantUIMessage>;
  return status === "done" ? interrupt : undefined;
}
