/**
 * The state of a conversation for a user interface: messages, status, and what can be done. Owns the stream that is
 * under way and the frame that is waited for. Renders nothing, and keeps nothing in storage.
 */
import {
  type ChatMessage,
  type ChatResume,
  closePart,
  createMessageAccumulator,
  type InterruptChunk,
  type InterruptOption,
  type RunStartChunk,
  type StreamChunk,
  StreamTruncatedError,
} from "@kortyx/protocol";
import type { Chat, ChatOptions, ChatSnapshot } from "./chat.ts";
import { type ChatTransportOptions, createRouteTransport } from "./chat-transport.ts";
import { createId } from "./create-id.ts";
import { requestFrame } from "./request-frame.ts";
import { ChatStateError, StreamRemoteError, toError } from "./stream-errors.ts";
import type { ConnectionState, RouteStreamOptions } from "./stream-from-route.ts";
import { type AssistantUIMessage, toChatMessages, type UIMessage, type UserUIMessage } from "./ui-message.ts";

/** After a stop was accepted, so long may its `abort` chunk take. */
const stopGraceMs = 10_000;

/** One answer that is asked for or followed. */
interface Run {
  /** The chat is busy with it: from the beginning, or, where it is only looked for, from its first chunk on. */
  isShown: boolean;
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
  const read = typeof options === "function" ? options : () => options;
  const transport = read().transport ?? createRouteTransport(read as () => RouteStreamOptions);
  const { initialMessages = [], sessionId = createId() } = read();
  const listeners = new Set<(snapshot: ChatSnapshot) => void>();
  let snapshot = withInterrupt({
    messages: initialMessages.map(settle),
    status: "ready",
    reconnecting: false,
    sessionId,
  });
  /** The answer that is under way, or looked for. */
  let live: Run | undefined;
  /** What the user said to answer a question, with what the agent is told then. */
  const resumes = new WeakMap<UIMessage, ChatResume>();
  let cancelFrame: (() => void) | undefined;

  function publish(change: Partial<ChatSnapshot> = {}, run = live): void {
    cancelFrame?.();
    cancelFrame = undefined;
    snapshot = withInterrupt({ ...snapshot, messages: run?.messages() ?? snapshot.messages, ...change });
    for (const listener of [...listeners]) {
      // Whoever was told may have sent another away.
      if (listeners.has(listener)) listener(snapshot);
    }
  }

  /** Asks for the answer to `messages`. */
  function ask(messages: readonly UIMessage[], resume?: ChatResume): Promise<void> {
    live?.leave();
    const { workflowId, context, idempotent, selectMessages } = read();
    const idempotencyKey = idempotent ? createId() : undefined;
    const open = (options: ChatTransportOptions) => {
      const { sessionId } = snapshot;
      const said = toChatMessages(messages);
      return transport.start(
        { messages: selectMessages?.(said) ?? said, sessionId, workflowId, context, idempotencyKey, resume },
        options,
      );
    };
    return startRun(true, messages, open, idempotencyKey);
  }

