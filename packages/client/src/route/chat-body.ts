/**
 * The body of a request to a chat route, from options that hold its fields beside others. Which fields there are is the
 * protocol's list.
 */
import type { ChatRequestBody } from "@kortyx/protocol";
import { chatRequestFields } from "@kortyx/protocol/internal";

/** The fields of the body that are options; `stream` is not, because each function requests one form of answer. */
export interface ChatBodyOptions extends Omit<ChatRequestBody, "stream"> {}

/** @returns the fields of the body, and no other option. */
export function toChatBody(options: ChatBodyOptions): ChatBodyOptions {
  const { stream, ...fields } = chatRequestFields;
  const names = Object.keys(fields) as (keyof typeof fields)[];
  return Object.fromEntries(names.map((name) => [name, options[name]])) as unknown as ChatBodyOptions;
}
