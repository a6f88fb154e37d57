/**
 * Tells a screen reader what happens, once and in whole sentences: an answer that grows would be read a word at a time,
 * or over and over. What is wrong with an answer is told where it stands, by its own alert.
 */
import { type ChatStatus, toMessageText, type UIMessage } from "@kortyx/client";
import { useState } from "react";

export interface AnnouncerProps {
  messages: readonly UIMessage[];
  status: ChatStatus;
  refusal: string | undefined;
}

/** Longer answers are better read at one's own pace. */
const maxLength = 400;

export function Announcer({ messages, status, refusal }: AnnouncerProps) {
  // What was said before the page was loaded is no news.
  const [hasNews, setNews] = useState(false);
  if (!hasNews && status !== "ready") setNews(true);
  return (
    <p className="visually-hidden" role="status">
      {refusal ?? (hasNews ? describe(messages, status) : "")}
    </p>
  );
}

function describe(messages: readonly UIMessage[], status: ChatStatus): string {
  if (status !== "ready" && status !== "error") return "Answering";
  const last = messages.at(-1);
  if (last?.role !== "assistant") return "";
  if (last.status !== "done") return last.status === "aborted" ? "Stopped" : "";
  const { interrupt } = last;
  if (interrupt !== undefined)
    return `The assistant asks: ${interrupt.input.question ?? "What do you mean?"}`;
  const text = toPlainText(toMessageText(last));
  const isLong = text.length > maxLength;
  const start = isLong ? `${text.slice(0, text.lastIndexOf(" ", maxLength))} …` : text;
  return `${start} Answer complete.${isLong ? " It goes on in the conversation." : ""}`.trim();
}

/** Marks are not read aloud. */
const toPlainText = (markdown: string): string =>
  markdown
    .replace(/^[>#\-*+|\s]+/gm, "")
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/[*_`~|]+/g, "")
    .replace(/\s+/g, " ")
    .trim();
