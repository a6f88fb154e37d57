/**
 * The state of a conversation for a user interface: messages, status, and what can be done. Owns the stream that is
 * under way and the frame that is waited for. Renders nothing, and keeps nothing in storage.
 */
import {
  type ChatMessage,
  type ChatRequestBody,
  type ChatResume,
  closePart,
  createMessageAccumulator,
  type InterruptChunk,
  type MessageAccumulator,
  type RunStartChunk,
  type StreamChunk,
  StreamTruncatedError,
} from "@kortyx/protocol";
import { type ChatTransport, type ChatTransportOptions, createRouteTransport } from "./chat-transport.ts";
import { createId } from "./create-id.ts";
import { requestFrame } from "./request-frame.ts";
import { ChatStateError, StreamRemoteError, toError } from "./stream-errors.ts";
import type { ConnectionState, RouteStreamOptions } from "./stream-from-route.ts";
import { type AssistantUIMessage, toChatMessages, type UIMessage, type UserUIMessage } from "./ui-message.ts";

/** After a stop was accepted, so long may its `abort` chunk take. */
const stopGraceMs = 10_000;

/** Where a chat stands. `error`: the last answer failed, and the next one may be asked for. */
export type ChatStatus = "ready" | "submitted" | "streaming" | "stopping" | "error";

/** All that a user interface needs to know. Never changes: a newer state is another object. */
export interface ChatSnapshot {
  /** The conversation. A message that has not changed is the same object as in the snapshot before. */
  readonly messages: readonly UIMessage[];
  readonly status: ChatStatus;
  /** The connection was lost and is being restored; the answer goes on after that. */
  readonly reconnecting: boolean;
  /** Why the last answer failed. */
  readonly error?: Error | undefined;
  /** The question that waits for `respond()`. */
  readonly interrupt?: Readonly<InterruptChunk> | undefined;
  /** Keep it, and the messages, to go on after a reload. */
  readonly sessionId: string;
  /** Of the last answer. */
  readonly timing?: ChatTiming | undefined;
}

export interface ChatTiming {
  /** When the answer was asked for, in milliseconds since 1970-01-01 UTC. */
  readonly startedAt: number;
  /** How long the first chunk took, in milliseconds. */
  readonly firstChunkMs?: number | undefined;
  /** How long it all took, in milliseconds; set when the answer has ended. */
  readonly durationMs?: number | undefined;
}

interface ChatBehaviour
  extends Pick<ChatRequestBody, "workflowId" | "context">,
    Pick<RouteStreamOptions, "idempotent" | "onConnectionChange"> {
  /** The session to go on with. @defaultValue a new one */
  sessionId?: string | undefined;
  /** The conversation so far. */
  initialMessages?: readonly UIMessage[] | undefined;
  /**
   * What the agent is sent of the conversation.
   *
   * @defaultValue everything that was said; an agent that keeps its sessions wants `(messages) => messages.slice(-1)`
   */
  selectMessages?: ((messages: ChatMessage[]) => ChatMessage[]) | undefined;
  /** Called with every chunk, before the state shows it. What it throws fails the answer. */
  onChunk?: ((chunk: StreamChunk) => void) | undefined;
  /** Called when an answer has ended, in whatever way; `message` is missing when nothing of it has come. */
  onFinish?:
    | ((result: { message?: AssistantUIMessage | undefined; error?: Error | undefined }) => void)
    | undefined;
}

/** A chat over a route, or over a transport of the application's own. */
export type ChatOptions = ChatBehaviour &
  (
    | (Omit<RouteStreamOptions, "signal"> & { transport?: undefined })
    | { transport: ChatTransport; endpoint?: undefined }
  );

/** What the user says: a text, or a message whose `id` may replace an earlier one. */
export type ChatInput = string | Omit<ChatMessage, "role">;

