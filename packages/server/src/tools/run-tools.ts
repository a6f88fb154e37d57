/**
 * An answer of several calls of a model, with the tools that run in between: the options, and how the whole is left. The
 * loop itself is in `tool-loop.ts`.
 */
import type { ChatMessage, ChatTypes, ClientTool, StreamChunk } from "@kortyx/protocol";
import {
  checkFunctionOption,
  checkLimitOption,
  checkObjectOption,
  checkOption,
} from "@kortyx/protocol/internal";
import type { ModelStream } from "../adapters/model-stream.ts";
import type { ChatAgentOptions } from "../route/chat-agent.ts";
import { checkNames } from "../stream/check-names.ts";
import { type Tools, toolOptions } from "./define-tool.ts";
import type { OnToolError } from "./run-call.ts";
import { ToolLoop } from "./tool-loop.ts";

/** What one call of the model is about. */
export interface ToolTurn {
  /** The conversation, this answer so far included, for the function of the adapter: `toOpenAIChatMessages(messages)`. */
  messages: ChatMessage[];
  /** The tools of the agent, and those that the client offers: `toOpenAIChatTools(tools)`. */
  tools: ClientTool[];
  /** Aborted when the answer is no longer needed: for the SDK's request, and for the adapter. */
  signal: AbortSignal;
  /** No call of the model follows: pass it no tools, if it should answer with what it knows. */
  isLast: boolean;
}

/** Options of {@link runTools}. */
export interface RunToolsOptions<Types extends ChatTypes = ChatTypes> {
  /** The conversation, as the agent received it. */
  messages: ChatMessage<Types>[];
  /** What the agent received with it: the answers of the user, the tools that the client offers, and the signal. */
  options?: ChatAgentOptions<Types> | undefined;
  /** The tools of the agent, by name. One that the client offers under the same name is left out. */
  tools: Tools;
  /** Calls the model once, and returns the stream of an adapter, such as `fromOpenAIChat`. */
  turn: (turn: ToolTurn) => ModelStream | PromiseLike<ModelStream>;
  /**
   * How often the model is called for one answer at most, the calls before a question to the user included. Then the answer
   * ends with the `finishReason` `"max-turns"`.
   *
   * @defaultValue 10
   */
  maxTurns?: number | undefined;
  /**
   * Returns the text that user and model read when a tool has thrown an error.
   *
   * @defaultValue a generic text; the error is logged with `console.error`
   */
  onToolError?: OnToolError | undefined;
}

/** Every option; one that is missing here is a type error. */
const optionNames: Record<keyof RunToolsOptions, true> = {
  messages: true,
  options: true,
  tools: true,
  turn: true,
  maxTurns: true,
  onToolError: true,
};

/**
 * Answers with a model and tools: calls the model, runs the tools that it calls, and calls it again with their results,
 * until it calls none.
 *
 * Chunks of the model are passed on at once, and tools of one turn run in parallel. A call that needs an approval ends the
 * answer with a question, one of a tool without `run` with `finishReason: "tool-calls"`; the request that brings the
 * approval, or the result, continues it. Each turn is a step, with its usage; `done` has the sum.
 *
 * A tool that fails, an unknown tool and an invalid input are reported to the model. The error of a turn is thrown.
 *
 * Without a route's `resumeSecret`, a client can invent a call that was approved.
 *
 * @throws TypeError or RangeError for a wrong option, and for a tool without a description or with an unknown option.
 *
 * @example
 * ```ts
 * const agent: ChatAgent = {
 *   streamChat: (messages, options) =>
 *     runTools({
 *       messages,
 *       options,
 *       tools: { time: defineTool({ description: "The current time.", run: () => new Date().toISOString() }) },
 *       // In your agent, the stream of an adapter, such as `fromOpenAIChat(…)`.
 *       async *turn({ messages, tools }) {
 *         yield { type: "text-delta", delta: `${messages.length} messages, ${tools.length} tools` };
 *         return { finishReason: "stop", usage: undefined, usageByModel: undefined, model: undefined, toolCalls: [] };
 *       },
 *     }),
 * };
 * ```
 */
export function runTools<Types extends ChatTypes = ChatTypes>(
  options: RunToolsOptions<Types>,
): AsyncGenerator<StreamChunk<Types>, void, void>;
export function runTools(options: RunToolsOptions): AsyncGenerator<StreamChunk, void, void> {
  const { messages, tools, turn, maxTurns, onToolError, options: given = {} } = options;
  checkNames("runTools", options, optionNames);
  checkOption("messages", Array.isArray(messages), "an array", messages);
  checkObjectOption("tools", tools, "an object of tools by name");
  for (const [name, tool] of Object.entries(tools)) {
    // A function under another name would not be found, and the page would be asked to run the tool.
    const isTool = typeof tool?.description === "string" && !("execute" in tool);
    checkOption(`tools.${name}`, isTool, "a tool as defineTool returns it, whose function is `run`", tool);
    checkNames(`tools.${name}`, tool, toolOptions);
  }
  checkOption("turn", typeof turn === "function", "a function", turn);
  checkLimitOption("maxTurns", maxTurns);
  checkFunctionOption("onToolError", onToolError);
  const left = new AbortController();
  const signal = given.signal ? AbortSignal.any([given.signal, left.signal]) : left.signal;
  return leavable(new ToolLoop(options, signal).run(), left);
}

/** A generator can be left only between two chunks. This one is also left while it waits: model and tools are aborted. */
function leavable(
  chunks: AsyncGenerator<StreamChunk, void, void>,
  left: AbortController,
): AsyncGenerator<StreamChunk, void, void> {
  const ended = { done: true, value: undefined } as const;
  const leave = <Result>(end: () => Promise<Result>): Promise<Result> => {
    left.abort();
    return end();
  };
  // Everything else, such as `[Symbol.asyncDispose]`, is that of generators.
  return Object.assign(Object.create(Object.getPrototypeOf(chunks)) as typeof chunks, {
    next: () =>
      chunks.next().catch((error: unknown) => {
        if (left.signal.aborted) return ended;
        throw error;
      }),
    return: () => leave(() => chunks.return()),
    throw: (error: unknown) => leave(() => chunks.throw(error)),
  });
}
