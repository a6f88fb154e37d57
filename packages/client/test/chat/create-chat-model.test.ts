/** Random conversations with a simulated server, compared with a simple model of the expected state. */
import {
  createMessageAccumulator,
  type InterruptChunk,
  type StreamChunk,
  StreamTruncatedError,
} from "@kortyx/protocol";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { ChatSnapshot } from "../../src/chat/chat.ts";
import { createChat } from "../../src/chat/create-chat.ts";
import { toMessageText } from "../../src/chat/messages.ts";
import { delta, httpError, outcomeOf, type TestStream, testTransport } from "./chat-harness.ts";

let consoleError: ReturnType<typeof vi.spyOn>;
beforeEach(() => {
  vi.useFakeTimers();
  consoleError = vi.spyOn(console, "error").mockImplementation(() => {});
});
afterEach(() => {
  expect(consoleError).not.toHaveBeenCalled();
  consoleError.mockRestore();
  vi.useRealTimers();
});

/** The actions of the user, or of a program on the user's behalf. */
const deeds = [
  "send",
  "edit",
  "stop",
  "close",
  "clear",
  "resume",
  "regenerate",
  "respond",
  "respond to nothing",
  "forget",
] as const;
type Deed = (typeof deeds)[number];

/** The actions of the server, the network and the clock. */
const events = [
  "accept",
  "refuse",
  "not found",
  "token",
  "tokens",
  "reasoning",
  "tool call",
  "tool result",
  "session",
  "error",
  "question",
  "done",
  "abort",
  "end",
  "cut",
  "lose",
  "connect",
  "stop accepted",
  "stop failed",
  "stop not found",
  "a frame",
  "a while",
] as const;
type ServerEvent = (typeof events)[number];

type Status = ChatSnapshot["status"];
const moments = ["ready", "submitted", "streaming", "stopping", "error", "onChunk", "onFinish"] as const;
type Moment = (typeof moments)[number];
/** A deed done inside a callback: the next call of a listener with this status, of `onChunk` or of `onFinish`. */
type Reaction = { reaction: Deed; at: Moment };
type Step = { deed: Deed } | { event: ServerEvent } | Reaction;

const step = (name: Deed | ServerEvent): Step =>
  (deeds as readonly string[]).includes(name) ? { deed: name as Deed } : { event: name as ServerEvent };

/** Sequences that reach deep states; random single steps seldom do. */
const scenes: (Deed | ServerEvent)[][] = [
  ["send", "accept", "tokens"],
  ["send", "accept", "token", "done"],
  ["send", "accept", "question", "respond"],
  ["edit", "accept", "token"],
  ["cut", "resume", "accept", "token"],
  ["close", "token", "resume", "accept"],
  ["error", "end", "regenerate", "accept"],
  ["stop", "token", "stop accepted"],
  ["done", "resume", "accept", "a frame"],
];

const anySteps: fc.Arbitrary<Step[]> = fc
  .array(
    fc.oneof(
      { weight: 12, arbitrary: fc.constantFrom(...scenes).map((names) => names.map(step)) },
      { weight: 24, arbitrary: fc.constantFrom<ServerEvent[]>(...events).map((name) => [step(name)]) },
      { weight: 9, arbitrary: fc.constantFrom<Deed[]>(...deeds).map((name) => [step(name)]) },
      {
        weight: 2,
        arbitrary: fc
          .record({ reaction: fc.constantFrom(...deeds), at: fc.constantFrom(...moments) })
          .map((reaction) => [reaction]),
      },
    ),
    { minLength: 10, maxLength: 40, size: "max" },
  )
  .map((all) => all.flat());

/** One answer in the server's memory. */
interface ServerRun {
  id: string;
  key: string | undefined;
  sessionId: string;
  log: StreamChunk[];
  isOver: boolean;
}