/** The state of one conversation, and what can be done with it. */
export interface Chat {
  /** The state as it was last told to the subscribers. The same object until then. */
  getSnapshot(): ChatSnapshot;
  /**
   * Calls back at once and whenever the state has changed: a change of status at once, growing text once per frame.
   *
   * @returns a function that ends it.
   */
  subscribe(listener: (snapshot: ChatSnapshot) => void): () => void;
  /**
   * Says something. With the `id` of an earlier message, that message is replaced, and what followed it is dropped.
   *
   * @returns a promise that resolves when the answer has ended, in whatever way.
   * @throws ChatStateError `busy`, as a rejection.
   */
  send(input: ChatInput): Promise<void>;
  /**
   * Answers a question of the agent's.
   *
   * @param answer - A text, or the ids of options.
   * @throws ChatStateError `busy` or `not-pending`, as a rejection.
   */
  respond(interrupt: Pick<InterruptChunk, "requestId">, answer: string | string[]): Promise<void>;
  /**
   * Asks for another answer to the last thing that the user said, in place of the one that is there.
   *
   * @throws ChatStateError `busy` or `nothing-to-regenerate`, as a rejection.
   */
  regenerate(): Promise<void>;
  /**
   * Follows the newest run of the session, if there is one: after a reload, or in another tab.
   *
   * @returns a promise that resolves when there is none, or when it has ended.
   */
  resume(): Promise<void>;
  /**
   * Ends the answer, for everybody who follows it. Resolves when it has ended; what has come is kept.
   *
   * @throws As a rejection, what the transport's `stop` threw; the answer goes on then.
   */
  stop(): Promise<void>;
  /** Stops following the answer, which a route with runs goes on with. The chat can be used again. */
  close(): void;
  /**
   * Stops the answer, and starts over: no messages, a new session.
   *
   * @throws As `stop` does; nothing has changed then.
   */
  clear(): Promise<void>;
}

/** One answer that is asked for or followed. */
interface Run {
  /** This chat has asked for it, and does not only follow it. */
  isAsked: boolean;
  accumulator: MessageAccumulator<AssistantUIMessage>;
  abort: AbortController;
  idempotencyKey: string | undefined;
  runId?: string;
  /** The messages before its own and behind it. */
  before: readonly UIMessage[];
  behind: readonly UIMessage[];
  hasChunks?: boolean;
  /** The connection was open at least once. */
  wasOpen?: boolean;
  startedAt: number;
  /** On the clock that never jumps. */
  start: number;
  stopping?: Promise<void> | undefined;
  /** When it gives no more. */
  ended: PromiseWithResolvers<void>;
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
  const transport = read().transport ?? createRouteTransport(() => read() as RouteStreamOptions);
  const { initialMessages = [], sessionId = createId() } = read();
  const listeners = new Set<(snapshot: ChatSnapshot) => void>();
  let snapshot = withInterrupt({
    messages: initialMessages.map(settle),
    status: "ready",
    reconnecting: false,
    sessionId,
  });
  /** The answer that is under way. */
  let current: Run | undefined;
  /** A run that may be there: it becomes the current one with its first chunk. */
  let probe: Run | undefined;
  /** What the user said to answer a question, with what the agent is told then. */
  const resumes = new WeakMap<UIMessage, ChatResume>();
  let cancelFrame: (() => void) | undefined;

  function publish(change: Partial<ChatSnapshot> = {}, run = current): void {
    cancelFrame?.();
    cancelFrame = undefined;
    const messages = run?.hasChunks ? messagesOf(run) : snapshot.messages;
    snapshot = withInterrupt({ ...snapshot, messages, ...change });
    for (const listener of [...listeners]) {
      // Whoever was told may have sent another away.
      if (listeners.has(listener)) callSafely(() => listener(snapshot));
    }
  }

  function createRun(isAsked: boolean, before: readonly UIMessage[], idempotencyKey?: string): Run {
    return {
      isAsked,
      accumulator: createMessageAccumulator({ id: createId(), role: "assistant" } as AssistantUIMessage),
      abort: new AbortController(),
      idempotencyKey,
      before,
      behind: [],
      startedAt: Date.now(),
      start: performance.now(),
      ended: Promise.withResolvers(),
    };
  }

  /** Asks for the answer to `messages`. */
  function ask(messages: readonly UIMessage[], resume?: ChatResume): Promise<void> {
    dropProbe();
    const { workflowId, context, idempotent, selectMessages = (all) => all } = read();
    const run = createRun(true, messages, idempotent === true ? createId() : undefined);
    current = run;
    publish({ messages, status: "submitted", error: undefined, timing: { startedAt: run.startedAt } });
    // Whoever was told may have ended it.
    if (run !== current) return run.ended.promise;
    const { idempotencyKey } = run;
    void follow(run, (options) => {
      const { sessionId } = snapshot;
      const said = selectMessages(toChatMessages(messages));
      return transport.start(
        { messages: said, sessionId, workflowId, context, idempotencyKey, resume },
        options,
      );
    });
    return run.ended.promise;
  }

  const isLive = (run: Run): boolean => run === current || run === probe;

  async function follow(
    run: Run,
    open: (options: ChatTransportOptions) => AsyncIterable<StreamChunk>,
  ): Promise<void> {
    const options: ChatTransportOptions = {
      signal: run.abort.signal,
      onConnectionChange: (connection) => onConnection(run, connection),
    };
    try {
      for await (const chunk of open(options)) {
        if (!isLive(run)) return;
        apply(run, chunk);
      }
      finish(run, "done");
    } catch (error) {
      finish(run, "truncated", toError(error));
    }
  }

