/**
 * Picks the body of a chat request from options that hold its fields among others. The protocol lists the fields.
 */
import type { ChatRequestBody, ChatTypes } from "@kortyx/protocol";
import { chatRequestFields } from "@kortyx/protocol/internal";

/** The body's fields that are options. `stream` is not: each function requests one form of answer. */
export interface ChatBodyOptions<Types extends ChatTypes = ChatTypes>
  extends Omit<ChatRequestBody<Types>, "stream"> {}

/** @returns only the fields of the body. */
export function toChatBody(options: ChatBodyOptions): ChatBodyOptions {
  const { stream, ...fields } = chatRequestFields;
  const names = Object.keys(fields) as (keyof typeof fields)[];
  return Object.fromEntries(names.map((name) => [name, options[name]])) as unknown as ChatBodyOptions;
}
