/**
 * The box to type into, with Send or Stop, and what the chat is doing: in a line below the box, and for a screen reader.
 */
import { type ChatSnapshot, toMessageText } from "@kortyx/client";
import { type KeyboardEvent, type Ref, type SyntheticEvent, useEffect, useRef, useState } from "react";
import type { ChatActions } from "./chat-actions.ts";
import { Icon } from "./elements.tsx";

export interface ComposerProps {
  ref: Ref<HTMLTextAreaElement>;
  snapshot: ChatSnapshot;
  /** Why the last action was refused. */
  refusal: string | undefined;
  onSend: ChatActions["send"];
  onStop: () => void;
}

export function Composer({ ref, snapshot, refusal, onSend, onStop }: ComposerProps) {
  const [text, setText] = useState("");
  const [files, setFiles] = useState<File[]>([]);
  const picker = useRef<HTMLInputElement>(null);
  const isEmpty = text.trim() === "";
  const isBusy = snapshot.status !== "ready" && snapshot.status !== "error";

  function send(event: SyntheticEvent): void {
    event.preventDefault();
    if (isEmpty || isBusy) return;
    onSend({ content: text.trim(), files });
    setText("");
    setFiles([]);
  }

  function attach(added: FileList | null): void {
    setFiles([...files, ...(added ?? [])]);
  }

  function remove(file: File): void {
    setFiles(files.filter((other) => other !== file));
    picker.current?.focus();
  }

  function onKeyDown(event: KeyboardEvent): void {
    // Enter also confirms the suggestion of an input method.
    if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) send(event);
  }

  useEffect(() => {
    if (!isBusy) return undefined;
    const onEscape = (event: globalThis.KeyboardEvent) => {
      if (event.key === "Escape") onStop();
    };
    document.addEventListener("keydown", onEscape);
    return () => document.removeEventListener("keydown", onEscape);
  }, [isBusy, onStop]);

  return (
    <div className="composer">
      <form className="column" onSubmit={send}>
        {files.length > 0 && (
          <ul className="attachments" aria-label="Attachments">
            {files.map((file) => (
              <li key={file.name} className="file">
                <Icon name="file" />
                {file.name}
                <button
                  type="button"
                  className="quiet-button muted"
                  aria-label={`Remove ${file.name}`}
                  onClick={() => remove(file)}
                >
                  <Icon name="remove" />
                </button>
              </li>
            ))}
          </ul>
        )}
        <div className="box">
          <label className="round attach" title="Attach files">
            <Icon name="attach" size={18} />
            <input
              ref={picker}
              type="file"
              multiple
              className="visually-hidden"
              aria-label="Attach files"
              onChange={({ target }) => {
                attach(target.files);
                // The same file can be chosen again.
                target.value = "";
              }}
            />
          </label>
          <textarea
            ref={ref}
            aria-label="Message"
            aria-keyshortcuts="Enter Escape"
            placeholder="Ask about streams…"
            rows={1}
            maxLength={4000}
            value={text}
            onChange={(event) => setText(event.target.value)}
            onKeyDown={onKeyDown}
            onPaste={({ clipboardData }) => attach(clipboardData.files)}
          />
          <button
            // Another element, so that a click on Stop cannot also send.
            key={isBusy ? "stop" : "send"}
            type={isBusy ? "button" : "submit"}
            className="round"
            aria-label={isBusy ? "Stop" : "Send"}
            title={isBusy ? "Stop (Esc)" : "Send (Enter)"}
            disabled={!isBusy && isEmpty}
            onClick={isBusy ? onStop : undefined}
          >
            <Icon name={isBusy ? "stop" : "send"} size={18} />
          </button>
        </div>
        <p className="below-box muted one-line">{refusal ?? describe(snapshot)}</p>
      </form>
    </div>
  );
}

/** What the chat is doing, or how the last answer ended. */
function describe({ status, statusMessage, reconnecting, messages, timing }: ChatSnapshot): string {
  if (reconnecting) return "The connection is lost, trying again…";
  if (status === "streaming") return `${statusMessage ?? "Answering"}…`;
  if (status !== "ready") return { submitted: "Asking…", stopping: "Stopping…", error: "Failed" }[status];
  const answer = messages.at(-1);
  if (answer?.role !== "assistant") return "Ready";
  if (answer.status === "aborted") return "Stopped";
  if (answer.interrupt !== undefined) return "Waiting for your answer";
  if (timing?.durationMs === undefined) return "Ready";
  const tokens = answer.usage?.outputTokens;
  const seconds = `${(timing.durationMs / 1000).toFixed(1)} s`;
  return tokens === undefined ? `Answered in ${seconds}` : `Answered in ${seconds}, ${tokens} tokens`;
}

/** Longer answers are better read at one's own pace. */
const maxAnnouncedLength = 400;

/**
 * Announces what happens to a screen reader, once and in whole sentences: a growing answer would be read word by word, or
 * over and over. A failed answer has its own alert.
 */
export function Announcer({ snapshot, refusal }: Pick<ComposerProps, "snapshot" | "refusal">) {
  // A conversation from before the page was loaded is not news.
  const [hasNews, setNews] = useState(false);
  if (!hasNews && snapshot.status !== "ready") setNews(true);
  return (
    <p className="visually-hidden" role="status">
      {refusal ?? (hasNews ? announce(snapshot) : "")}
    </p>
  );
}

function announce({ messages, status, interrupts }: ChatSnapshot): string {
  if (status !== "ready" && status !== "error") return "Answering";
  const last = messages.at(-1);
  if (last?.role !== "assistant") return "";
  if (last.status !== "done") return last.status === "aborted" ? "Stopped" : "";
  const questions = interrupts.map(({ input }) => input.question ?? "What do you mean?");
  if (questions.length > 0) return `The assistant asks: ${questions.join(" ")}`;
  const text = toPlainText(toMessageText(last));
  const isLong = text.length > maxAnnouncedLength;
  const start = isLong ? `${text.slice(0, text.lastIndexOf(" ", maxAnnouncedLength))} …` : text;
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
