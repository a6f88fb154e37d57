/**
 * Conversations as the messages of a chat completion, and tools of clients as its tools. The opposite of `openai-chat.ts`.
 */
import type { ChatMessage, ChatMessagePart, ClientTool, ToolCallMessagePart } from "@kortyx/protocol";
import { isRecord, listOf, textOf } from "./loose-values.ts";
import {
  createCallIds,
  type HistoryEntry,
  type HistoryOptions,
  resultOf,
  toHistory,
  toText,
  toToolName,
  withResults,
} from "./model-history.ts";
import { type OpenAIChatContentPart, toOpenAIChatContent } from "./openai-chat-content.ts";

// The SDK's types have no `undefined`, so these optional fields have none either.

/** A function, with its input as JSON. */
export interface OpenAIChatFunction {
  /** The name of the tool. */
  name: string;
  /** The JSON of an object. */
  arguments: string;
}

/** A custom tool, with its input as text. */
export interface OpenAIChatCustomInput {
  /** The name of the tool. */
  name: string;
  /** What the model wrote. */
  input: string;
}

/** A tool call of an earlier answer. */
export type OpenAIChatToolCall =
  | {
      /** Names the call. */
      id: string;
      type: "function";
      /** The tool, and its input. */
      function: OpenAIChatFunction;
      /** What Gemini wants back with the call. */
      extra_content?: Record<string, unknown>;
    }
  | {
      /** Names the call. */
      id: string;
      type: "custom";
      /** The tool, and its input. */
      custom: OpenAIChatCustomInput;
    };

/** An earlier answer of the model. */
export interface OpenAIChatAssistantMessage {
  role: "assistant";
  /** The text; `null` if there is only something else. */
  content: string | null;
  /** The text of a refusal. */
  refusal?: string;
  /** A spoken answer that the provider still has. */
  audio?: {
    /** Names the recording. */
    id: string;
  };
  /** The calls, each with its result in a message after this one. */
  tool_calls?: OpenAIChatToolCall[];
  /** A call in the form before `tool_calls`. */
  function_call?: OpenAIChatFunction;
  /** The reasoning, where the server has sent it in this field. */
  reasoning_content?: string;
  /** The reasoning, where the server has sent it in this field. */
  reasoning?: string;
  /** The reasoning, as OpenRouter wants it back. */
  reasoning_details?: unknown[];
}

/** A message of a chat completion's request: assignable to the SDK's `ChatCompletionMessageParam`. */
export type OpenAIChatMessage =
  | {
      role: "system";
      /** Instructions for the model. */
      content: string;
    }
  | {
      role: "user";
      /** What the user said and attached. */
      content: string | OpenAIChatContentPart[];
    }
  | OpenAIChatAssistantMessage
  | {
      role: "tool";
      /** The call. */
      tool_call_id: string;
      /** Its result. */
      content: string;
    }
  | {
      role: "function";
      /** The tool of a `function_call`. */
      name: string;
      /** Its result. */
      content: string;
    };

/** A tool of a chat completion's request: assignable to the SDK's `ChatCompletionFunctionTool`. */
export interface OpenAIChatTool {
  type: "function";
  /** The tool. */
  function: {
    /** Its name. */
    name: string;
    /** For the model: what it does. */
    description: string;
    /** JSON Schema of its input. */
    parameters?: Record<string, unknown>;
  };
}

/**
 * Turns a conversation into the `messages` of a chat completion. Every call has its result: one that has not come to a
 * result gets a sentence that reports it. Reasoning is returned only in the answer that is still in progress, to the servers
 * that have sent it in a field of their own.
 *
 * Left out: application data, files of answers, and tools that another provider has run. A file of the user's that the API
 * does not take becomes a text that names it.
 *
 * @example
 * ```ts
 * toOpenAIChatMessages([{ role: "user", content: "Hello" }]); // [{ role: "user", content: "Hello" }]
 * ```
 */
export function toOpenAIChatMessages(
  messages: readonly ChatMessage[],
  options: HistoryOptions = {},
): OpenAIChatMessage[] {
  const history = toHistory(withResults(messages, options.toolResults));
  const lastQuestion = history.findLastIndex(({ role }) => role === "user");
  return history.flatMap((entry, index): OpenAIChatMessage[] => {
    const { role, parts } = entry;
    if (role === "assistant") return toAnswer(entry, index > lastQuestion);
    const content = role === "system" ? joinTexts(parts) : toOpenAIChatContent(parts);
    return content.length > 0 ? [{ role, content } as OpenAIChatMessage] : [];
  });
}

/**
 * Turns the tools that a client offers into the `tools` of a chat completion.
 *
 * @example
 * ```ts
 * toOpenAIChatTools([{ name: "locate", description: "Where the user is" }]);
 * // [{ type: "function", function: { name: "locate", description: "Where the user is" } }]
 * ```
 */
