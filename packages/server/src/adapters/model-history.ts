/**
 * The conversation in the order in which every provider wants it: each call of a model, and then the results of the tools
 * that it called. Knows no provider's names.
 */
import type { ChatMessage, ChatMessagePart, ToolCallMessagePart } from "@kortyx/protocol";

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

/** A value as the text that most providers want: a text as it is, and JSON of anything else. */
export const toText = (value: unknown): string =>
  typeof value === "string" ? value : (JSON.stringify(value) ?? "null");

/** @returns the parts of a `data:` URL, if it is one with base64 (RFC 2397). */
export function parseDataURL(url: string): { mediaType: string; base64: string } | undefined {
  const match = /^data:([^;,]*)(?:;[^;,]*)*;base64,/i.exec(url);
  return match ? { mediaType: match[1]!, base64: url.slice(match[0].length) } : undefined;
}
