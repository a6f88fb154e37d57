/**
 * An agent that lets a model answer, with the search over the documentation as a tool that the model may call. Owns the
 * rounds between the two; the model's protocol is the matter of `stream-completion.ts`.
 */
import type { ChatAgentOptions, ChatMessage, StreamChunk, TokenUsage } from "@kortyx/server";
import { createToolCallAssembler, type ModelToolCall } from "./assemble-tool-calls.ts";
import { documentUrl } from "./markdown-sections.ts";
import type { ModelEndpoint } from "./model-endpoint.ts";
import { ModelError } from "./model-error.ts";
import { describeForModel, modelTool, parseModelInput } from "./model-tool.ts";
import { runSearch, type Search, type SearchOutcome, searchTool } from "./search-tool.ts";
import { streamCompletion } from "./stream-completion.ts";
import { untilAborted } from "./until-aborted.ts";

export interface ModelAgentOptions {
  endpoint: ModelEndpoint;
  /** What the model's tool calls run. */
  search: Search;
  /** How often the model is asked for one answer, its tool calls being run in between. @defaultValue 5 */
  maxRounds?: number | undefined;
  /** How long the model may say nothing, in milliseconds; some are loaded first. @defaultValue 120,000 */
  idleTimeoutMs?: number | undefined;
}

export interface ModelAgent {
  /** Answers the conversation. What goes wrong with the model is an `error` chunk. Ends at once when aborted. */
  streamChat(messages: readonly ChatMessage[], options: ChatAgentOptions): AsyncGenerator<StreamChunk>;
}

/** What the model said in one round. */
interface Round {
  text: string;
  calls: readonly ModelToolCall[];
  finishReason: string;
  usage: TokenUsage | undefined;
}

const instructions = `You answer questions about the documentation of this repository, in Markdown, briefly.
Call ${searchTool} before you answer, and answer only from what it finds; say so when it finds nothing.
Link to the documents that you use, with the url that comes with them.`;

const maxSources = 5;

