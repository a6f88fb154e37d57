/** The box to type into, with Send or Stop, and a line that says what is going on. */
import { type KeyboardEvent, type Ref, useState } from "react";
import type { Turn } from "./conversation.ts";
import { SendIcon, StopIcon } from "./icons.tsx";

export interface ComposerProps {
  ref: Ref<HTMLTextAreaElement>;
  lastTurn: Turn | undefined;
  isStreaming: boolean;
  onSend: (text: string) => void;
  onStop: () => void;
}

export function Composer({ ref, lastTurn, isStreaming, onSend, onStop }: ComposerProps) {
  const [text, setText] = useState("");
  const isEmpty = text.trim() === "";

  function send(): void {
    if (isEmpty || isStreaming) return;
    onSend(text);
    setText("");
  }

  function onKeyDown(event: KeyboardEvent): void {
    // Enter also confirms what an input method suggests.
    if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) {
      event.preventDefault();
      send();
    }
    if (event.key === "Escape" && isStreaming) onStop();
  }

  return (
    <footer className="composer">
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
            aria-describedby="composer-hint"
            placeholder="Ask about the documentation"
            rows={1}
            maxLength={4000}
            value={text}
            onChange={(event) => setText(event.target.value)}
            onKeyDown={onKeyDown}
          />
          {isStreaming ? (
            <button
              key="stop"
              type="button"
              className="round"
              aria-label="Stop"
              title="Stop"
              onClick={onStop}
            >
              <StopIcon />
            </button>
          ) : (
            <button
              key="send"
              type="submit"
              className="round"
              aria-label="Send"
              title="Send"
              disabled={isEmpty}
            >
              <SendIcon />
            </button>
          )}
        </div>
        <div className="status-line">
          <p role="status">{describeStatus(lastTurn)}</p>
          <p id="composer-hint" className="hint">
            Enter sends, Shift+Enter breaks the line
          </p>
        </div>
      </form>
    </footer>
  );
}

function describeStatus(turn: Turn | undefined): string {
  if (turn?.role !== "assistant") return "Ready";
  switch (turn.status) {
    case "streaming": {
      const isWriting = turn.message.parts.some((part) => part.type === "text");
      return `${isWriting ? "Answering" : (turn.activity ?? "Sending")}…`;
    }
    case "done": {
      const tokens = turn.message.usage?.outputTokens;
      return tokens === undefined ? "Answered" : `Answered in ${tokens} tokens`;
    }
    case "stopped":
      return "Stopped";
    case "error":
      return "Failed";
  }
}