export function toOpenAIChatTools(tools: readonly ClientTool[] = []): OpenAIChatTool[] {
  return tools.map(({ name, description, inputSchema }) => ({
    type: "function",
    function: { name, description, ...(inputSchema && { parameters: inputSchema }) },
  }));
}

function toAnswer({ parts }: HistoryEntry, isInProgress: boolean): OpenAIChatMessage[] {
  const texts = parts.filter(({ type }) => type === "text");
  const refusals = texts.filter((part) => openaiOf(part).refusal === true);
  const calls = parts.filter((part) => part.type === "tool-call" && part.executor !== "provider");
  const audio = texts.map((part) => audioOf(part)).find((id) => id !== undefined);
  const content = joinTexts(texts.filter((part) => !refusals.includes(part)));
  const refusal = joinTexts(refusals);
  if (content === "" && refusal === "" && calls.length === 0) return [];
  const answer: OpenAIChatAssistantMessage = {
    role: "assistant",
    content: content === "" || audio !== undefined ? null : content,
    ...(refusal !== "" && { refusal }),
    ...(audio !== undefined && { audio: { id: audio } }),
    ...(isInProgress && reasoningOf(parts)),
  };
  return [...withCalls(answer, calls as ToolCallMessagePart[])];
}

function withCalls(answer: OpenAIChatAssistantMessage, calls: ToolCallMessagePart[]): OpenAIChatMessage[] {
  const legacy = calls.find((call) => openaiOf(call).function_call === true);
  // Within one answer: of a later one, some compatible servers accept only the ids that they have given.
  const toId = createCallIds(64);
  const others = calls
    .filter((call) => call !== legacy)
    .map((call) => ({ ...call, toolCallId: toId(call.toolCallId) }));
  const message: OpenAIChatAssistantMessage = {
    ...answer,
    ...(others.length > 0 && { tool_calls: others.map(toToolCall) }),
    ...(legacy && { function_call: toFunction(legacy) }),
  };
  const results = others.map(
    (call): OpenAIChatMessage => ({ role: "tool", tool_call_id: call.toolCallId, content: toResult(call) }),
  );
  if (!legacy) return [message, ...results];
  return [
    message,
    ...results,
    { role: "function", name: toToolName(legacy.tool, 64), content: toResult(legacy) },
  ];
}

function toToolCall(call: ToolCallMessagePart): OpenAIChatToolCall {
  const { toolCallId: id, tool, input, inputFormat } = call;
  if (inputFormat === "text" && typeof input === "string") {
    return { id, type: "custom", custom: { name: toToolName(tool, 64), input } };
  }
  const { extra_content: extra } = openaiOf(call);
  return {
    id,
    type: "function",
    function: toFunction(call),
    ...(isRecord(extra) && { extra_content: extra }),
  };
}

/** Some compatible servers refuse a conversation in which the arguments are not the JSON of an object. */
function toFunction({ tool, input }: ToolCallMessagePart): OpenAIChatFunction {
  const fields = isRecord(input) ? input : input == null ? {} : { input };
  return { name: toToolName(tool, 64), arguments: JSON.stringify(fields) };
}

/** The API knows no failed results, so that the text must name the failure. */
function toResult(call: ToolCallMessagePart): string {
  const text = toText(resultOf(call).content);
  return call.state === "error" ? `Error: ${text}` : text;
}

/** The whole list is in the latest part. */
function reasoningOf(parts: ChatMessagePart[]): Partial<OpenAIChatAssistantMessage> {
  const reasoning = parts.filter((part) => part.type === "reasoning");
  const fields = reasoning.map(openaiOf);
  const details = listOf(fields.findLast((openai) => openai.reasoning_details)?.reasoning_details);
  if (details.length > 0) return { reasoning_details: details };
  const field = fields.findLast((openai) => openai.field)?.field;
  if (field !== "reasoning_content" && field !== "reasoning") return {};
  return { [field]: reasoning.map(({ text }) => text).join("\n\n") };
}

/** The provider deletes a recording after a while. */
function audioOf(part: ChatMessagePart): string | undefined {
  const { audio } = openaiOf(part);
  if (!isRecord(audio) || typeof audio.expires_at !== "number") return undefined;
  return audio.expires_at * 1000 > Date.now() ? textOf(audio.id) : undefined;
}

const joinTexts = (parts: readonly ChatMessagePart[]): string =>
  parts.flatMap((part) => (part.type === "text" && part.text !== "" ? part.text : [])).join("\n\n");

/** A client may have written anything there. */
function openaiOf(part: ChatMessagePart): Record<string, unknown> {
  const metadata = "providerMetadata" in part ? part.providerMetadata : undefined;
  return isRecord(metadata?.openai) ? metadata.openai : {};
}
