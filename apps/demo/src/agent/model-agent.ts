/**
 * An agent that lets a model answer, with the search as a tool that the model may call. Owns the rounds between the two.
 */
import type { ChatAgent, ChatAgentOptions, ChatMessage, StreamChunk } from "@kortyx/server";
import { readAttachments } from "./attachments.ts";
import { type ModelEndpoint, ModelError, streamCompletion } from "./model-completion.ts";
import type { Search, SearchInput, SearchResult, Section } from "./search.ts";
import { pageUrl, runSearch, searchTool, toSource } from "./search-tool.ts";

export interface ModelAgentOptions {
  endpoint: ModelEndpoint;
  search: Search;
}

interface ToolCall {
  /** Ours: the ids of some endpoints start again with each round. */
  toolCallId: string;
  /** The endpoint's. */
  id: string;
  name: string;
  /** JSON, as far as it has arrived. */
  inputText: string;
}

/** In the last round, the model has to answer with what it knows. */
const maxRounds = 5;

const instructions = `You answer questions about the documentation of these packages, in Markdown, briefly.
Call ${searchTool} before you answer, and answer only from what it finds; say so when it finds nothing.
Link to the pages that you use, with the url that comes with them.`;

const tool = {
  type: "function",
  function: {
    name: searchTool,
    description: "Full-text search over the documentation. Returns the best sections.",
    parameters: {
      type: "object",
      properties: { query: { type: "string", description: "A few words to look for." } },
      required: ["query"],
    },
  },
};

export function createModelAgent({ endpoint, search }: ModelAgentOptions): ChatAgent {
  async function* answer(
    messages: readonly ChatMessage[],
    { signal }: ChatAgentOptions,
  ): AsyncGenerator<StreamChunk> {
    const said: object[] = [
      { role: "system", content: instructions },
      ...(await Promise.all(messages.map(toModelMessage))).filter(({ content }) => content !== ""),
    ];
    const sources = new Set<Section>();
    const usage = { inputTokens: 0, outputTokens: 0, totalTokens: 0 };
    let finishReason = "stop";

    for (let round = 1; round <= maxRounds; round++) {
      yield { type: "status", message: `Waiting for ${endpoint.model}` };
      const tool_choice = round === maxRounds ? "none" : "auto";
      const request = { messages: said, tools: [tool], tool_choice };
      const segmentId = `round-${round}`;
      const calls: ToolCall[] = [];
      let text = "";

      for await (const { choices, usage: used } of streamCompletion(endpoint, request, signal)) {
        usage.inputTokens += used?.prompt_tokens ?? 0;
        usage.outputTokens += used?.completion_tokens ?? 0;
        usage.totalTokens += used?.total_tokens ?? 0;
        const { delta, finish_reason } = choices?.[0] ?? {};
        finishReason = finish_reason?.replaceAll("_", "-") ?? finishReason;
        const reasoning = delta?.reasoning || delta?.reasoning_content;
        if (reasoning) yield { type: "reasoning-delta", delta: reasoning, segmentId };
        if (delta?.content) yield { type: "text-delta", delta: delta.content, segmentId };
        text += delta?.content ?? "";
        for (const piece of delta?.tool_calls ?? []) {
          const {
            index = calls.length,
            id = "",
            function: { name = "", arguments: input = "" } = {},
          } = piece;
          if (calls[index] === undefined) {
            calls[index] = { toolCallId: crypto.randomUUID(), id, name, inputText: "" };
            yield { type: "tool-call-start", tool: name, toolCallId: calls[index].toolCallId };
          }
          const { toolCallId } = calls[index];
          calls[index].inputText += input;
          if (input !== "") yield { type: "tool-call-delta", toolCallId, delta: input };
        }
      }
      // An answer that was cut at its length has cut tool calls, too.
      if (calls.length === 0 || finishReason === "length") break;
      said.push({ role: "assistant", content: text || null, tool_calls: calls.map(toModelCall) });
      for (const call of calls) {
        const result = yield* runCall(call);
        for (const { section } of result?.hits ?? []) sources.add(section);
        said.push({ role: "tool", tool_call_id: call.id, content: describeForModel(result) });
      }
    }
    for (const section of [...sources].slice(0, 5)) yield toSource(section);
    yield { type: "done", finishReason, ...(usage.totalTokens > 0 && { usage }) };
  }

  function* runCall({
    name,
    toolCallId,
    inputText,
  }: ToolCall): Generator<StreamChunk, SearchResult | undefined> {
    const input = parseInput(inputText);
    if (name !== searchTool || input === undefined) {
      const message = `Only ${searchTool} can be called, with {"query": "…"}.`;
      yield { type: "tool-call-error", tool: name, toolCallId, message };
      return undefined;
    }
    yield { type: "tool-call-ready", tool: name, toolCallId, input: { ...input } };
    return yield* runSearch(search, { tool: name, toolCallId, input });
  }

  return {
    /** A failure of the model ends the answer with an error that the user can understand. */
    async *streamChat(messages, options) {
      try {
        yield* answer(messages, options);
      } catch (error) {
        if (!(error instanceof ModelError)) throw error;
        const correlationId = crypto.randomUUID();
        const detail = error.detail.replaceAll(endpoint.apiKey, "…").slice(0, 500);
        console.error(`${error.message} [${correlationId}]\n${detail}`);
        yield { type: "error", code: "model-failed", message: error.message, correlationId };
      }
    },
  };
}

async function toModelMessage(message: ChatMessage) {
  const { texts } = await readAttachments([message]);
  const attached = [...texts].map(([name, text]) => `${name}:\n\n${text}`);
  return { role: message.role, content: [message.content, ...attached].join("\n\n") };
}

function parseInput(inputText: string): SearchInput | undefined {
  try {
    const { query } = JSON.parse(inputText);
    return typeof query === "string" ? { query } : undefined;
  } catch {
    return undefined;
  }
}

/** Some endpoints parse the input again, and refuse what their own model wrote. */
const toModelCall = ({ id, name, inputText }: ToolCall): object => ({
  id,
  type: "function",
  function: { name, arguments: parseInput(inputText) === undefined ? "{}" : inputText },
});

function describeForModel(result: SearchResult | undefined): string {
  if (result === undefined) return "The search failed.";
  if (result.hits.length === 0) return "Nothing found.";
  return JSON.stringify(
    result.hits.map(({ section: { page, heading, text } }) => ({ url: pageUrl(page), heading, text })),
  );
}
