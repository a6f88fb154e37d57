/** Conversations as the input of an AG-UI agent. Reads no events. */
import type {
  ChatMessage,
  ChatMessagePart,
  FileMessagePart,
  InterruptAnswer,
  ToolCallMessagePart,
} from "@kortyx/protocol";
import type { ChatAgentOptions } from "../route/chat-agent.ts";
import { approvalTokenOf } from "./ag-ui-questions.ts";
import type { AGUIInput, AGUIInputAnswer, AGUIInputContext, AGUIInputMessage } from "./ag-ui-run-input.ts";
import { isRecord } from "./loose-values.ts";
import {
  type HistoryEntry,
  parseDataURL,
  resultOf,
  toHistory,
  toText,
  withResults,
} from "./model-history.ts";

type Fields = Record<string, unknown>;

/** Options of {@link toRunAgentInput}: the options that a route gives its agent, and what it does not know. */
export interface RunAgentInputOptions
  extends Pick<ChatAgentOptions, "sessionId" | "resumes" | "toolResults" | "tools" | "context"> {
  /** The run. @defaultValue a random UUID */
  runId?: string | undefined;
  /** The state of the client. @defaultValue that of `context`, or `{}` */
  state?: unknown;
}

/**
 * A conversation as the input of `agent.run(input)`. Messages keep their ids. The `state`, `context` and `forwardedProps`
 * of `context` are those of the client, where a request came in AG-UI's own form.
 *
 * Left out: `data`, and files of an answer, which AG-UI has no place for. A file that only a provider has is passed as its
 * handle.
 *
 * @example
 * ```ts
 * const { messages } = toRunAgentInput([{ role: "user", content: "Hi", id: "m1" }], { sessionId: "t1" });
 * messages; // [{ id: "m1", role: "user", content: "Hi" }]
 * ```
 */
export function toRunAgentInput(
  messages: readonly ChatMessage[],
  options: RunAgentInputOptions = {},
): AGUIInput {
  const { sessionId, runId, resumes = [], tools = [] } = options;
  const context = (options.context ?? {}) as Fields;
  const resume = resumes.map(toAnswer);
  return {
    threadId: sessionId ?? crypto.randomUUID(),
    runId: runId ?? crypto.randomUUID(),
    messages: toMessages(
      withResults(messages, options.toolResults),
      new Set(resumes.map(({ toolCallId }) => toolCallId)),
    ),
    tools: tools.map(({ name, description, inputSchema }) => ({
      name,
      description,
      ...(inputSchema && { parameters: inputSchema }),
    })),
    context: Array.isArray(context.context) ? (context.context as AGUIInputContext[]) : [],
    state: options.state ?? context.state ?? {},
    forwardedProps: context.forwardedProps ?? {},
    ...(resume.length > 0 && { resume }),
  };
}

function toAnswer(given: InterruptAnswer): AGUIInputAnswer {
  const { requestId: interruptId, outcome } = given;
  if (outcome === "cancelled") return { interruptId, status: "cancelled" };
  return { interruptId, status: "resolved", payload: toPayload(given) };
}

/** The answer itself, unless the question was made of an approval. */
function toPayload({ requestId, resumeToken, answer, input, reason }: InterruptAnswer): unknown {
  const decision = [answer].flat()[0];
  const isDecision = ["approve", "deny", "edit"].includes(decision as string);
  if (resumeToken !== approvalTokenOf(requestId) || !isDecision) return answer;
  return {
    approved: decision !== "deny",
    ...(input !== undefined && { editedArgs: input }),
    ...(reason !== undefined && { reason }),
  };
}

/** @param asked - The calls that are asked about: they have no result yet. */
function toMessages(messages: readonly ChatMessage[], asked: ReadonlySet<unknown>): AGUIInputMessage[] {
  const ids = new Set<string>();
  const unique = (wanted: string): string => {
    let id = wanted;
    for (let number = 2; ids.has(id); number++) id = `${wanted}:${number}`;
    ids.add(id);
    return id;
  };
  return messages.flatMap((message, index) => {
    const base = message.id ?? `message-${index}`;
    return toHistory([message]).flatMap((entry) =>
      entry.role === "assistant"
        ? toTurn(entry, { base, unique, asked })
        : [{ id: unique(base), role: entry.role, content: toContent(entry) }],
    );
  });
}

