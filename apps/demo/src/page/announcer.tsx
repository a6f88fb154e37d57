/**
 * Announces what happens to a screen reader, once and in whole sentences: a growing answer would be read word by word, or
 * over and over. A failed answer has its own alert.
 */
import { type ChatSnapshot, toMessageText } from "@kortyx/client";
import { useState } from "react";
import type { ComposerProps } from "./composer.tsx";

/** Longer answers are better read at one's own pace. */
const maxLength = 400;

export function Announcer({ snapshot, refusal }: Pick<ComposerProps, "snapshot" | "refusal">) {
  // A conversation from before the page was loaded is not news.
  const [hasNews, setNews] = useState(false);
  if (!hasNews && snapshot.status !== "ready") setNews(true);
  return (
    <p className="visually-hidden" role="status">
      {refusal ?? (hasNews ? describe(snapshot) : "")}
    </p>
  );
}

function describe({ messages, status, interrupts }: ChatSnapshot): string {
  if (status !== "ready" && status !== "error") return "Answering";
  const last = messages.at(-1);
  if (last?.role !== "assistant") return "";
  if (last.status !== "done") return last.status === "aborted" ? "Stopped" : "";
  const questions = interrupts.map(({ input }) => input.question ?? "What do you mean?");
  if (questions.length > 0) return `The assistant asks: ${questions.join(" ")}`;
  const text = toPlainText(toMessageText(last));
  const isLong = text.length > maxLength;
  const start = isLong ? `${text.slice(0, text.lastIndexOf(" ", maxLength))} …` : text;
  return `${start} Answer complete.${isLong ? " The rest is in the conversation." : ""}`.trim();
}

/** Without the marks of Markdown, which are not to be read aloud. */
const toPlainText = (markdown: string): string =>
  markdown
    .replace(/^[>#\-*+|\s]+/gm, "")
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/[*_`~|]+/g, "")
    .replace(/\s+/g, " ")
    .trim();
