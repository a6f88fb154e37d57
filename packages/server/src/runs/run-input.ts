/**
 * The user's message as the log of its run contains it, for pages that did not send it. Every follower of the run receives
 * it, in one event.
 */
import type { ChatMessage } from "@kortyx/protocol";

/** The longest URL of a file, in characters: enough for a small picture, and for every URL that holds no file. */
const maxUrlLength = 65_536;

/** @returns the message without the files that are in it whole and large: the agent and `onFinish` receive them. */
export function toRunInput(message: ChatMessage): ChatMessage {
  const parts = message.parts?.filter((part) => part.type !== "file" || part.url.length <= maxUrlLength);
  return parts === undefined ? message : { ...message, parts };
}
