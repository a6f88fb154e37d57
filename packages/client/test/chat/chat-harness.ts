/**
 * Chats over a fake transport: streams that the test feeds, a record of the requests, and checks that run after every
 * test of a chat.
 */
import type { ChatRequestBody, InterruptChunk, StreamChunk } from "@kortyx/protocol";
import { afterEach, beforeEach, expect, vi } from "vitest";
import type { Chat, ChatOptions, ChatSnapshot } from "../../src/chat/chat.ts";
import { createChat } from "../../src/chat/create-chat.ts";
import { toMessageText, type UIMessage } from "../../src/chat/messages.ts";
import type { ChatTransport, ChatTransportOptions } from "../../src/chat/route-transport.ts";
import { StreamHttpError } from "../../src/stream/errors.ts";

export const delta = (text: string): StreamChunk => ({ type: "text-delta", delta: text });
export const done: StreamChunk = { type: "done" };

/** The error that a chat receives for a response with this status. */
export const httpError = (status: number): StreamHttpError =>
  new StreamHttpError(new Response(null, { status }), "");

/** One stream that the chat reads. */
export interface TestStream {
  /** Set on a stream that `start` opened. */
  body: ChatRequestBody | undefined;
  /** Set on a stream that `resume` opened. */
  sessionId: string | undefined;
  signal: AbortSignal;
  /** The chat is reading it: reading has begun, and has neither ended nor been cancelled. */
  isOpen: boolean;
  /** How reading ended. */
  ending: "ended" | "failed" | "left" | undefined;
  /** The chunks that the chat has read. */
  read: StreamChunk[];
  give(...chunks: StreamChunk[]): void;
  /** Ends it in order. */
  end(): void;
  fail(error: unknown): void;
  connect(): void;
  /** Reports a lost connection, or another failed attempt to restore it. */
  lose(error?: unknown): void;
}

export interface TestTransport extends ChatTransport {
  start: NonNullable<ChatTransport["start"]>;
  resume: NonNullable<ChatTransport["resume"]>;
  /** All streams, in the order in which they were opened. */
  streams: TestStream[];
  /** The arguments of each call of `stop`. */
  stops: ({ runId: string } | { idempotencyKey: string })[];
  /** Settles the oldest pending call of `stop`. */
  answerStop(error?: unknown): void;
}

/** The latest stream. */
export const streamOf = (transport: TestTransport): TestStream => transport.streams.at(-1)!;

function testStream(
  { signal, onConnectionChange }: ChatTransportOptions,
  target: { body?: ChatRequestBody; sessionId?: string },
): TestStream & { chunks: AsyncIterable<StreamChunk> } {
  const steps: (() => StreamChunk | undefined)[] = [];
  let wake = () => {};
  const add = (step: () => StreamChunk | undefined) => {
    steps.push(step);
    wake();
  };
  async function* read(): AsyncGenerator<StreamChunk> {
    stream.isOpen = true;
    signal.addEventListener("abort", () => wake());
    try {
      for (;;) {
        signal.throwIfAborted();
        const step = steps.shift();
        if (step === undefined) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
          continue;
        }
        const chunk = step();
        if (chunk === undefined) {
          stream.ending = "ended";
          return;
        }
        stream.read.push(chunk);
        yield chunk;
      }
    } finally {
      stream.isOpen = false;
      stream.ending ??= "left";
    }
  }
  const stream: ReturnType<typeof testStream> = {
    body: target.body,
    sessionId: target.sessionId,
    signal,
    isOpen: false,
    ending: undefined,
    read: [],
    chunks: read(),
    give(...chunks) {
      for (const chunk of chunks) add(() => chunk);
    },
    end: () => add(() => undefined),
    fail: (error) =>
      add(() => {
        stream.ending = "failed";
        throw error;
      }),
    connect: () => onConnectionChange({ state: "open" }),
    lose: (error = new Error("lost")) =>
      onConnectionChange({ state: "reconnecting", attempt: 1, delayMs: 100, error }),
  };
  return stream;
}

/** A transport with runs; `{ stop: undefined }` or `{ resume: undefined }` removes that method. */
export function testTransport(
  replaced: { [Method in keyof ChatTransport]?: ChatTransport[Method] | undefined } = {},
): TestTransport {
  const streams: TestStream[] = [];
  const stops: TestTransport["stops"] = [];
  const pending: { resolve: () => void; reject: (error: unknown) => void }[] = [];
  const open = (...[options, target]: Parameters<typeof testStream>) => {
    const stream = testStream(options, target);
    streams.push(stream);
    return stream.chunks;
  };
  return {
    start: (body, options) => open(options, { body }),
    resume: (target, options) => open(options, target),
    stop(target) {
      stops.push(target);
      return new Promise((resolve, reject) => pending.push({ resolve, reject }));
    },
    streams,
    stops,
    answerStop(...failure) {
      const call = pending.shift()!;
      if (failure.length === 0) call.resolve();
      else call.reject(failure[0]);
    },
    ...replaced,
  } as TestTransport;
}

