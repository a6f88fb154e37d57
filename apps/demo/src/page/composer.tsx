/** The box to type into, with Send or Stop, and a line that describes the chat. */
import type { ChatSnapshot } from "@kortyx/client";
import { type KeyboardEvent, type Ref, useEffect, useState } from "react";
import { Icon } from "./icon.tsx";

export interface ComposerProps {
  ref: Ref<HTMLTextAreaElement>;
  snapshot: ChatSnapshot;
  /** Why the last action was refused. */
  refusal: string | undefined;
  onSend: (text: string) => void;
  onStop: () => void;
}

export function Composer({ ref, snapshot, refusal, onSend, onStop }: ComposerProps) {
  const [text, setText] = useState("");
  const isEmpty = text.trim() === "";
  const isBusy = snapshot.status !== "ready" && snapshot.status !== "error";

  function send(): void {
    if (isEmpty || isBusy) return;
    onSend(text.trim());
    setText("");
  }

  function onKeyDown(event: KeyboardEvent): void {
    // Enter also confirms the suggestion of an input method.
    if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) {
      event.preventDefault();
      send();
    }
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
      <form
        className="column"
        onSubmit={(event) => {
          event.preventDefault();
          send();
        }}
      >
        <div className="box">
          <textarea
            ref={ref}
            aria-label="Message"
            aria-keyshortcuts="Enter Escape"
            placeholder="Ask about streams, routes, runs…"
            rows={1}
            maxLength={4000}
            value={text}
            onChange={(event) => setText(event.target.value)}
            onKeyDown={onKeyDown}
          />
          {isBusy ? (
            <button
              key="stop"
              type="button"
              className="round"
              aria-label="Stop"
              title="Stop (Esc)"
              onClick={onStop}
            >
              <Icon name="stop" size={18} />
            </button>
          ) : (
            <button
              key="send"
              type="submit"
              className="round"
              aria-label="Send"
              title="Send (Enter)"
              disabled={isEmpty}
            >
              <Icon name="send" size={18} />
            </button>
          )}
        </div>
        <div className="below-box muted">
          <p className="one-line">{refusal ?? describe(snapshot)}</p>
          <p className="hint">
            <kbd>Enter</kbd> sends · <kbd>Shift+Enter</kbd> breaks the line · <kbd>Esc</kbd> stops
          </p>
        </div>
      </form>
    </div>
  );
}

/** What the chat is doing, or how the last answer ended. */
function describe({ status, statusMessage, reconnecting, messages, timing }: ChatSnapshot): string {
  if (reconnecting) return "The connection is lost, trying again…";
  switch (status) {
    case "submitted":
      return "Asking…";
    case "streaming":
      return `${statusMessage ?? "Answering"}…`;
    case "stopping":
      return "Stopping…";
    case "error":
      return "Failed";
  }
  const answer = messages.at(-1);
  if (answer?.role !== "assistant") return "Ready";
  if (answer.status === "aborted") return "Stopped";
  if (answer.interrupt !== undefined) return "Waiting for your answer";
  if (timing?.durationMs === undefined) return "Ready";
  const tokens = answer.usage?.outputTokens;
  const seconds = `${(timing.durationMs / 1000).toFixed(1)} s`;
  return tokens === undefined ? `Answered in ${seconds}` : `Answered in ${seconds}, ${tokens} tokens`;
}
