/**
 * Which URLs the files of a request may have. Loads none of them.
 */
import type { ChatMessage, FileMessagePart } from "@kortyx/protocol";
import { checkOption } from "@kortyx/protocol/internal";
import { type ChatRequestIssue, describeReceived, invalidRequest } from "./chat-request-error.ts";

/** @throws TypeError for schemes that no URL can have, which would silently refuse every file. */
export function checkUrlSchemes(schemes: unknown): void {
  const areSchemes =
    Array.isArray(schemes) &&
    schemes.every((scheme) => typeof scheme === "string" && /^[a-z][a-z\d+.-]*:$/.test(scheme));
  const expected = 'an array of schemes with their colon, such as ["https:"]';
  checkOption("fileUrlSchemes", schemes === undefined || areSchemes, expected, schemes);
}

/**
 * Refuses URLs of other schemes, and relative ones. Stricter than a parser of URLs, which skips control characters within
 * a scheme: these are refused, too.
 *
 * @returns the messages, without such files of answers: an agent may have sent them to the client.
 * @throws ChatRequestError `invalid-request` that lists every such file of other messages.
 */
export function checkFileUrls(
  messages: ChatMessage[],
  schemes: string[] = ["https:", "data:"],
): ChatMessage[] {
  const expected =
    schemes.length > 0
      ? `a URL that begins with ${schemes.join(" or ")}`
      : "left out, as this route accepts no files";
  const issues: ChatRequestIssue[] = [];
  const allowed = messages.map((message, index) => {
    const { role, parts } = message;
    if (parts === undefined) return message;
    const kept = parts.filter((part, partIndex) => {
      if (part.type !== "file" || schemes.includes(schemeOf(part.url))) return true;
      if (schemes.length > 0 && isAtProvider(part)) return true;
      const path = `messages.${index}.parts.${partIndex}.url`;
      if (role !== "assistant") issues.push({ path, expected, received: describeReceived(part.url) });
      return false;
    });
    return { ...message, parts: kept };
  });
  if (issues.length > 0) throw invalidRequest(issues);
  return allowed;
}

/** Whether a file has no URL, because only its provider has it. */
const isAtProvider = ({ url, providerReference = {} }: FileMessagePart): boolean =>
  url === "" && Object.keys(providerReference).length > 0;

/** The scheme of a URL with its colon; empty for a relative one. */
const schemeOf = (url: string): string => /^[a-z][a-z\d+.-]*:/i.exec(url)?.[0].toLowerCase() ?? "";
