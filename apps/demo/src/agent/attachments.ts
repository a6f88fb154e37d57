/** The files that the user has attached, as pages to search. Reads texts, and loads nothing from elsewhere. */
import type { ChatMessage } from "@kortyx/server";

/** @returns the texts by name, and the names of the latest message's files that are not text. */
export async function readAttachments(messages: readonly ChatMessage[]) {
  const texts = new Map<string, string>();
  let unread: string[] = [];
  for (const { parts = [] } of messages.filter(({ role }) => role === "user")) {
    unread = [];
    for (const part of parts) {
      if (part.type !== "file") continue;
      const { url, mediaType, name = "attachment" } = part;
      // Another address could be one of this server's network, which a client must not reach.
      const isText = mediaType.startsWith("text/") && url.startsWith("data:");
      if (isText) texts.set(name, await (await fetch(url)).text());
      else unread.push(name);
    }
  }
  return { texts, unread };
}
