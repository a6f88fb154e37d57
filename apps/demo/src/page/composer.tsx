/** The box to type into, with Send or Stop. */
import { type KeyboardEvent, type ReactNode, type Ref, useEffect, useState } from "react";
import { SendIcon, StopIcon } from "./icons.tsx";

export interface ComposerProps {
  ref: Ref<HTMLTextAreaElement>;
  /** An answer is under way: it can be stopped, and nothing can be sent. */
  isBusy: boolean;
  onSend: (text: string) => void;
  onStop: () => void;
  /** Shown in the box. */
  controls: ReactNode;
  /** Shown below the box. */
  children: ReactNode;
}

export function Composer({ ref, isBusy, onSend, onStop, controls, children }: ComposerProps) {
  const [text, setText] = useState("");
  const isEmpty = text.trim() === "";

  function send(): void {
    if (isEmpty || isBusy) return;
    onSend(text.trim());
    setText("");
  }

  function onKeyDown(event: KeyboardEvent): void {
    // Enter also confirms what an input method suggests.
    if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) {
      event.preventDefault();
      send();
    }
  }

  useEffect(() => {
    if (!isBusy) return undefined;
    const onEscape = (event: globalThis.KeyboardEvent) => {
      // A drawer that is open is what it closes.
      if (event.key === "Escape" && document.querySelector("dialog[open]") === null) onStop();
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
            placeholder="Ask about the documentation"
            rows={1}
            maxLength={4000}
            value={text}
            onChange={(event) => setText(event.target.value)}
            onKeyDown={onKeyDown}
          />
          <div className="box-controls">
            {controls}
            {isBusy ? (
              <button
                key="stop"
                type="button"
                className="round"
                aria-label="Stop"
                title="Stop (Esc)"
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
                title="Send (Enter)"
                disabled={isEmpty}
              >
                <SendIcon />
              </button>
            )}
          </div>
        </div>
        <div className="below-box">
          {children}
          <p className="hint">
            <kbd>Enter</kbd> sends · <kbd>Shift+Enter</kbd> breaks the line · <kbd>Esc</kbd> stops
          </p>
        </div>
      </form>
    </div>
  );
}
