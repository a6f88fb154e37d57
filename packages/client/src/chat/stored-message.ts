/**
 * Messages as an application passes them back to a chat: from a snapshot or a route's `onFinish`, or plain texts,
 * possibly changed by a database or another language. Reads no store.
 */
import type { ChatMessage, ChatTypes } from "@kortyx/protocol";
import { closePart, withSafeUrl } from "@kortyx/protocol/internal";
import { ChatStateError } from "../stream/errors.ts";
import type { AssistantUIMessage, UIMessage } from "./messages.ts";

/** A user message, or an answer with its `parts` or its text as `content`. */
export type StoredMessage<Types extends ChatTypes = ChatTypes> = UIMessage<Types> | ChatMessage<Types>;

/**
 * Turns a stored message into one that a chat shows. Streaming parts are closed, `null` counts as absent, a numeric id
 * becomes a string, and a missing one the message's position.
 *
 * @returns the same object if nothing needs to change.
 * @throws ChatStateError `invalid-message` for a value that no chat can show, such as a message without a role.
 */
export function toUIMessage(stored: StoredMessage, index: number): UIMessage {
  const given = withoutNulls(stored ?? {}) as Partial<
    Omit<ChatMessage, "parts"> & Omit<AssistantUIMessage, "role">
  >;
  const { role, content, parts, status = "done" } = given;
  const id = String(given.id ?? `message-${index}`);
  if (role === "user" && typeof content === "string") {
    if (parts === undefined) return merge(given, { id });
    return merge(given, { id, parts: Array.isArray(parts) ? changeParts(parts, withSafeUrl) : [] });
  }
  if (role === "assistant" && Array.isArray(parts)) {
    const isOpen = status === "streaming";
    return merge(given, {
      id,
      status: isOpen ? "truncated" : status,
      parts: changeParts(parts, (part) => withSafeUrl(isOpen ? closePart(part) : part)),
    });
  }
  if (role === "assistant" && typeof content === "string") {
    const text = { type: "text", key: "", text: content, state: "done" } as const;
    return { id, role, status: "done", parts: content === "" ? [] : [text] };
  }
  const keys = Object.keys(given).join(", ");
  const got = `got the role ${JSON.stringify(role)}, and ${keys === "" ? "no keys" : `the keys ${keys}`}`;
  throw new ChatStateError(
    "invalid-message",
    `Cannot show messages[${index}]: expected the role "user" with a text as content, or "assistant" with parts or a text as content; ${got}.`,
  );
}

function withoutNulls(fields: object): object {
  const entries = Object.entries(fields).filter(([, value]) => value !== null);
  return entries.length < Object.keys(fields).length ? Object.fromEntries(entries) : fields;
}

/** @returns the same array if no part changes. */
function changeParts<Part>(parts: readonly Part[], change: (part: Part) => Part): readonly Part[] {
  const changed = parts.filter((part) => part !== null).map(change);
  const isSame = changed.length === parts.length && changed.every((part, index) => part === parts[index]);
  return isSame ? parts : changed;
}

/** @returns the same object if it already has these values. */
function merge(given: object, values: Record<string, unknown>): UIMessage {
  const isSame = Object.keys(values).every((key) => (given as Record<string, unknown>)[key] === values[key]);
  return (isSame ? given : { ...given, ...values }) as UIMessage;
}
