/** One message, part by part. Rendered again only when the message itself has changed. */
import { type AssistantUIMessage, type MessagePart, toMessageText, type UIMessage } from "@kortyx/client";
import { memo, useState } from "react";
import type { ChatActions } from "./chat-actions.ts";
import { type Description, describeEnding } from "./describe-error.ts";
import { Icon } from "./icon.tsx";
import { FileLink, SourceList } from "./parts/links.tsx";
import { MarkdownText } from "./parts/markdown-text.tsx";
import { QuestionCard } from "./parts/question-card.tsx";
import { ReasoningCard, ToolCard } from "./parts/step-cards.tsx";
import { StructuredCard } from "./parts/structured-card.tsx";

export interface MessageViewProps {
  message: UIMessage;
  /** Why it is not complete. */
  error: Error | undefined;
  /** The `requestId` of the question that can be answered. */
  openQuestion: string | undefined;
  onAnswer: ChatActions["respond"];
  /** Present where another answer may be requested. */
  onRetry: (() => void) | undefined;
}

export const MessageView = memo(function MessageView({ message, ...rest }: MessageViewProps) {
  if (message.role === "assistant") return <Answer message={message} {...rest} />;
  return (
    <article className="message user" aria-label="You">
      <h2 className="visually-hidden">You</h2>
      <p>{message.content}</p>
    </article>
  );
});

type AnswerProps = MessageViewProps & { message: AssistantUIMessage };

function Answer({ message, error, openQuestion, onAnswer, onRetry }: AnswerProps) {
  const { parts, status, interrupt } = message;
  const isGrowing = status === "streaming";
  const sources = parts.filter((part) => part.type === "source");
  const ending = describeEnding(message, error);
  return (
    <article className="message assistant" aria-label="Assistant" aria-busy={isGrowing} data-status={status}>
      <h2 className="visually-hidden">Assistant</h2>
      {parts.map((part, index) => (
        // Parts are only ever added at the end.
        <Part key={index} part={part} isGrowing={isGrowing} openQuestion={openQuestion} onAnswer={onAnswer} />
      ))}
      {isGrowing && isWaiting(parts) && <WaitingDots />}
      {sources.length > 0 && <SourceList sources={sources} />}
      {status === "done" && parts.length === 0 && <p className="muted">The answer is empty.</p>}
      {ending !== undefined && (
        <EndingNotice description={ending} isCalm={status === "aborted"} onRetry={onRetry} />
      )}
      {status === "done" && interrupt === undefined && <AnswerActions message={message} onRetry={onRetry} />}
    </article>
  );
}

interface PartProps extends Pick<MessageViewProps, "openQuestion" | "onAnswer"> {
  part: MessagePart;
  isGrowing: boolean;
}

function Part({ part, isGrowing, openQuestion, onAnswer }: PartProps) {
  switch (part.type) {
    case "text":
      return <MarkdownText text={part.text} isStreaming={part.state === "streaming"} />;
    case "reasoning":
      return <ReasoningCard part={part} />;
    case "tool-call":
      return <ToolCard part={part} />;
    case "structured-data":
      return <StructuredCard part={part} isGrowing={isGrowing} />;
    case "interrupt":
      return <QuestionCard question={part} isOpen={part.requestId === openQuestion} onAnswer={onAnswer} />;
    case "file":
      return <FileLink file={part} />;
    default:
      return null;
  }
}

/** Whether the parts alone do not show that more will follow. */
function isWaiting(parts: readonly MessagePart[]): boolean {
  return !parts.some(
    (part) =>
      ((part.type === "text" || part.type === "reasoning") && part.state === "streaming") ||
      (part.type === "structured-data" && part.status === "streaming"),
  );
}

export const WaitingDots = () => (
  <p className="waiting" aria-hidden="true">
    <i />
    <i />
    <i />
  </p>
);

/** The buttons below a finished answer. */
function AnswerActions({ message, onRetry }: Pick<AnswerProps, "message" | "onRetry">) {
  const [isCopied, setCopied] = useState(false);
  const text = toMessageText(message);
  // Missing over plain http.
  const { clipboard } = navigator as { clipboard?: Clipboard };
  return (
    <div className="actions">
      {onRetry !== undefined && (
        <button type="button" className="quiet-button" onClick={onRetry}>
          <Icon name="regenerate" size={15} />
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
          <Icon name={isCopied ? "check" : "copy"} size={15} />
          {isCopied ? "Copied" : "Copy"}
        </button>
      )}
    </div>
  );
}

interface EndingNoticeProps {
  description: Description;
  /** The user wanted it. */
  isCalm?: boolean;
  /** Present where another attempt is possible. */
  onRetry: (() => void) | undefined;
}

/** Explains why an answer is missing or not complete, and offers to try again. */
export function EndingNotice({ description, isCalm = false, onRetry }: EndingNoticeProps) {
  const { title, detail, reference } = description;
  return (
    <div className={isCalm ? "notice calm" : "notice"} {...(!isCalm && { role: "alert" })}>
      <p>
        <strong>{title}</strong>
        <span>{detail}</span>
        {reference !== undefined && (
          <span className="muted">
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