interface TurnContext {
  base: string;
  unique(wanted: string): string;
  asked: ReadonlySet<unknown>;
}

/** One call of a model: its reasoning, its text with its calls, and their results. */
function toTurn({ parts }: HistoryEntry, { base, unique, asked }: TurnContext): AGUIInputMessage[] {
  const reasoning = parts.filter((part) => part.type === "reasoning");
  const texts = parts.filter((part) => part.type === "text");
  const calls = parts.filter((part) => part.type === "tool-call");
  const content = texts.map(({ text }) => text).join("\n\n");
  const said: AGUIInputMessage[] = reasoning.map((part) => ({
    id: unique(`${base}:reasoning`),
    role: "reasoning",
    content: part.text,
    ...encryptedOf(part.providerMetadata),
  }));
  if (content !== "" || calls.length > 0) {
    said.push({
      id: unique(base),
      role: "assistant",
      ...(content !== "" && { content }),
      ...(calls.length > 0 && { toolCalls: calls.map(toToolCall) }),
      ...encryptedOf(texts.findLast(({ providerMetadata }) => providerMetadata)?.providerMetadata),
    });
  }
  const results = calls.filter(({ toolCallId }) => !asked.has(toolCallId));
  return [...said, ...results.map((part) => toResult(part, unique))];
}

const toToolCall = ({ toolCallId, tool, input, inputFormat, providerMetadata }: ToolCallMessagePart) => ({
  id: toolCallId,
  type: "function",
  function: {
    name: tool,
    arguments: inputFormat === "text" && typeof input === "string" ? input : JSON.stringify(input ?? {}),
  },
  ...encryptedOf(providerMetadata),
});

function toResult(part: ToolCallMessagePart, unique: TurnContext["unique"]): AGUIInputMessage {
  const { toolCallId, resultProviderMetadata } = part;
  const { content, isError } = resultOf(part);
  const text = isPartList(content) ? content : toText(content);
  return {
    id: unique(`${toolCallId}:result`),
    role: "tool",
    toolCallId,
    content: text,
    ...(isError && { error: toText(content) }),
    ...encryptedOf(resultProviderMetadata),
  };
}

/** Results of AG-UI may have parts, which come back as they were. */
const isPartList = (content: unknown): content is Fields[] =>
  Array.isArray(content) &&
  content.length > 0 &&
  content.every(
    (part) =>
      isRecord(part) && ((part.type === "text" && typeof part.text === "string") || isRecord(part.source)),
  );

function encryptedOf(metadata: Fields | undefined): { encryptedValue?: string } {
  const encrypted = metadata?.["agui-encrypted"];
  const value = isRecord(encrypted) ? encrypted.value : undefined;
  return typeof value === "string" ? { encryptedValue: value } : {};
}

function toContent({ parts }: HistoryEntry): string | Fields[] {
  const content = parts.flatMap(toInputPart);
  if (content.every(({ type }) => type === "text")) return content.map(({ text }) => text).join("\n\n");
  return content;
}

function toInputPart(part: ChatMessagePart): Fields[] {
  if (part.type === "text") return [{ type: "text", text: part.text }];
  return part.type === "file" ? [toFile(part)] : [];
}

function toFile({ mediaType, url, name, providerReference = {} }: FileMessagePart): Fields {
  const [kind = ""] = mediaType.split("/");
  const type = ["image", "audio", "video"].includes(kind) ? kind : "document";
  const data = parseDataURL(url);
  const [handle] = Object.entries(providerReference);
  const source = data
    ? { type: "data", value: data.base64, mimeType: mediaType }
    : url === "" && handle
      ? { type: "file", value: handle[1], provider: handle[0], mimeType: mediaType }
      : { type: "url", value: url, mimeType: mediaType };
  return { type, source, ...(name !== undefined && { metadata: { filename: name } }) };
}