  function apply(run: Run, chunk: StreamChunk): void {
    if (run === probe && chunk.type === "run-start" && isWhole(chunk.runId)) {
      leave(run);
      return;
    }
    run.accumulator.apply(chunk);
    if (chunk.type === "run-start") placeAnswer(run, chunk);
    const isFirst = !run.hasChunks;
    run.hasChunks = true;
    read().onChunk?.(chunk);
    // Whoever was called may have ended it.
    if (!isLive(run)) return;
    if (isFirst) {
      if (run === probe) {
        probe = undefined;
        current = run;
      }
      const firstChunkMs = performance.now() - run.start;
      publish({
        status: run.stopping === undefined ? "streaming" : "stopping",
        error: undefined,
        timing: { startedAt: run.startedAt, firstChunkMs },
        ...(chunk.type === "session" && { sessionId: chunk.sessionId }),
      });
    } else if (chunk.type === "session" && chunk.sessionId !== snapshot.sessionId) {
      publish({ sessionId: chunk.sessionId });
    } else {
      cancelFrame ??= requestFrame(() => publish());
    }
  }

  /** What is shown to its end already has nothing to be followed for. */
  function isWhole(runId: string): boolean {
    const shown = snapshot.messages.find(({ id }) => id === runId);
    return shown?.role === "assistant" && (shown.status === "done" || shown.abortReason !== undefined);
  }

  /** A run's message takes the place of the one with its id, or of the answers to what it answers. */
  function placeAnswer(run: Run, { runId, input }: RunStartChunk): void {
    // What this chat has asked for itself is in its place, whatever the agent was sent of it.
    const said = run.isAsked ? undefined : (input as ChatMessage | null | undefined);
    run.runId = runId;
    const all = [...run.before, ...run.behind];
    let from = all.findIndex(({ id }) => id === runId);
    let to = from + 1;
    if (from === -1 && typeof said?.content === "string") {
      const asked = all.findLastIndex(
        (message) =>
          message.role === "user" &&
          (said.id === undefined ? message.content === said.content : message.id === said.id),
      );
      if (asked === -1) all.push({ ...said, role: "user", id: said.id ?? createId() });
      from = asked === -1 ? all.length : asked + 1;
      to = from;
      while (all[to]?.role === "assistant") to++;
    }
    if (from === -1) return;
    run.before = all.slice(0, from);
    run.behind = all.slice(to);
  }

  function onConnection(run: Run, connection: ConnectionState): void {
    read().onConnectionChange?.(connection);
    run.wasOpen ||= connection.state === "open";
    const reconnecting = connection.state === "reconnecting";
    if (run === current && reconnecting !== snapshot.reconnecting) publish({ reconnecting });
  }

  /** The run gives no more. */
  function finish(run: Run, how: "done" | "truncated" | "aborted", thrown?: Error): void {
    if (!isLive(run)) return;
    const isProbe = run === probe;
    probe = undefined;
    run.accumulator.finish(how);
    const { message } = run.accumulator;
    let error = thrown;
    if (message.status === "error") error ??= new StreamRemoteError(message.error!);
    if (isProbe) {
      // No chunk has come: a session without a run is nothing to speak of.
      if (error !== undefined && !meansNoRun(error) && (run.wasOpen || !isEmptyAnswer(error))) {
        publish({ status: "error", error });
      }
      run.ended.resolve();
      return;
    }
    // An answer in order without a chunk is an answer all the same.
    run.hasChunks ||= how === "done";
    const { timing } = snapshot;
    current = undefined;
    publish(
      {
        status: error === undefined ? "ready" : "error",
        error,
        reconnecting: false,
        timing: timing && { ...timing, durationMs: performance.now() - run.start },
      },
      run,
    );
    run.ended.resolve();
    callSafely(() => read().onFinish?.({ message: run.hasChunks ? message : undefined, error }));
  }

  /** Stops reading. */
  function leave(run: Run): void {
    finish(run, "aborted");
    run.abort.abort();
  }

  function dropProbe(): void {
    if (probe !== undefined) leave(probe);
  }