  /**
   * @param isAsked - This chat asks for the answer, and does not only look for it.
   * @param before - The messages before its own.
   * @returns a promise that resolves when the run gives no more.
   */
  function startRun(
    isAsked: boolean,
    before: readonly UIMessage[],
    open: (options: ChatTransportOptions) => AsyncIterable<StreamChunk>,
    idempotencyKey?: string,
  ): Promise<void> {
    const accumulator = createMessageAccumulator({ id: createId(), role: "assistant" } as AssistantUIMessage);
    const abort = new AbortController();
    const ended = Promise.withResolvers<void>();
    const startedAt = Date.now();
    /** On the clock that never jumps. */
    const start = performance.now();
    /** The messages behind its own. */
    let behind: readonly UIMessage[] = [];
    let runId: string | undefined;
    let hasChunks = false;
    /** The connection was open at least once. */
    let wasOpen = false;
    let stopping: Promise<void> | undefined;

    async function follow(): Promise<void> {
      try {
        for await (const chunk of open({ signal: abort.signal, onConnectionChange })) {
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
      if (chunk.type === "run-start") placeAnswer(chunk);
      const isFirst = !hasChunks;
      hasChunks = true;
      read().onChunk?.(chunk);
      // Whoever was called may have ended it.
      if (run !== live) return;
      run.isShown = true;
      const sessionId = chunk.type === "session" ? chunk.sessionId : snapshot.sessionId;
      if (isFirst) {
        publish({
          status: stopping ? "stopping" : "streaming",
          error: undefined,
          timing: { startedAt, firstChunkMs: performance.now() - start },
          sessionId,
        });
      } else if (sessionId !== snapshot.sessionId) {
        publish({ sessionId });
      } else {
        cancelFrame ??= requestFrame(publish);
      }
    }

    /** Its message takes the place of the one with its id, or of the answers to what it answers. */
    function placeAnswer(chunk: RunStartChunk): void {
      runId = chunk.runId;
      // What this chat has asked for itself is in its place, whatever the agent was sent of it.
      const said = isAsked ? undefined : (chunk.input as ChatMessage | null | undefined);
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
        publish({ status, error, reconnecting: false, connectionError: undefined, timing }, run);
        callSafely(() => read().onFinish?.({ message: hasChunks ? message : undefined, error }));
      } else if (error && !meansNoRun(error) && (wasOpen || !(error instanceof StreamTruncatedError))) {
        // A session without a run is nothing to speak of, whether it is not found or there is nothing to follow (204).
        publish({ status, error });
      }
    }

    function leave(): void {
      finish("aborted");
      abort.abort();
    }

    async function stop(): Promise<void> {
      const statusBefore = snapshot.status;
      publish({ status: "stopping" });
      if (!transport.stop || !(runId ?? idempotencyKey)) return leave();
      try {
        const target = runId ? { runId } : { idempotencyKey: idempotencyKey! };
        // An answer that has ended needs no word about it.
        await Promise.race([transport.stop(target), ended.promise]);
      } catch (error) {
        // It ended by itself, or there is nothing to be stopped.
        if (run !== live) return;
        if (meansNoRun(error)) return leave();
        // Whoever is told may try again, but not before this try is over.
        publish({ status: hasChunks ? "streaming" : statusBefore });
        stopping = undefined;
        throw error;
      }
      const timer = setTimeout(leave, stopGraceMs);
      await ended.promise;
      clearTimeout(timer);
    }

    const run: Run = {
      isShown: isAsked,
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
    if (isAsked) publish({ messages: before, status: "submitted", error: undefined, timing: { startedAt } });
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
  function whenFree(): ChatSnapshot {
    if (live?.isShown) throw new ChatStateError("busy");
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
    async send(input) {
      const said = typeof input === "string" ? { content: input } : input;
      const message: UserUIMessage = { ...said, role: "user", id: said.id ?? createId() };
      const { messages } = whenFree();
      const replaced = messages.findIndex(({ id }) => id === message.id);
      await ask([...(replaced === -1 ? messages : messages.slice(0, replaced)), message]);
    },
    async respond({ requestId }, answer) {
      const { interrupt, messages } = whenFree();
      if (interrupt?.requestId !== requestId) throw new ChatStateError("not-pending");
      const message: UserUIMessage = { role: "user", id: createId(), content: textOf(answer, interrupt) };
      const resume = { requestId, resumeToken: interrupt.resumeToken, answer };
      resumes.set(message, resume);
      await ask([...messages, message], resume);
    },
    async regenerate() {
      const { messages } = whenFree();
      const asked = messages.findLastIndex(({ role }) => role === "user");
      if (asked === -1) {
        throw new ChatStateError("nothing-to-regenerate");
      }
      await ask(messages.slice(0, asked + 1), resumes.get(messages[asked]!));
    },
    async resume() {
      if (live) return live.ended;
      const { messages, sessionId } = snapshot;
      if (!transport.resume) return;
      await startRun(false, messages, (options) => transport.resume!({ sessionId }, options));
    },
    async stop() {
      dropUnseen();
      await live?.stop();
    },
    close: () => live?.leave(),
    async clear() {
      // Whoever hears that the answer has ended may ask for the next one.
      dropUnseen();
      while (live) await chat.stop();
      publish({
        messages: [],
        status: "ready",
        error: undefined,
        timing: undefined,
        sessionId: createId(),
      });
    },
  };

  return chat;
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

/** What was kept while it was still growing does not grow any more. */
function settle(message: UIMessage): UIMessage {
  if (message.role === "user" || message.status !== "streaming") return message;
  return { ...message, status: "truncated", parts: message.parts.map(closePart) };
}

/** Not found, or a route without runs. */
const meansNoRun = (error: unknown): boolean =>
  [404, 405].includes((error as { status?: unknown } | undefined)?.status as number);

/** What the user has said by answering: the labels of the options, or the text. */
function textOf(answer: string | string[], { input }: InterruptChunk): string {
  const { options } = input as { options?: InterruptOption[] };
  return [answer]
    .flat()
    .map((said) => options?.find(({ id }) => id === said)?.label ?? said)
    .join(", ");
}