/** A stream as the server sees it; `run` is missing until the server accepts it. */
interface Connection {
  stream: TestStream;
  run: ServerRun | undefined;
  /** The number of chunks of the log that it has received. */
  at: number;
  isClosed: boolean;
}

const stopFailed = new Error("The stop failed.");
const isBusy = (status: Status): boolean => status !== "ready" && status !== "error";
const tokensOf = (chunks: readonly StreamChunk[]): string =>
  chunks.map((chunk) => (chunk.type === "text-delta" ? chunk.delta : "")).join("");

function deepFreeze(value: unknown): void {
  if (typeof value !== "object" || value === null || value instanceof Error || Object.isFrozen(value)) return;
  Object.freeze(value);
  for (const inner of Object.values(value)) deepFreeze(inner);
}

/** A chat, its server, the network between them, and the expected state of the chat. */
function createWorld(hasRuns: boolean) {
  const transport = testTransport(hasRuns ? {} : { stop: undefined, resume: undefined });
  const runs: ServerRun[] = [];
  const connections: Connection[] = [];
  /** Keys of requests that were stopped before the server accepted them. */
  const stoppedKeys = new Set<string>();
  let stopsAnswered = 0;
  let counter = 0;

  /** The expected messages: the id of a user message, or the stream of an answer. */
  let expected: (string | TestStream)[] = [];
  const promises: { outcome: { is: unknown }; allowed: (error: unknown) => boolean }[] = [];
  let reactions: Reaction[] = [];
  let isResponding = false;
  /** Whether the chat is about to show the first chunk of a run that it searched for. */
  let isFinding = false;

  const chat = createChat({
    transport,
    sessionId: "session-0",
    runs: hasRuns,
    onChunk(chunk) {
      const stream = transport.streams.at(-1)!;
      expect(stream.read.at(-1)).toBe(chunk);
      const isFirst = stream.read.length === 1;
      const isFound = stream.body === undefined;
      if (isFirst && !isFound) showAnswer(stream);
      isFinding = isFirst && isFound;
      react("onChunk");
      isFinding = false;
      // A callback may have cancelled the run that was found.
      if (isFirst && isFound && !stream.signal.aborted) showAnswer(stream);
    },
    onFinish: () => react("onFinish"),
  });
  let last: ChatSnapshot | undefined;
  chat.subscribe((snapshot) => {
    expect(snapshot).toBe(chat.getSnapshot());
    deepFreeze(snapshot);
    const isCleared = snapshot.messages.length === 0 && snapshot.sessionId !== last?.sessionId;
    last = snapshot;
    if (isCleared) expected = [];
    if (isResponding) expected.push(snapshot.messages.at(-1)!.id);
    isResponding = false;
    react(snapshot.status);
  });

  function react(moment: Moment): void {
    const due = reactions.find(({ at }) => at === moment);
    reactions = reactions.filter((other) => other !== due);
    if (due !== undefined) act(due.reaction);
  }

  const runOf = (stream: TestStream) => connections.find((connection) => connection.stream === stream)?.run;

  /** An answer replaces the shown one of the same run, or else the answers that follow its message. */
  function showAnswer(stream: TestStream): void {
    const run = runOf(stream)!;
    const shown = expected.findIndex((entry) => typeof entry === "object" && runOf(entry) === run);
    if (shown !== -1) {
      expected[shown] = stream;
      return;
    }
    const first = run.log[0]!;
    if (stream.body !== undefined || first.type !== "run-start") {
      expected.push(stream);
      return;
    }
    const { id } = first.input as { id: string };
    if (!expected.includes(id)) expected.push(id);
    const from = expected.indexOf(id) + 1;
    let to = from;
    while (typeof expected[to] === "object") to++;
    expected.splice(from, to - from, stream);
  }

  function act(deed: Deed): void {
    const { status, interrupt } = chat.getSnapshot();
    const isFree = !isBusy(status);
    const keep = (promise: Promise<unknown>, refusal: unknown) =>
      promises.push({
        outcome: outcomeOf(promise),
        allowed: (error) => (error as { code?: unknown }).code === refusal,
      });
    const keepStop = (promise: Promise<unknown>) =>
      promises.push({ outcome: outcomeOf(promise), allowed: (error) => error === stopFailed });
    /** The expected code when an action that requests an answer is refused. */
    const refusal = (otherwise?: string) => (isFree ? otherwise : "busy");
    switch (deed) {
      case "send": {
        const id = `user-${++counter}`;
        if (isFree) expected.push(id);
        keep(chat.send({ id, content: id }), refusal());
        break;
      }
      case "edit": {
        const id = expected.find((entry) => typeof entry === "string");
        if (id === undefined) break;
        if (isFree) expected = expected.slice(0, expected.indexOf(id) + 1);
        keep(chat.send({ id, content: `edit-${++counter}` }), refusal());
        break;
      }
      case "regenerate": {
        const asked = expected.findLastIndex((entry) => typeof entry === "string");
        if (isFree && asked !== -1) expected = expected.slice(0, asked + 1);
        keep(chat.regenerate(), refusal(asked === -1 ? "nothing-to-regenerate" : undefined));
        break;
      }
      case "respond":
        if (interrupt === undefined) break;
        isResponding = isFree;
        keep(chat.respond(interrupt, "yes"), refusal());
        break;
      case "respond to nothing":
        keep(chat.respond({ requestId: "nothing" }, "yes"), refusal("not-pending"));
        break;
      case "forget":
        if (isFree && !isFinding) expected = expected.slice(0, -1);
        keep(
          chat.setMessages((messages) => messages.slice(0, -1)),
          isFinding ? "busy" : refusal(),
        );
        break;
      case "resume":
        keep(chat.resume(), undefined);
        break;
      case "close":
        chat.close();
        break;
      default:
        keepStop(chat[deed]());
    }
  }

  /** The server receives the streams that were requested since the last call. */
  function listen(): void {
    for (const stream of transport.streams.slice(connections.length)) {
      connections.push({ stream, run: undefined, at: 0, isClosed: false });
    }
  }

  const waiting = () =>
    connections.find(({ stream, run, isClosed }) => stream.isOpen && run === undefined && !isClosed);
  const attached = () =>
    connections.find(({ stream, run, isClosed }) => stream.isOpen && run !== undefined && !isClosed);

  function refuse(error: Error): void {
    const connection = waiting();
    if (connection === undefined) return;
    connection.isClosed = true;
    connection.stream.fail(error);
  }

  function accept(): void {
    const connection = waiting();
    if (connection === undefined) return;
    const { body, sessionId } = connection.stream;
    if (body === undefined) {
      const newest = runs.findLast((run) => run.sessionId === sessionId);
      if (newest === undefined) refuse(httpError(404));
      else connection.run = newest;
      return;
    }
    const run: ServerRun = {
      id: `run-${++counter}`,
      key: body.idempotencyKey,
      sessionId: body.sessionId!,
      log: [],
      isOver: false,
    };
    if (hasRuns) run.log.push({ type: "run-start", runId: run.id, input: body.messages.at(-1) });
    runs.push(run);
    connection.run = run;
    if (stoppedKeys.has(run.key!)) terminate(run, { type: "abort", reason: "stopped" });
  }

  function terminate(run: ServerRun | undefined, terminal?: StreamChunk): void {
    if (run === undefined || run.isOver) return;
    if (terminal !== undefined) run.log.push(terminal);
    run.isOver = true;
  }

  function answerStop(failure?: Error): void {
    const target = transport.stops[stopsAnswered];
    if (target === undefined) return;
    stopsAnswered++;
    if (failure !== undefined) {
      transport.answerStop(failure);
      return;
    }
    const run = runs.find((one) =>
      "runId" in target ? one.id === target.runId : one.key === target.idempotencyKey,
    );
    if (run === undefined) stoppedKeys.add((target as { idempotencyKey: string }).idempotencyKey);
    terminate(run, { type: "abort", reason: "stopped" });
    transport.answerStop();
  }

  /** The chunks of an event, added to the newest answer in progress. */
  function produce(...chunks: StreamChunk[]): ServerRun | undefined {
    const run = runs.findLast(({ isOver }) => !isOver);
    run?.log.push(...chunks);
    return run;
  }

  const call = () => ({ toolCallId: `call-${++counter % 2}`, tool: "search" });
  const happen: Record<ServerEvent, () => unknown> = {
    accept,
    refuse: () => refuse(httpError(500)),
    "not found": () => refuse(httpError(404)),
    token: () => produce(delta(`t${++counter} `)),
    tokens: () => produce(...Array.from({ length: 5 }, () => delta(`t${++counter} `))),
    reasoning: () => produce({ type: "reasoning-delta", delta: "Hm. " }),
    "tool call": () => produce({ type: "tool-call-start", ...call(), input: { number: counter } }),
    "tool result": () => produce({ type: "tool-call-result", ...call(), content: counter }),
    session() {
      const sessionId = `session-${++counter}`;
      const run = produce({ type: "session", sessionId });
      if (run !== undefined) run.sessionId = sessionId;
    },
    error: () => produce({ type: "error", message: "Overloaded" }),
    question() {
      const question: InterruptChunk = {
        type: "interrupt",
        requestId: `request-${++counter}`,
        resumeToken: "token",
        input: { kind: "text", multiple: false },
      };
      terminate(produce(question), { type: "done", finishReason: "interrupt" });
    },
    done: () => terminate(produce(), { type: "done" }),
    abort: () => terminate(produce(), { type: "abort", reason: "timeout" }),
    end() {
      const run = produce();
      // The model does not cover the message of a stream without a chunk.
      if (run?.log.length !== 0) terminate(run);
    },
    cut() {
      const connection = attached();
      if (connection === undefined) return;
      connection.isClosed = true;
      connection.stream.fail(new StreamTruncatedError("cut"));
    },
    lose: () => attached()?.stream.lose(),
    connect: () => attached()?.stream.connect(),
    "stop accepted": () => answerStop(),
    "stop failed": () => answerStop(stopFailed),
    "stop not found": () => answerStop(httpError(404)),
    "a frame": () => vi.advanceTimersByTime(16),
    "a while": () => vi.advanceTimersByTime(10_000),
  };

  /** The server sends its pending chunks. */
  function deliver(): void {
    for (const connection of connections) {
      const { stream, run } = connection;
      if (run === undefined || connection.isClosed) continue;
      if (!stream.isOpen) {
        connection.isClosed = true;
        // Without runs, an answer that no client reads ends.
        if (!hasRuns) run.isOver = true;
        continue;
      }
      stream.give(...run.log.slice(connection.at));
      connection.at = run.log.length;
      if (!run.isOver) continue;
      connection.isClosed = true;
      stream.end();
    }
  }

  /** Runs everything that does not wait for a timer. */
  async function settle(): Promise<void> {
    for (let before = "", now = "-"; before !== now; ) {
      before = now;
      listen();
      deliver();
      for (let i = 0; i < 25; i++) await null;
      now = transport.streams.map(({ read, isOpen }) => `${read.length}${isOpen}`).join();
    }
  }

  /** What holds after every step. */
  function check(): void {
    const snapshot = chat.getSnapshot();
    const { messages, status, error, interrupt, reconnecting } = snapshot;
    expect(snapshot).toBe(last);

    // The answers: one per run, in place, each with the tokens that its stream delivered, in order.
    expect(new Set(messages.map(({ id }) => id)).size).toBe(messages.length);
    expect(messages).toHaveLength(expected.length);
    for (const [index, message] of messages.entries()) {
      const entry = expected[index]!;
      if (typeof entry === "string") {
        expect(message).toMatchObject({ id: entry, role: "user" });
        continue;
      }
      expect(message.role).toBe("assistant");
      if (hasRuns) expect(message.id).toBe(runOf(entry)!.id);
      const text = toMessageText(message).replaceAll("\n\n", "");
      if (vi.getTimerCount() > 0) expect(tokensOf(entry.read).startsWith(text)).toBe(true);
      else expect(text).toBe(tokensOf(entry.read));
    }

    // The status: busy exactly while a stream is read that either has a message or was requested by an action.
    const open = transport.streams.filter(({ isOpen }) => isOpen);
    expect(open.length).toBeLessThanOrEqual(1);
    const reading = open.find(({ body, read }) => body !== undefined || read.length > 0);
    expect(isBusy(status)).toBe(reading !== undefined);
    if (status === "submitted") expect(reading!.read).toHaveLength(0);
    if (status === "streaming") expect(reading!.read).not.toHaveLength(0);
    // A failed answer has an error; any other error belongs to a refused action.
    if (status === "error") expect(error).toBeDefined();
    else if (error !== undefined && error !== stopFailed) expect(error.name).toBe("ChatStateError");
    if (reconnecting) expect(isBusy(status)).toBe(true);

    const lastMessage = messages.at(-1);
    const isAsked = lastMessage?.role === "assistant" && lastMessage.status === "done";
    expect(interrupt).toBe(isAsked ? lastMessage.interrupt : undefined);
  }

  /** What holds after every frame: each answer is the fold of its chunks. */
  function checkParts(): void {
    for (const [index, entry] of expected.entries()) {
      if (typeof entry === "string") continue;
      const accumulator = createMessageAccumulator();
      for (const chunk of entry.read) accumulator.apply(chunk);
      const endings = { ended: "done", failed: "truncated", left: "aborted" } as const;
      if (entry.ending !== undefined) accumulator.finish(endings[entry.ending]);
      const { id } = chat.getSnapshot().messages[index]!;
      expect(chat.getSnapshot().messages[index]).toEqual({ ...accumulator.message, id, role: "assistant" });
    }
  }

  return {
    chat,
    async take(step: Step): Promise<void> {
      if ("reaction" in step) reactions.push(step);
      else if ("deed" in step) act(step.deed);
      else happen[step.event]();
      await settle();
      check();
      if ("event" in step && step.event === "a frame") checkParts();
    },
    /** Ends everything in progress. */
    async end(): Promise<void> {
      for (let i = 0; i < 20; i++) {
        reactions = [];
        answerStop();
        accept();
        for (const run of runs) terminate(run, { type: "done" });
        await settle();
      }
      check();
      checkParts();
      expect(["ready", "error"]).toContain(chat.getSnapshot().status);
      expect(transport.streams.filter(({ isOpen }) => isOpen)).toEqual([]);
      expect(vi.getTimerCount()).toBe(0);
      for (const { outcome, allowed } of promises) {
        expect(outcome.is).not.toBe("pending");
        if (outcome.is !== "resolved") expect(allowed(outcome.is)).toBe(true);
      }
      // A run that was read to its end is complete, however often it was cut before.
      for (const entry of expected) {
        if (typeof entry === "string" || entry.ending !== "ended") continue;
        expect(tokensOf(entry.read)).toBe(tokensOf(runOf(entry)!.log));
      }
    },
  };
}

for (const hasRuns of [true, false]) {
  test(`after any sequence of events on a route ${hasRuns ? "with" : "without"} runs, the conversation matches the model and nothing stays open`, async () => {
    await fc.assert(
      fc.asyncProperty(anySteps, async (steps) => {
        const world = createWorld(hasRuns);
        for (const step of steps) await world.take(step);
        await world.end();
      }),
      { numRuns: 300 },
    );
  }, 60_000);
}