  async function stopRun(run: Run): Promise<void> {
    const statusBefore = snapshot.status;
    publish({ status: "stopping" });
    const { runId, idempotencyKey } = run;
    if (transport.stop === undefined || (runId ?? idempotencyKey) === undefined) return leave(run);
    try {
      const target = runId === undefined ? { idempotencyKey: idempotencyKey! } : { runId };
      // An answer that has ended needs no word about it.
      await Promise.race([transport.stop(target), run.ended.promise]);
    } catch (error) {
      // It ended by itself, or there is nothing to be stopped.
      if (run !== current) return;
      if (meansNoRun(error)) return leave(run);
      run.stopping = undefined;
      publish({ status: run.hasChunks ? "streaming" : statusBefore });
      throw error;
    }
    const timer = setTimeout(() => leave(run), stopGraceMs);
    await run.ended.promise;
    clearTimeout(timer);
  }

  const chat: Chat = {
    getSnapshot: () => snapshot,
    subscribe(listener) {
      // Its own entry, also when the same function subscribes twice.
      const own = (state: ChatSnapshot) => listener(state);
      listeners.add(own);
      callSafely(() => listener(snapshot));
      return () => void listeners.delete(own);
    },
    async send(input) {
      refuseWhileBusy();
      const said = typeof input === "string" ? { content: input } : input;
      const message: UserUIMessage = { ...said, role: "user", id: said.id ?? createId() };
      const { messages } = snapshot;
      const replaced = messages.findIndex(({ id }) => id === message.id);
      await ask([...(replaced === -1 ? messages : messages.slice(0, replaced)), message]);
    },
    async respond({ requestId }, answer) {
      refuseWhileBusy();
      const { interrupt, messages } = snapshot;
      if (interrupt?.requestId !== requestId) {
        throw new ChatStateError("not-pending", `The question ${requestId} does not wait for an answer.`);
      }
      const message: UserUIMessage = { role: "user", id: createId(), content: textOf(answer, interrupt) };
      const resume = { requestId, resumeToken: interrupt.resumeToken, answer };
      resumes.set(message, resume);
      await ask([...messages, message], resume);
    },
    async regenerate() {
      refuseWhileBusy();
      const { messages } = snapshot;
      const asked = messages.findLastIndex(({ role }) => role === "user");
      if (asked === -1) {
        throw new ChatStateError("nothing-to-regenerate", "There is nothing to answer again.");
      }
      await ask(messages.slice(0, asked + 1), resumes.get(messages[asked]!));
    },
    async resume() {
      const followed = current ?? probe;
      if (followed !== undefined) return followed.ended.promise;
      if (transport.resume === undefined) return;
      const run = createRun(false, snapshot.messages);
      probe = run;
      void follow(run, (options) => transport.resume!({ sessionId: snapshot.sessionId }, options));
      await run.ended.promise;
    },
    async stop() {
      dropProbe();
      const run = current;
      if (run === undefined) return;
      let { stopping } = run;
      if (stopping === undefined) {
        // It is there before anybody is told, who might stop, too.
        const { promise, resolve } = Promise.withResolvers<void>();
        run.stopping = stopping = promise;
        resolve(stopRun(run));
      }
      await stopping;
    },
    close() {
      dropProbe();
      if (current !== undefined) leave(current);
    },
    async clear() {
      // Whoever hears that the answer has ended may ask for the next one.
      while (current !== undefined) await chat.stop();
      dropProbe();
      publish({
        messages: [],
        status: "ready",
        error: undefined,
        timing: undefined,
        sessionId: createId(),
      });
    },
  };

  function refuseWhileBusy(): void {
    if (current !== undefined) {
      throw new ChatStateError("busy", "An answer is under way.");
    }
  }

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
  const last = state.messages.at(-1);
  const interrupt = last?.role === "assistant" && last.status === "done" ? last.interrupt : undefined;
  return { ...state, interrupt };
}

/** What was kept while it was still growing does not grow any more. */
function settle(message: UIMessage): UIMessage {
  if (message.role === "user" || message.status !== "streaming") return message;
  return { ...message, status: "truncated", parts: message.parts.map(closePart) };
}

const messagesOf = (run: Run): UIMessage[] => [...run.before, run.accumulator.message, ...run.behind];

/** Not found, or a route without runs. */
const meansNoRun = (error: unknown): boolean =>
  [404, 405].includes((error as { status?: unknown } | undefined)?.status as number);

/** 204: there is nothing to be followed. */
const isEmptyAnswer = (error: Error): boolean => error instanceof StreamTruncatedError;

/** What the user has said by answering: the labels of the options, or the text. */
function textOf(answer: string | string[], { input }: InterruptChunk): string {
  const options = "options" in input ? input.options : [];
  return [answer]
    .flat()
    .map((said) => options.find(({ id }) => id === said)?.label ?? said)
    .join(", ");
}
