/** Says why an answer is missing or not whole, and offers to try again. */
import type { Description } from "./describe-error.ts";

export interface EndingNoticeProps {
  description: Description;
  /** The user has wanted it. */
  isCalm?: boolean;
  /** Present where it may be tried again. */
  onRetry: (() => void) | undefined;
}

export function EndingNotice({ description, isCalm = false, onRetry }: EndingNoticeProps) {
  const { title, detail, reference } = description;
  return (
    <div className={isCalm ? "notice calm" : "notice"} {...(!isCalm && { role: "alert" })}>
      <p>
        <strong>{title}</strong>
        <span>{detail}</span>
        {reference !== undefined && (
          <span className="reference">
            Reference: <code>{reference}</code>
          </span>
        )}
      </p>
      {onRetry !== undefined && (
        <button type="button" className="button" onClick={onRetry}>
          Retry
        </button>
      )}
    </div>
  );
}
