/**
 * The conversation in the order in which every provider wants it: each call of a model, and then the results of the tools
 * that it called. Knows no provider's names.
 */
import type {
  ChatAgentFields,
  ChatMessage,
  ChatMessagePart,
  ClientToolResult,
  FileMessagePart,
  ToolCallMessagePart,
} from "@kortyx/protocol";

/** Options of every function that turns a conversation into a request to a model. */
export interface HistoryOptions {
  /**
   * The results of tools that the client has run: the agent's option of the same name. The messages do not have them, and
   * a call without a result would be taken for an interrupted one. `runTools` puts them into the messages itself.
   */
  toolResults?: ChatAgentFields["toolResults"] | undefined;
}

/** What one side has said. */
export interface HistoryEntry {
  role: ChatMessage["role"];
  /** In order; texts are not empty. Of the assistant, one call of the model: its tool calls included. */
  parts: ChatMessagePart[];
}

/**
 * Splits answers into the model's turns: one begins at each `step` part, or, in an answer without any, wherever the model
 * continues after the result of a tool. What holds nothing that a model could read is left out.
 */
export function toHistory(messages: readonly ChatMessage[]): HistoryEntry[] {
  return messages
    .flatMap(({ role, content, parts }): HistoryEntry[] => {
      const said = withContent(content, parts);
      return role === "assistant" ? toTurns(said) : [{ role, parts: said }];
    })
    .filter(({ parts }) => parts.length > 0);
}

/** The text of a message may also be in its `content` alone. */
function withContent(content: string, parts: ChatMessagePart[] = []): ChatMessagePart[] {
  const hasText = parts.some(({ type }) => type === "text");
  const text: ChatMessagePart[] = hasText ? [] : [{ type: "text", text: content }];
  return [...text, ...parts].filter(
    (part) => part.type !== "text" || part.text !== "" || part.providerMetadata,
  );
}

function toTurns(parts: ChatMessagePart[]): HistoryEntry[] {
  const turns: HistoryEntry[] = [{ role: "assistant", parts: [] }];
  // A model may write more after its calls, before it has their results: only steps show that.
  const hasSteps = parts.some(({ type }) => type === "step");
  for (const part of parts) {
    const turn = turns.at(-1)!;
    const isNext = !hasSteps && part.type !== "tool-call" && turn.parts.some(isToBeRun);
    if (part.type === "step" || isNext) turns.push({ role: "assistant", parts: [] });
    if (part.type !== "step") turns.at(-1)!.parts.push(part);
  }
  return turns;
}

/** The result of a call that the provider runs is a part of the model's own turn. */
const isToBeRun = (part: ChatMessagePart): boolean =>
  part.type === "tool-call" && part.executor !== "provider";

/**
 * Puts results of a client into the calls that wait for them. Of calls with the same id, the newest ones are open: an older
 * one was interrupted. A result for any other call is left out.
 */
export function withResults(
  messages: readonly ChatMessage[],
  results: readonly ClientToolResult[] = [],
): ChatMessage[] {
  const changed = [...messages];
  for (const result of results.toReversed()) {
    const isOpen = (part: ChatMessagePart): part is ToolCallMessagePart =>
      part.type === "tool-call" && part.toolCallId === result.toolCallId && waitsForClient(part);
    const index = changed.findLastIndex(({ parts }) => parts?.some(isOpen));
    if (index === -1) continue;
    const parts = [...changed[index]!.parts!];
    const place = parts.findLastIndex(isOpen);
    const call = parts[place] as ToolCallMessagePart;
    parts[place] = { ...call, ...toAnsweredCall(result), tool: call.tool };
    changed[index] = { ...changed[index]!, parts };
  }
  return changed;
}

/** A call that the provider runs, or that a person has not allowed, takes no result from a client. */
const waitsForClient = ({ executor, state }: ToolCallMessagePart): boolean =>
  executor !== "provider" && state !== "awaiting-approval" && !isSettled({ state });

/** Whether a call has come to an end of its own. */
export const isSettled = ({ state }: Pick<ToolCallMessagePart, "state">): boolean =>
  state === "done" || state === "error" || state === "denied";

/** The call of a result, as far as the result names it. */
export const toAnsweredCall = ({
  toolCallId,
  tool,
  content,
  errorMessage,
}: ClientToolResult): ToolCallMessagePart => ({
  type: "tool-call",
  toolCallId,
  tool,
  ...(errorMessage === undefined
    ? { state: "done", content: content ?? null }
    : { state: "error", errorMessage }),
});

/** The result of a call, as a model reads it. */
export interface CallResult {
  /** Any JSON value: what the tool has returned, or a sentence. */
  content: unknown;
  /** The call has failed, was refused, or has not come to a result. */
  isError: boolean;
}

/** Every call has one: providers refuse a conversation with a call that is still open. */
export function resultOf({
  state,
  content,
  structuredContent,
  errorMessage,
}: ToolCallMessagePart): CallResult {
  const result = content ?? structuredContent;
  switch (state) {
    case "done":
      return { content: result ?? null, isError: false };
    case "error":
      return { content: result ?? errorMessage ?? "The tool failed.", isError: true };
    case "denied":
      return {
        content: errorMessage ? `The call was denied: ${errorMessage}` : "The call was denied.",
        isError: true,
      };
    default:
      return { content: "The call was interrupted before it had a result.", isError: true };
  }
}

/**
 * Ids of calls that a provider accepts, in the order of the calls: each occurs once. Other providers write longer ids, and
 * some the same id more than once.
 */
export function createCallIds(
  maxLength: number,
  toValid: (id: string) => string = (id) => id,
): (id: string) => string {
  /** The ids in use, and the last number that was added to each. */
  const numbers = new Map<string, number>();
  return (id) => {
    const valid = toValid(id).slice(0, maxLength) || "call";
    let number = numbers.get(valid) ?? 1;
    let unique = valid;
    while (numbers.has(unique)) {
      const suffix = `_${++number}`;
      unique = `${valid.slice(0, maxLength - suffix.length)}${suffix}`;
    }
    numbers.set(valid, number);
    if (unique !== valid) numbers.set(unique, 1);
    return unique;
  };
}

/** Replaces what providers refuse in ids and names. */
export const toPlainName = (name: string): string => name.replace(/[^\w-]/g, "_");

/** The name of a tool, as providers accept it. That of a tool of another provider's, or of MCP, may have any characters. */
export const toToolName = (tool: string, maxLength: number): string =>
  toPlainName(tool).slice(0, maxLength) || "tool";

/** A value as the text that most providers want: a text as it is, and JSON of anything else. */
export const toText = (value: unknown): string =>
  typeof value === "string" ? value : (JSON.stringify(value) ?? "null");

/** @returns the parts of a `data:` URL, if it is one with base64 (RFC 2397). */
export function parseDataURL(url: string): { mediaType: string; base64: string } | undefined {
  const match = /^data:([^;,]*)(?:;[^;,]*)*;base64,/i.exec(url);
  return match ? { mediaType: match[1]!, base64: url.slice(match[0].length) } : undefined;
}

/** Whether a library may load the file. A `blob:` exists in the page only, and a `file:` on the server. */
export const isLoadableURL = (url: string): boolean => URL.canParse(url) && !/^(blob|file):/i.test(url);

/** A text in place of a file that the model cannot be given. A `data:` URL is too long for one. */
export const nameFile = ({ name, mediaType, url }: FileMessagePart): string =>
  `[File: ${[name, mediaType, /^https?:/i.test(url) && url].filter(Boolean).join(", ")}]`;
