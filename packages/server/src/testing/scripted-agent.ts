/** An agent whose answers a test writes as lists. Knows nothing of routes and streams. */
import type { ChatMessage, ChatTypes } from "@kortyx/protocol";
import type { ChatAgent, ChatAgentOptions } from "../route/chat-agent.ts";
import type { SourceChunk } from "../stream/source.ts";

/**
 * One step of an answer: a chunk that the agent yields, a promise that it waits for, or an error that it throws.
 *
 * A wait ends the answer when the signal of the request is aborted, so a promise that never resolves waits for the
 * reader to leave.
 */
export type AgentStep<Types extends ChatTypes = ChatTypes> =
  | SourceChunk<Types>
  | PromiseLike<unknown>
  | Error;

/** The steps of one answer, in order. After the last one, the answer ends. */
export type AgentScript<Types extends ChatTypes = ChatTypes> = Iterable<AgentStep<Types>>;

/** A question that a scripted agent was asked. */
export interface ScriptedCall<Types extends ChatTypes = ChatTypes> {
  /** The conversation, as the route passed it on. */
  messages: ChatMessage<Types>[];
  /** The options, with the `signal` of the request. */
  options: ChatAgentOptions<Types>;
  /** False when the answer has ended, has failed, or was left by its reader. */
  isOpen: boolean;
}

/** An agent that follows scripts. */
export interface ScriptedAgent<Types extends ChatTypes = ChatTypes> extends ChatAgent<Types> {
  /** Answers with the next script. */
  streamChat(
    messages: ChatMessage<Types>[],
    options: ChatAgentOptions<Types>,
  ): AsyncGenerator<SourceChunk<Types>, void, undefined>;
  /** The questions so far, the oldest first. */
  readonly calls: ScriptedCall<Types>[];
}

/**
 * Creates an agent that answers the first question with the first script, the second with the second, and every later
 * one with the last. It records what it was asked.
 *
 * A script that can be read only once, such as a generator, cannot be repeated.
 *
 * @throws TypeError without a script.
 *
 * @example
 * ```ts
 * const pause = Promise.withResolvers<void>();
 * const agent = createScriptedAgent([
 *   { type: "text-delta", delta: "Hel" },
 *   pause.promise,
 *   { type: "text-delta", delta: "lo" },
 *   { type: "done" },
 * ]);
 * const answer = collectStream(agent.streamChat(messages, {}));
 * agent.calls[0]?.isOpen; // true
 * pause.resolve();
 * (await answer).length; // 3
 * ```
 */
export function createScriptedAgent<Types extends ChatTypes = ChatTypes>(
  ...scripts: AgentScript<Types>[]
): ScriptedAgent<Types> {
  if (scripts.length === 0) throw new TypeError("createScriptedAgent() needs at least one script.");
  const calls: ScriptedCall<Types>[] = [];
  return {
    calls,
    streamChat(messages, options) {
      const call = { messages, options, isOpen: true };
      const script = scripts[Math.min(calls.push(call), scripts.length) - 1]!;
      return leavable(play(script, call), call);
    },
  };
}

/** A generator that is left before it has begun runs nothing of its own. */
function leavable<Answer extends AsyncGenerator>(answer: Answer, call: { isOpen: boolean }): Answer {
  const end = answer.return.bind(answer);
  return Object.assign(answer, {
    return(value: unknown) {
      call.isOpen = false;
      return end(value);
    },
  });
}

async function* play<Types extends ChatTypes>(
  script: AgentScript<Types>,
  call: ScriptedCall<Types>,
): AsyncGenerator<SourceChunk<Types>, void, undefined> {
  try {
    yield* playSteps(script, call.options.signal);
  } finally {
    call.isOpen = false;
  }
}

/** Yields the chunks of a script, until the signal is aborted. */
export async function* playSteps<Types extends ChatTypes>(
  script: AgentScript<Types>,
  signal: AbortSignal | undefined,
): AsyncGenerator<SourceChunk<Types>, void, undefined> {
  for (const step of script) {
    if (signal?.aborted) return;
    if (step instanceof Error) throw step;
    if ("then" in step) await settledOrAborted(step as PromiseLike<unknown>, signal);
    else yield step as SourceChunk<Types>;
  }
}

/** Waits for the promise, but not after the signal is aborted. */
function settledOrAborted(promise: PromiseLike<unknown>, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => resolve();
    signal?.addEventListener("abort", stop);
    promise.then(stop, reject).then(() => signal?.removeEventListener("abort", stop));
  });
}
