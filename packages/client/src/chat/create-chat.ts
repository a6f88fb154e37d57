/**
 * The state of a conversation for a user interface: messages, status, and what can be done. Owns the stream that is
 * under way and the frame that is waited for. Renders nothing, and keeps nothing in storage.
 */
import {
  type ChatMessage,
  type ChatResume,
  createMessageAccumulator,
  type RunStartChunk,
  type StreamChunk,
  StreamTruncatedError,
} from "@kortyx/protocol";
import { createId } from "../route/create-id.ts";
import { yieldConnection } from "../route/shared-connections.ts";
import type { ConnectionState, RouteStreamOptions } from "../route/stream-from-route.ts";
import { ChatStateError, StreamRemoteError, toError } from "../stream/errors.ts";
import type { Chat, ChatOptions, ChatSnapshot } from "./chat.ts";
import {
  carryResume,
  findResume,
  replaceMessage,
  toAnswerMessage,
  toResume,
  toUserMessage,
} from "./chat-input.ts";
import { checkChatOptions } from "./check-chat-options.ts";
import { type AssistantUIMessage, toChatMessages, type UIMessage } from "./messages.ts";
import { onNextFrame } from "./next-frame.ts";
import { type ChatTransport, type ChatTransportOptions, createRouteTransport } from "./route-transport.ts";
import { toUIMessage } from "./stored-message.ts";

/** After a stop was accepted, so long may its `abort` chunk take. */
const stopGraceMs = 10_000;
/** The same where the answer gave its connection up for the stop: another one may never become free. */
const yieldedGraceMs = 2_000;

/** One answer that is asked for or followed. */
interface Run {
  /** The chat is busy with it: from the beginning, or, where it is only looked for, from its first chunk on. */
  isShown: boolean;
  /** The newest `status` chunk, until text follows. */
  statusMessage: string | undefined;
  /** Resolves when it gives no more. */
  ended: Promise<void>;
  /** @returns the conversation with what has come of it; undefined when nothing has. */
  messages(): UIMessage[] | undefined;
  /** Stops reading. */
  leave(): void;
  /** Stops it for everybody. */
  stop(): Promise<void>;
}

/**
 * Creates the state of a conversation. Nothing is requested until it is told to.
 *
 * @param options - Or a function that gives them, which is called whenever one is needed.
 *
 * @example
 * ```ts
 * const chat = createChat({ endpoint: "/api/chat" });
 * chat.subscribe(({ messages, status }) => render(messages, status));
 * await chat.send("Hello");
 * ```
 */
export function createChat(options: ChatOptions | (() => ChatOptions)): Chat {
  return createChatState(options).chat;
}

/** A chat, and what only the owner of its options does with it. */
export interface ChatState {
  chat: Chat;
  /** Shows `initialMessages` that come later than the chat, as long as nothing was said, set or cleared. */
  takeHistory(): void;
}