/** Creates the agent. It keeps nothing between answers. */
export function createModelAgent(options: ModelAgentOptions): ModelAgent {
  const { endpoint, search, maxRounds = 5, idleTimeoutMs = 120_000 } = options;

  async function* answer(
    messages: readonly ChatMessage[],
    { sessionId = crypto.randomUUID(), resume, signal }: ChatAgentOptions,
  ): AsyncGenerator<StreamChunk> {
    yield { type: "session", sessionId };
    if (resume !== undefined) {
      const message = "This question can no longer be answered. Please ask again.";
      return yield { type: "error", code: "invalid-resume-token", message, retryable: false };
    }
    const conversation: object[] = [
      { role: "system", content: instructions },
      ...messages.map(({ role, content }) => ({ role, content })),
    ];
    const sources = new Map<string, StreamChunk>();
    let usage: TokenUsage | undefined;

    for (let round = 1; round <= maxRounds; round++) {
      yield { type: "status", message: `Waiting for ${endpoint.model}` };
      // The last time, the model has to answer with what it knows by then.
      const tool_choice = round === maxRounds ? "none" : "auto";
      const request = { messages: conversation, tools: [modelTool], tool_choice };
      const said = yield* streamRound(request, `round-${round}`, signal);
      usage = addUsage(usage, said.usage);
      // An answer that was cut at its length has cut tool calls, too.
      if (said.calls.length === 0 || said.finishReason === "length") {
        yield* [...sources.values()].slice(0, maxSources);
        return yield { type: "done", finishReason: said.finishReason, ...(usage && { usage }) };
      }
      if (round === maxRounds) break;
      conversation.push(toModelMessage(said));
      for (const call of said.calls) {
        const outcome = yield* runCall(call, signal);
        conversation.push({
          role: "tool",
          tool_call_id: call.id ?? call.toolCallId,
          content: describeForModel(outcome),
        });
        for (const { section } of outcome.found?.hits ?? []) {
          const title = `${section.path} › ${section.heading}`;
          const id = `source-${sources.size + 1}`;
          if (!sources.has(title))
            sources.set(title, { type: "source", id, title, url: documentUrl(section.path) });
        }
      }
    }
    throw new ModelError("model-too-many-rounds", `It called tools in round ${maxRounds}, too.`);
  }

  /** Asks the model once, and tells what it says while it does. */
  async function* streamRound(
    request: object,
    segmentId: string,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<StreamChunk, Round> {
    const assembler = createToolCallAssembler();
    let open: "text" | "reasoning" | undefined;
    let text = "";
    let finishReason = "stop";
    let usage: TokenUsage | undefined;

    for await (const piece of streamCompletion({ endpoint, request, signal, idleTimeoutMs })) {
      for (const kind of ["reasoning", "text"] as const) {
        const delta = piece[kind];
        if (delta === "") continue;
        if (open !== kind) {
          if (open !== undefined) yield { type: `${open}-end`, segmentId };
          yield { type: `${kind}-start`, segmentId };
          open = kind;
        }
        yield { type: `${kind}-delta`, delta, segmentId };
      }
      text += piece.text;
      for (const toolCall of piece.toolCalls) yield* assembler.apply(toolCall);
      finishReason = piece.finishReason ?? finishReason;
      usage = piece.usage ?? usage;
    }
    if (open !== undefined) yield { type: `${open}-end`, segmentId };
    return { text, calls: assembler.calls, finishReason, usage };
  }

  async function* runCall(
    { toolCallId, tool, inputText }: ModelToolCall,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<StreamChunk, SearchOutcome> {
    const input = parseModelInput(inputText);
    if (tool === searchTool && input !== undefined) {
      yield { type: "tool-call-ready", tool, toolCallId, input };
      return yield* runSearch(search, { toolCallId, input }, signal);
    }
    const failure =
      tool === searchTool
        ? 'The input of the tool must be JSON: {"query": "…", "path": "…"}.'
        : `There is no tool ${JSON.stringify(tool)}.`;
    yield { type: "tool-call-error", tool, toolCallId, message: failure };
    return { failure };
  }

  /** A failure of the model's is an end of the answer that the user can do something about. */
  async function* tellFailure(chunks: AsyncIterable<StreamChunk>): AsyncGenerator<StreamChunk> {
    try {
      yield* chunks;
    } catch (error) {
      if (!(error instanceof ModelError)) throw error;
      const { code, message, retryable, detail } = error;
      const correlationId = crypto.randomUUID();
      // Some endpoints repeat the key that they refuse.
      console.error(`${message} [${code} ${correlationId}]\n${detail.replaceAll(endpoint.apiKey, "…")}`);
      yield { type: "error", code, message, retryable, correlationId };
    }
  }

  return {
    streamChat: (messages, chatOptions) =>
      untilAborted(chatOptions.signal, tellFailure(answer(messages, chatOptions))),
  };
}

/** What the model said, for the model: it gets the whole conversation each time. */
function toModelMessage({ text, calls }: Round): object {
  return {
    role: "assistant",
    content: text === "" ? null : text,
    tool_calls: calls.map(({ id, toolCallId, tool, inputText }) => ({
      id: id ?? toolCallId,
      type: "function",
      // Some endpoints parse it again, and refuse the request for what the model wrote itself.
      function: { name: tool, arguments: parseModelInput(inputText) === undefined ? "{}" : inputText },
    })),
  };
}

function addUsage(sum: TokenUsage | undefined, usage: TokenUsage | undefined): TokenUsage | undefined {
  if (sum === undefined || usage === undefined) return sum ?? usage;
  const add = (name: keyof TokenUsage) => (sum[name] ?? 0) + (usage[name] ?? 0);
  return {
    inputTokens: add("inputTokens"),
    outputTokens: add("outputTokens"),
    totalTokens: add("totalTokens"),
  };
}
