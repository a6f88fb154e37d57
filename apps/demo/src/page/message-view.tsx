/** One message. Rendered again only when the message itself has changed. */
import type { AssistantUIMessage, Chat, MessagePart, UIMessage } from "@kortyx/client";
import { memo } from "react";
import { AnswerActions } from "./answer-actions.tsx";
import { describeEnding } from "./describe-error.ts";
import { EndingNotice } from "./ending-notice.tsx";
import { FileLink } from "./file-link.tsx";
import { MarkdownText } from "./markdown-text.tsx";
import { QuestionCard } from "./question-card.tsx";
import { ReasoningText } from "./reasoning-text.tsx";
import { SourceList } from "./source-list.tsx";
import { StructuredCard } from "./structured-card.tsx";
import { ToolCard } from "./tool-card.tsx";

export interface MessageViewProps {
  message: UIMessage;
  /** Why it is not whole. */
  error: Error | undefined;
  /** The `requestId` of the question that can be answered. */
  openQuestion: string | undefined;
  onAnswer: (...values: Parameters<Chat["respond"]>) => void;
  /** Present where another answer may be asked for. */
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
      {status === "done" && parts.length === 0 && <p className="note">The answer is empty.</p>}
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
      return <ReasoningText part={part} />;
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

/** Nothing says by itself that more is to come. */
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