/** @param options - As those of {@link createChat}. */
export function createChatState(options: ChatOptions | (() => ChatOptions)): ChatState {
  const read = typeof options === "function" ? options : () => options;
  const first = read();
  checkChatOptions(first);
  const routeTransport = createRouteTransport(read as () => RouteStreamOptions);
  const { initialMessages, sessionId } = first;
  const listeners = new Set<(snapshot: ChatSnapshot) => void>();
  const firstMessages = (initialMessages ?? []).map(toUIMessage);
  let snapshot = withInterrupt({
    messages: firstMessages,
    status: "ready",
    reconnecting: false,
    sessionId: sessionId || undefined,
  });
  /** Why the last answer failed. */
  let failure: Error | undefined;
  /** Why the last action was refused; it hides the failure. */
  let refusal: Error | undefined;
  /** The answer that is under way, or looked for. */
  let live: Run | undefined;
  /** Messages that answer a question, with the answer as it was given; after a reload, they have only its metadata. */
  const resumes = new WeakMap<UIMessage, ChatResume>();
  let cancelFrame: (() => void) | undefined;

  function publish(change: Partial<ChatSnapshot> = {}, run = live): void {
    cancelFrame?.();
    cancelFrame = undefined;
    snapshot = withInterrupt({
      ...snapshot,
      messages: run?.messages() ?? snapshot.messages,
      statusMessage: run?.statusMessage,
      error: refusal ?? failure,
      ...change,
    });
    for (const listener of [...listeners]) {
      // Whoever was told may have sent another away.
      if (listeners.has(listener)) listener(snapshot);
    }
  }

  function takeHistory(): void {
    const { initialMessages } = read();
    // Whatever changes the messages puts another array in place of the first one.
    if (snapshot.messages !== firstMessages || firstMessages.length > 0 || !initialMessages?.length) return;
    publish({ messages: initialMessages.map(toUIMessage) });
  }

  /**
   * Runs an action that may be an event handler. Its promise rejects for callers that wait for it, and is handled for all
   * others.
   *
   * @param action - Changes the state synchronously where it can, so that a second click sees the result of the first.
   */
  function act(action: () => Promise<void> | undefined): Promise<void> {
    const acting = (async () => {
      try {
        await action();
      } catch (thrown) {
        const error = toError(thrown);
        if (refusal !== error) {
          refusal = error;
          publish();
        }
        throw error;
      }
    })();
    acting.catch(() => {});
    return acting;
  }

  /** Asks for the answer to `messages`. */
  function ask(messages: readonly UIMessage[]): Promise<void> {
    live?.leave();
    const resume = resumes.get(messages.at(-1)!) ?? findResume(messages);
    const sessionId = snapshot.sessionId ?? createId();
    const { transport = routeTransport, workflowId, context, idempotent, selectMessages } = read();
    const idempotencyKey = idempotent ? createId() : undefined;
    const open = (options: ChatTransportOptions) => {
      const said = toChatMessages(messages);
      const selected = carryResume(selectMessages?.(said) ?? said, resume);
      return transport.start(
        { messages: selected, sessionId, workflowId, context, idempotencyKey, resume },
        options,
      );
    };
    return startRun(transport, open, { messages, sessionId, idempotencyKey });
  }

  /**
   * @param transport - What stops the run: the one that carries it.
   * @param asked - The conversation that this chat wants to be answered; undefined where it only looks for a run.
   * @returns a promise that resolves when the run gives no more.
   */
  function startRun(
    transport: ChatTransport,
    open: (options: ChatTransportOptions) => AsyncIterable<StreamChunk>,
    asked?: {
      messages: readonly UIMessage[];
      sessionId: string;
      idempotencyKey: string | undefined;
    },
  ): Promise<void> {
    const idempotencyKey = asked?.idempotencyKey;
    const accumulator = createMessageAccumulator({ id: createId(), role: "assistant" } as AssistantUIMessage);
    const abort = new AbortController();
    const ended = Promise.withResolvers<void>();
    let stream: AsyncIterable<StreamChunk> | undefined;
    const startedAt = Date.now();
    /** On the clock that never jumps. */
    const start = performance.now();
    /** The messages before its own. */
    let before = asked?.messages ?? [];
    /** The messages behind its own. */
    let behind: readonly UIMessage[] = [];
    let runId: string | undefined;
    let hasChunks = false;
    /** The connection was open at least once. */
    let wasOpen = false;
    let stopping: Promise<void> | undefined;

    async function follow(): Promise<void> {
      try {
        stream = open({ signal: abort.signal, onConnectionChange });
        for await (const chunk of stream) {
          if (run !== live) return;
          apply(chunk);
        }
        finish("done");
      } catch (error) {
        finish("truncated", toError(error));
      }
    }

    function apply(chunk: StreamChunk): void {
      if (!run.isShown && chunk.type === "run-start" && isWhole(chunk.runId)) {
        leave();
        return;
      }
      accumulator.apply(chunk);
      // Those that came while it was looked for are before it, too.
      if (!run.isShown) before = snapshot.messages;
      if (chunk.type === "run-start") placeAnswer(chunk);
      if (chunk.type === "status") run.statusMessage = chunk.message;
      else if (isText(chunk)) run.statusMessage = undefined;
      const isFirst = !hasChunks;
      hasChunks = true;
      read().onChunk?.(chunk);
      // Whoever was called may have ended it.
      if (run !== live) return;
      run.isShown = true;
      const sessionId = chunk.type === "session" ? chunk.sessionId : snapshot.sessionId;
      if (isFirst) {
        if (!asked) failure = refusal = undefined;
        publish({
          status: stopping ? "stopping" : "streaming",
          timing: { startedAt, firstChunkMs: performance.now() - start },
          sessionId,
        });
      } else if (sessionId !== snapshot.sessionId) {
        publish({ sessionId });
      } else {
        cancelFrame ??= onNextFrame(publish);
      }
    }

    /** Its message takes the place of the one with its id, or of the answers to what it answers. */
    function placeAnswer(chunk: RunStartChunk): void {
      runId = chunk.runId;
      // What this chat has asked for itself is in its place, whatever the agent was sent of it.
      const said = asked ? undefined : (chunk.input as ChatMessage | null | undefined);
      const saidId = typeof said?.id === "string" ? said.id : undefined;
      const all = [...before, ...behind];
      let from = all.findIndex(({ id }) => id === runId);
      let to = from + 1;
      if (from === -1 && typeof said?.content === "string") {
        from =
          all.findLastIndex(
            ({ role, id, content }: Partial<ChatMessage>) =>
              role === "user" && (saidId ? id === saidId : content === said.content),
          ) + 1;
        if (from === 0) from = all.push({ ...said, role: "user", id: saidId ?? createId() });
        to = from;
        while (all[to]?.role === "assistant") to++;
      }
      if (from === -1) return;
      before = all.slice(0, from);
      behind = all.slice(to);
    }

    function onConnectionChange(connection: ConnectionState): void {
      read().onConnectionChange?.(connection);
      wasOpen ||= connection.state === "open";
      const reconnecting = connection.state === "reconnecting";
      const connectionError = reconnecting ? toError(connection.error) : undefined;
      if (run === live && run.isShown && connectionError !== snapshot.connectionError) {
        publish({ reconnecting, connectionError });
      }
    }

    /** The run gives no more. */
    function finish(how: "done" | "truncated" | "aborted", thrown?: Error): void {
      if (run !== live) return;
      live = undefined;
      run.statusMessage = undefined;
      // Whoever waits for it goes on when everybody has been told.
      ended.resolve();
      accumulator.finish(how);
      const { message } = accumulator;
      let error = thrown;
      if (message.status === "error") error ??= new StreamRemoteError(message.error!);
      const status = error ? "error" : "ready";
      if (run.isShown) {
        // An answer in order without a chunk is an answer all the same.
        hasChunks ||= how === "done";
        const timing = { startedAt, ...snapshot.timing, durationMs: performance.now() - start };
        failure = error;
        refusal = undefined;
        publish({ status, reconnecting: false, connectionError: undefined, timing }, run);
        callSafely(() => read().onFinish?.({ message: hasChunks ? message : undefined, error }));
      } else if (error && !meansNoRun(error) && (wasOpen || !(error instanceof StreamTruncatedError))) {
        // A session without a run is nothing to speak of, whether it is not found or there is nothing to follow (204).
        failure = error;
        publish({ status });
      }
    }

    function leave(): void {
      finish("aborted");
      abort.abort();
    }

    async function stop(): Promise<void> {
      const statusBefore = snapshot.status;
      let hasYielded: boolean;
      publish({ status: "stopping" });
      if (!transport.stop || !(runId ?? idempotencyKey)) return leave();
      try {
        const target = runId ? { runId } : { idempotencyKey: idempotencyKey! };
        // An answer that has ended needs no word about it.
        hasYielded = await yieldConnection(stream, Promise.race([transport.stop(target), ended.promise]));
      } catch (thrown) {
        // It ended by itself, or there is nothing to be stopped.
        if (run !== live) return;
        if (meansNoRun(thrown)) return leave();
        const error = toError(thrown);
        refusal = error;
        // A listener may try again, but not before this try is over; and it may do what is refused for another reason.
        publish({ status: hasChunks ? "streaming" : statusBefore });
        stopping = undefined;
        throw error;
      }
      const timer = setTimeout(leave, hasYielded ? yieldedGraceMs : stopGraceMs);
      await ended.promise;
      clearTimeout(timer);
    }

    const run: Run = {
      isShown: asked !== undefined,
      statusMessage: undefined,
      ended: ended.promise,
      messages: () => (hasChunks ? [...before, accumulator.message, ...behind] : undefined),
      leave,
      stop() {
        if (stopping) return stopping;
        // It is there before anybody is told, who might stop, too.
        const { promise, resolve } = Promise.withResolvers<void>();
        stopping = promise;
        resolve(stop());
        return promise;
      },
    };
    live = run;
    if (asked) {
      failure = refusal = undefined;
      const { messages, sessionId } = asked;
      publish({ messages, sessionId, status: "submitted", timing: { startedAt } });
    }
    // Whoever was told may have ended it.
    if (run === live) void follow();
    return run.ended;
  }

  /** Whether an answer is shown to its end already: then there is nothing to follow. */
  function isWhole(runId: string): boolean {
    const shown = snapshot.messages.find(({ id }) => id === runId) as AssistantUIMessage | undefined;
    return shown?.status === "done" || shown?.abortReason !== undefined;
  }

  /** @returns the conversation, when it is the user's turn. */
  function whenFree(action: string, isBusy = live?.isShown): ChatSnapshot {
    takeHistory();
    if (isBusy) {
      throw new ChatStateError("busy", `Cannot ${action} while an answer is streaming; call stop() first.`);
    }
    return snapshot;
  }

  /** Nothing is to be stopped of a run that is only looked for. */
  function dropUnseen(): void {
    if (!live?.isShown) live?.leave();
  }

  const chat: Chat = {
    getSnapshot: () => snapshot,
    subscribe(listener) {
      // Its own entry, also when the same function subscribes twice.
      const own = (state: ChatSnapshot) => callSafely(() => listener(state));
      listeners.add(own);
      own(snapshot);
      return () => listeners.delete(own);
    },
    send: (input) =>
      act(() => {
        const { messages } = whenFree("send");
        const message = toUserMessage(input);
        const replaced = messages.findIndex(({ id }) => id === message.id);
        if (replaced === -1) return ask([...messages, message]);
        return ask([...messages.slice(0, replaced), replaceMessage(message, messages[replaced]!)]);
      }),
    respond: (asked, answer) =>
      act(() => {
        const { interrupt, messages } = whenFree("respond");
        if (!interrupt || interrupt.requestId !== asked?.requestId) {
          throw new ChatStateError(
            "not-pending",
            "Cannot respond: the question was answered already, or the conversation went on without an answer.",
          );
        }
        const resume = toResume(interrupt, answer);
        const message = toAnswerMessage(resume, interrupt);
        resumes.set(message, resume);
        return ask([...messages, message]);
      }),
    regenerate: () =>
      act(() => {
        const { messages } = whenFree("regenerate");
        const asked = messages.findLastIndex(({ role }) => role === "user");
        if (asked === -1) {
          throw new ChatStateError(
            "nothing-to-regenerate",
            "Cannot regenerate: the user has said nothing yet.",
          );
        }
        return ask(messages.slice(0, asked + 1));
      }),
    setMessages: (next) =>
      act(() => {
        // A run that was found is not shown before `onChunk` has seen its first chunk, but must not be lost.
        const { messages } = whenFree("set messages", live?.messages() !== undefined || live?.isShown);
        const replaced = typeof next === "function" ? next(messages) : next;
        if (!Array.isArray(replaced)) {
          throw new ChatStateError(
            "invalid-message",
            `Cannot set messages to ${typeof replaced}: expected an array, or a function that returns one.`,
          );
        }
        refusal = undefined;
        publish({ messages: replaced.map(toUIMessage) });
        return undefined;
      }),
    resume: () =>
      act(() => {
        if (live) return live.ended;
        takeHistory();
        const { sessionId } = snapshot;
        const { transport = routeTransport } = read();
        if (!transport.resume || !sessionId) return undefined;
        return startRun(transport, (options) => transport.resume!({ sessionId }, options));
      }),
    stop: () =>
      act(() => {
        dropUnseen();
        return live?.stop();
      }),
    close: () => live?.leave(),
    clear: () =>
      act(async () => {
        // Whoever hears that the answer has ended may ask for the next one.
        dropUnseen();
        while (live) await chat.stop();
        failure = refusal = undefined;
        publish({ messages: [], status: "ready", timing: undefined, sessionId: undefined });
      }),
  };

  return { chat, takeHistory };
}

/** A mistake of whoever is told is not the answer's, nor the others'. */
function callSafely(callback: () => void): void {
  try {
    callback();
  } catch (error) {
    console.error(error);
  }
}

/** The question that the last message ends on. */
function withInterrupt(state: Omit<ChatSnapshot, "interrupt">): ChatSnapshot {
  const { status, interrupt } = (state.messages.at(-1) ?? {}) as Partial<AssistantUIMessage>;
  return { ...state, interrupt: status === "done" ? interrupt : undefined };
}

/** Not found, or a route without runs. */
const meansNoRun = (error: unknown): boolean =>
  [404, 405].includes((error as { status?: unknown } | undefined)?.status as number);

/** Whether a chunk shows the user text. */
const isText = (chunk: StreamChunk): boolean =>
  chunk.type === "message" || (chunk.type === "text-delta" && chunk.delta !== "");