/** Every state that the chat emits, including the one at subscription. */
export function record(chat: Chat): ChatSnapshot[] {
  const states: ChatSnapshot[] = [];
  chat.subscribe((state) => states.push(state));
  return states;
}

/** The statuses of the states, without consecutive repetitions. */
export const statusesOf = (states: readonly ChatSnapshot[]): string[] =>
  states.map(({ status }) => status).filter((status, index, all) => status !== all[index - 1]);

/** Runs everything that does not wait for a timer. Needs fake timers. */
export const flush = async (): Promise<void> => void (await vi.advanceTimersByTimeAsync(0));

/** Advances by one frame in an environment without painting. Needs fake timers. */
export const nextFrame = async (): Promise<void> => void (await vi.advanceTimersByTimeAsync(16));

/** The state of a promise: `pending`, `resolved`, or its rejection reason. */
export function outcomeOf(promise: Promise<unknown>): { is: unknown } {
  const outcome: { is: unknown } = { is: "pending" };
  promise.then(
    () => {
      outcome.is = "resolved";
    },
    (error) => {
      outcome.is = error;
    },
  );
  return outcome;
}

export const uuidV4: RegExp = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/**
 * Fake timers and a silent `console.error` for every test of the file. After each test, no timer is left and no
 * rejection was unhandled.
 */
export function watchChats(): void {
  let unhandled: unknown[] = [];
  const onUnhandled = (reason: unknown) => unhandled.push(reason);
  beforeEach(() => {
    vi.useFakeTimers({ now: 1_000_000 });
    unhandled = [];
    process.on("unhandledRejection", onUnhandled);
    vi.spyOn(console, "error").mockImplementation(() => {});
  });
  afterEach(async () => {
    await flush();
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
    vi.unstubAllGlobals();
    await new Promise((resolve) => setImmediate(resolve));
    process.off("unhandledRejection", onUnhandled);
    expect(unhandled).toEqual([]);
    vi.restoreAllMocks();
  });
}

export const user = (content: string, id: string): UIMessage => ({ role: "user", id, content });
export const answer = (content: string, id: string): UIMessage => ({
  role: "assistant",
  id,
  status: "done",
  parts: [{ type: "text", key: "", text: content, state: "done" }],
});
export const runStart = (runId: string, input?: unknown): StreamChunk => ({
  type: "run-start",
  runId,
  ...(input !== undefined && { input }),
});
export const question: InterruptChunk = {
  type: "interrupt",
  requestId: "request-1",
  resumeToken: "token-1",
  input: {
    kind: "multi-choice",
    multiple: true,
    question: "Which?",
    options: [
      { id: "a", label: "Apples" },
      { id: "b", label: "Bananas" },
    ],
  },
};

export type Behaviour = Omit<Extract<ChatOptions, { transport: object }>, "transport" | "endpoint">;
type Replaced = Parameters<typeof testTransport>[0];

/** A chat over a transport with runs. */
export function setUp(options: Behaviour = {}, replaced: Replaced = {}) {
  const transport = testTransport(replaced);
  const chat = createChat({ sessionId: "session-1", ...options, transport });
  return { transport, chat, states: record(chat) };
}

/** A chat over a transport that cannot stop or resume. */
export const setUpPlain = (options: Behaviour = {}) => setUp(options, { stop: undefined, resume: undefined });

/** A chat with an answer in progress that has received `chunks`. */
export async function setUpBusy(chunks: StreamChunk[], options: Behaviour = {}, replaced: Replaced = {}) {
  const all = setUp(options, replaced);
  const sent = outcomeOf(all.chat.send("Hello"));
  const stream = streamOf(all.transport);
  await flush();
  stream.give(...chunks);
  await nextFrame();
  return { ...all, stream, sent };
}

/** The conversation, one line per message. */
export const read = (chat: Chat): string[] =>
  chat
    .getSnapshot()
    .messages.map((message) =>
      message.role === "user" ? message.content : `(${message.status}) ${toMessageText(message)}`,
    );

export const statusOf = (chat: Chat) => chat.getSnapshot().status;

/** Ends the answer in progress. */
export async function finishWith(transport: TestTransport, ...chunks: StreamChunk[]): Promise<void> {
  streamOf(transport).give(...chunks);
  streamOf(transport).end();
  await flush();
}
