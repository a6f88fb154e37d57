/**
 * The form in which a conversation is kept, and the way back from a text that anybody may have changed. Touches no
 * storage.
 */
import type { MessagePart, UIMessage } from "@kortyx/client";

/** A conversation as it is kept. */
export interface StoredConversation {
  id: string;
  /** The agent's name for it; a server may choose another than the page did. */
  sessionId: string;
  /** When something was last added, in milliseconds since 1970-01-01 UTC. */
  updatedAt: number;
  messages: readonly UIMessage[];
}

type Fields = Record<string, unknown>;

/** @returns undefined for a text that is no conversation. Parts and messages that cannot be shown are left out. */
export function parseConversation(text: string): StoredConversation | undefined {
  const value = parseJson(text);
  if (!isObject(value)) return undefined;
  const { id, sessionId, updatedAt, messages } = value;
  if (!isText(id) || !isText(sessionId) || typeof updatedAt !== "number" || !Array.isArray(messages)) {
    return undefined;
  }
  return { id, sessionId, updatedAt, messages: messages.flatMap((message) => parseMessage(message) ?? []) };
}

/** The first words of a conversation. */
export function titleOf({ messages }: StoredConversation): string {
  const first = messages.find((message) => message.role === "user")?.content.trim();
  return first?.split("\n", 1)[0]?.slice(0, 80) || "Untitled";
}

/** Whether the page was left before the last question had its whole answer. */
export function wasCut(conversation: StoredConversation | undefined): boolean {
  const last = conversation?.messages.at(-1);
  return last?.role === "user" || last?.status === "streaming";
}

function parseMessage(message: unknown): UIMessage | undefined {
  if (!isObject(message) || !isText(message.id)) return undefined;
  if (message.role === "user") {
    const { id, content, metadata } = message;
    return isText(content)
      ? { role: "user", id, content, ...(isObject(metadata) && { metadata }) }
      : undefined;
  }
  const isAnswer =
    message.role === "assistant" && isOneOf(answerStatuses, message.status) && Array.isArray(message.parts);
  if (!isAnswer) return undefined;
  const { interrupt, error, usage, ...rest } = message;
  return {
    ...rest,
    parts: (message.parts as unknown[]).filter(isPart),
    ...(isPart(interrupt) && { interrupt }),
    ...(isObject(error) && isText(error.message) && { error }),
    ...(isObject(usage) && { usage }),
  } as unknown as UIMessage;
}

const answerStatuses = ["streaming", "done", "aborted", "error", "truncated"];
const toolCallStates = ["input-streaming", "running", "done", "error", "interrupted"];

/** What each part must hold to be shown, and to be sent with the next question. */
const partGuards: Record<MessagePart["type"], (part: Fields) => boolean> = {
  text: ({ text }) => isText(text),
  reasoning: ({ text }) => isText(text),
  "tool-call": ({ toolCallId, tool, state, inputText, errorMessage }) =>
    isText(toolCallId) &&
    isText(tool) &&
    isText(inputText) &&
    isOptionalText(errorMessage) &&
    isOneOf(toolCallStates, state),
  "structured-data": ({ streamId, dataType }) => isText(streamId) && isText(dataType),
  interrupt: ({ requestId, resumeToken, input }) =>
    isText(requestId) && isText(resumeToken) && isInput(input),
  source: ({ id, url, title }) => isText(id) && isOptionalText(url) && isOptionalText(title),
  file: ({ mediaType, url, name }) => isText(mediaType) && isText(url) && isOptionalText(name),
};

const isPart = (part: unknown): boolean =>
  isObject(part) &&
  isText(part.type) &&
  Object.hasOwn(partGuards, part.type) &&
  partGuards[part.type as MessagePart["type"]](part);

function isInput(input: unknown): boolean {
  if (!isObject(input)) return false;
  if (input.kind === "text") return isOptionalText(input.question);
  return (
    isOneOf(["choice", "multi-choice"], input.kind) &&
    isText(input.question) &&
    Array.isArray(input.options) &&
    input.options.every(
      (option: unknown) =>
        isObject(option) && isText(option.id) && isText(option.label) && isOptionalText(option.description),
    )
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const isObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isText = (value: unknown): value is string => typeof value === "string";
const isOptionalText = (value: unknown): boolean => value === undefined || isText(value);
const isOneOf = (texts: readonly string[], value: unknown): boolean => isText(value) && texts.includes(value);
