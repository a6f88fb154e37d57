/**
 * The messages of a conversation in the form of a request: as a client sends them, and as an agent receives them.
 */
import { joinTextParts } from "./answer-text.ts";
import type { AssistantMessage, MessagePart } from "./assistant-message.ts";
import type { ChatMessage, ChatMessagePart } from "./chat-request.ts";
import type { UIMessage, UserUIMessage } from "./ui-message.ts";

/**
 * The messages of a conversation as sent to a route: their texts, or their parts where there is more than text. Empty
 * answers are left out.
 */
export const toChatMessages = (messages: readonly UIMessage[], history: "text" | "parts"): ChatMessage[] =>
  messages.flatMap((message) =>
    message.role === "user" ? withoutBlankFiles(message) : (toChatMessage(message, history) ?? []),
  );

/** @returns an answer as a message of a request; undefined if there is nothing in it to send. */
export function toChatMessage(message: AssistantMessage, history: "text" | "parts"): ChatMessage | undefined {
  const content = joinTextParts(message.parts);
  const parts = history === "parts" ? message.parts.flatMap(toSentPart) : [];
  const hasMore = parts.some(
    (part) => part.type !== "step" && (part.type !== "text" || part.providerMetadata),
  );
  if (content === "" && !hasMore) return undefined;
  const { id, metadata } = message;
  return {
    role: "assistant",
    content,
    ...(id !== undefined && { id }),
    ...(history === "parts" && metadata && { metadata }),
    ...(hasMore && { parts }),
  };
}

/** A file whose URL was not safe to show has none: a route would refuse the message, and so every request. */
function withoutBlankFiles(message: UserUIMessage): UserUIMessage {
  const isBlank = (part: ChatMessagePart) =>
    part.type === "file" && part.url === "" && !part.providerReference;
  return message.parts?.some(isBlank)
    ? { ...message, parts: message.parts.filter((part) => !isBlank(part)) }
    : message;
}

/** What is sent of each kind of part. The others are only for a user interface. */
const sentFields = {
  text: ["type", "text", "providerMetadata"],
  reasoning: ["type", "text", "providerMetadata"],
  file: ["type", "mediaType", "url", "name", "providerReference", "providerMetadata"],
  "tool-call": [
    "type",
    "toolCallId",
    "tool",
    "state",
    "input",
    "content",
    "structuredContent",
    "errorMessage",
    "executor",
    "inputFormat",
    "isDynamic",
    "providerMetadata",
    "resultProviderMetadata",
  ],
  data: ["type", "name", "data", "id", "providerMetadata"],
  step: ["type", "stepId", "name"],
} satisfies { [Part in ChatMessagePart as Part["type"]]: (keyof Part)[] };

/** @returns nothing for a part that is not sent. */
function toSentPart(part: MessagePart): ChatMessagePart[] {
  if (part.type === "structured-data") {
    const { dataType: name, streamId: id, data } = part;
    return [{ type: "data", name, id, data: data ?? null }];
  }
  const names: string[] = sentFields[part.type as keyof typeof sentFields] ?? [];
  const values = part as unknown as Record<string, unknown>;
  const sent = names.filter((name) => values[name] !== undefined).map((name) => [name, values[name]]);
  return sent.length === 0 || values.state === "input-streaming" ? [] : [Object.fromEntries(sent)];
}

/** The opposite: the parts of an answer in a request, as a fold continues them. Their questions are not in a request. */
export function toMessageParts({ content, parts }: ChatMessage): MessagePart[] {
  const said: ChatMessagePart[] = parts ?? [{ type: "text", text: content }];
  return said.map((part) => {
    switch (part.type) {
      case "text":
      case "reasoning":
        return { ...part, key: "", state: "done" };
      case "tool-call":
        return { ...part, inputText: "" };
      case "step":
        return { ...part, state: "done" };
      default:
        return part;
    }
  });
}
