/**
 * A request of the AI SDK's `useChat` as a body of ours. Validates nothing: what has a strange shape is passed on, for
 * the parser of the body to report.
 */

import { type AISDKMessage, isToolPart, toChatMessage } from "./ai-sdk-messages.ts";
import { ownMetadataOf } from "./ai-sdk-metadata.ts";
import type { ChatMessage } from "./chat-request.ts";
import { isRecord } from "./chunk-shape.ts";

type Fields = Record<string, unknown>;

/**
 * Whether a parsed body is a request of the AI SDK's `useChat`, rather than one of ours: it names its `trigger` in the
 * SDK's words, or one of its messages has `parts` and no `content`.
 *
 * @example
 * ```ts
 * const messages = [{ id: "1", role: "user", parts: [{ type: "text", text: "Hello" }] }];
 * isAISDKRequest({ id: "chat", messages, trigger: "submit-message" }); // true
 * ```
 */
export function isAISDKRequest(body: unknown): boolean {
  if (!isRecord(body) || !Array.isArray(body.messages)) return false;
  if (body.trigger === "submit-message" || body.trigger === "regenerate-message") return true;
  return body.messages.some(isAISDKMessage);
}

/**
 * Converts the body of a request of the AI SDK's `useChat` into one for `parseChatRequestBody`. Answers to questions about
 * tool calls become `resumes`, outputs of the client's tools `toolResults`; other fields of the body are kept.
 *
 * @param body - The parsed JSON, untrusted. Of another shape, it is returned as it is.
 *
 * @example
 * ```ts
 * const messages = [{ id: "1", role: "user", parts: [{ type: "text", text: "Hello" }] }];
 * fromAISDKRequest({ id: "chat", messages, trigger: "submit-message" });
 * // { messages: [{ id: "1", role: "user", content: "Hello" }], sessionId: "chat", trigger: "send" }
 * ```
 */
export function fromAISDKRequest(body: unknown): unknown {
  if (!isRecord(body) || !Array.isArray(body.messages)) return body;
  const { id, messages: given, trigger, messageId, ...rest } = body;
  const messages = trigger === "regenerate-message" ? given : throughContinued(given, messageId);
  const last = messages.at(-1);
  const continued = isAISDKMessage(last) && last.role === "assistant" ? last : undefined;
  return {
    messages: messages.map((message, index) =>
      isAISDKMessage(message) ? toChatMessage(message, index === messages.length - 1) : message,
    ),
    ...(id !== undefined && { sessionId: id }),
    ...toTrigger(trigger, continued, messageId),
    ...(continued && answersOf(continued)),
    ...rest,
  };
}

/**
 * The answer that a request of `useChat` continues: its last message, if that is the assistant's. For the translator of
 * the stream that responds to it.
 *
 * @param body - The parsed JSON, untrusted.
 *
 * @example
 * ```ts
 * const messages = [{ id: "2", role: "assistant", parts: [{ type: "text", text: "Hello" }] }];
 * continuedMessageOf({ id: "chat", messages, trigger: "submit-message" })?.id; // "2"
 * ```
 */
export function continuedMessageOf(body: unknown): Pick<ChatMessage, "id" | "parts"> | undefined {
  const { messages } = (fromAISDKRequest(body) ?? {}) as { messages?: unknown };
  const last: unknown = Array.isArray(messages) ? messages.at(-1) : undefined;
  if (!isRecord(last) || last.role !== "assistant") return undefined;
  return {
    id: typeof last.id === "string" ? last.id : undefined,
    parts: Array.isArray(last.parts) ? last.parts : [],
  };
}

function isAISDKMessage(message: unknown): message is AISDKMessage {
  return isRecord(message) && Array.isArray(message.parts) && message.content === undefined;
}

/** An approval may be in an answer that other messages follow: the SDK continues that one. */
function throughContinued(messages: unknown[], messageId: unknown): unknown[] {
  if (typeof messageId !== "string") return messages;
  const index = messages.findIndex((message) => isRecord(message) && message.id === messageId);
  return isRecord(messages[index]) && messages[index].role === "assistant"
    ? messages.slice(0, index + 1)
    : messages;
}

function toTrigger(trigger: unknown, continued: AISDKMessage | undefined, messageId: unknown): Fields {
  if (trigger === "regenerate-message") {
    return { trigger: "regenerate", ...(messageId !== undefined && { messageId }) };
  }
  // Of a message that was sent, `messageId` is the user's.
  if (continued)
    return { trigger: "continue", ...(continued.id !== undefined && { messageId: continued.id }) };
  return { trigger: trigger === "submit-message" ? "send" : trigger };
}

/** What the client has done since the answer ended: in the last step, because the server begins another one. */
function answersOf({ parts, metadata }: AISDKMessage): Fields {
  const from = parts.findLastIndex((part) => isRecord(part) && part.type === "step-start");
  const calls = parts.slice(from + 1).filter(isToolPart);
  const resumes = parts.filter(isToolPart).flatMap(toResume);
  const pending = ownMetadataOf(metadata).pendingToolCallIds;
  const pendingIds = new Set<unknown>(Array.isArray(pending) ? pending : []);
  const toolResults = calls.flatMap((part) => toToolResult(part, pendingIds));
  return {
    ...(resumes.length > 0 && { resumes }),
    ...(toolResults.length > 0 && { toolResults }),
  };
}

/** @returns the answer to the question about a call, unless the server has had it. */
function toResume(part: Fields): Fields[] {
  const { state, approval } = part;
  if (state !== "approval-responded" || !isRecord(approval)) return [];
  const own = ownMetadataOf(part.callProviderMetadata);
  if (own.resolved === approval.id || approval.isAutomatic === true) return [];
  const { id: requestId, signature: resumeToken = "", approved, reason } = approval;
  return [
    {
      requestId,
      resumeToken,
      toolCallId: own.toolCallId ?? part.toolCallId,
      answer: approved === true ? "approve" : "deny",
      ...(reason != null && { reason }),
    },
  ];
}

/** @returns the result of a call that the client has run; nothing for a result that the server has sent. */
function toToolResult(part: Fields, pendingIds: ReadonlySet<unknown>): Fields[] {
  const { state, type, toolName, toolCallId, output, errorText } = part;
  const { executor, resumeToken, toolCallId: ownId } = ownMetadataOf(part.callProviderMetadata);
  const isClient = executor === "client" || resumeToken !== undefined || pendingIds.has(toolCallId);
  const isOver = state === "output-available" || state === "output-error";
  if (!isOver || !isClient || part.providerExecuted === true || part.preliminary === true) return [];
  return [
    {
      toolCallId: ownId ?? toolCallId,
      tool: type === "dynamic-tool" ? toolName : String(type).slice("tool-".length),
      ...(resumeToken !== undefined && { resumeToken }),
      ...(state === "output-error" ? { errorMessage: errorText ?? "" } : { content: output ?? null }),
    },
  ];
}
