/** What can be done with a finished answer. */
import { type AssistantUIMessage, toMessageText } from "@kortyx/client";
import { useState } from "react";
import { CheckIcon, CopyIcon, RegenerateIcon } from "./icons.tsx";

export interface AnswerActionsProps {
  message: AssistantUIMessage;
  /** Present on the last answer. */
  onRetry: (() => void) | undefined;
}

export function AnswerActions({ message, onRetry }: AnswerActionsProps) {
  const [isCopied, setCopied] = useState(false);
  const text = toMessageText(message);
  // Not there over plain http.
  const { clipboard } = navigator as { clipboard?: Clipboard };
  return (
    <div className="actions">
      {onRetry !== undefined && (
        <button type="button" className="quiet-button" onClick={onRetry}>
          <RegenerateIcon />
          Regenerate
        </button>
      )}
      {text !== "" && clipboard !== undefined && (
        <button
          type="button"
          className="quiet-button"
          onClick={() =>
            clipboard.writeText(text).then(
              () => setCopied(true),
              () => {},
            )
          }
        >
          {isCopied ? <CheckIcon /> : <CopyIcon />}
          {isCopied ? "Copied" : "Copy"}
        </button>
      )}
    </div>
  );
}
