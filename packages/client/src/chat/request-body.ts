/**
 * The body of a chat's request: the messages for the agent, and what the chat adds to them.
 */
import type { ChatMessage, ChatRequestBody, ChatResume } from "@kortyx/protocol";
import { toChatMessages } from "@kortyx/protocol/internal";
import { toChatBody } from "../route/chat-body.ts";
import type { ChatOptions, FieldsOfChat } from "./chat.ts";
import { carryResume } from "./chat-input.ts";
import { type ChatTools, toOfferedTools } from "./chat-tools.ts";
import { trimHistory, type UIMessage } from "./messages.ts";

/** Why an answer is requested, other than for a new message. */
export type AddedFields = Pick<ChatRequestBody, "resumes" | "toolResults" | "trigger" | "messageId">;

interface RequestState {
  sessionId: string;
  idempotencyKey: string | undefined;
  resume: ChatResume | undefined;
  added: AddedFields;
  /** The route has shown that it reads the parts of messages. */
  acceptsParts: boolean;
}

/** @throws ChatStateError `too-large` if the messages cannot be trimmed enough, and what `selectMessages` throws. */
export function toRequestBody(
  messages: readonly UIMessage[],
  options: ChatOptions,
  { acceptsParts, added, ...state }: RequestState,
): ChatRequestBody {
  const { selectMessages, maxHistoryBytes = 1_000_000 } = options;
  // An agent that asks about a call, or calls a tool of the page, belongs to a server that reads parts.
  const readsParts = acceptsParts || added.trigger === "continue";
  const said: ChatMessage[] = toChatMessages(messages, options.history ?? (readsParts ? "parts" : "text"));
  const selected = carryResume(selectMessages?.(said) ?? said, state.resume);
  const own: Record<FieldsOfChat | "messages" | "idempotencyKey", unknown> = {
    ...state,
    messages: trimHistory(selected, maxHistoryBytes),
    tools: toOfferedTools(options.tools as ChatTools | undefined),
    resumes: added.resumes,
    toolResults: added.toolResults,
    trigger: added.trigger,
    messageId: added.messageId,
  };
  return toChatBody({ ...options, ...own } as ChatRequestBody);
}
