/** One message, part by part. Rendered again only when the message itself has changed. */
import {
  type AssistantUIMessage,
  type ChatSnapshot,
  type InterruptPart,
  type MessagePart,
  toMessageText,
  type UIMessage,
} from "@kortyx/client";
import { memo, useState } from "react";
import { ReasoningCard, StepHeading, StructuredCard, ToolCard } from "./cards.tsx";
import type { ChatActions } from "./chat-actions.ts";
import { type Description, describeEnding } from "./describe-error.ts";
import { Button, FileLink, Icon, SourceList } from "./elements.tsx";
import { MarkdownText } from "./markdown-text.tsx";
import { QuestionCard } from "./questions.tsx";

export interface MessageViewProps {
  message: UIMessage;
  /** Why it is not complete. */
  error: Error | undefined;
  /** The questions that wait; absent if it is not the last message, or something is in progress. */
  openQuestions: ChatSnapshot["interrupts"] | undefined;
  actions: ChatActions;
}

export const MessageView = memo(function MessageView({ message, ...rest }: MessageViewProps) {
  if (message.role === "assistant") return <Answer message={message} {...rest} />;
  return (
    <article className="message user" aria-label="You">
      <h2 className="visually-hidden">You</h2>
      <p>{message.content}</p>
      {message.parts?.map((part, index) => part.type === "file" && <FileLink key={index} file={part} />)}
    </article>
  );
});

type AnswerProps = MessageViewProps & { message: AssistantUIMessage };

function Answer({ message, error, openQuestions, actions }: AnswerProps) {
  const { parts, status, interrupt } = message;
  const onRetry = openQuestions && actions.retry;
  const isGrowing = status === "streaming";
  const sources = parts.filter((part) => part.type === "source");
  const ending = describeEnding(message, error);
  return (
    <article className="message assistant" aria-label="Assistant" aria-busy={isGrowing} data-status={status}>
      <h2 className="visually-hidden">Assistant</h2>
      {parts.map((part, index) => (
        // Parts are only ever added at the end.
        <Part key={index} part={part} message={message} openQuestions={openQuestions} actions={actions} />
      ))}
      {isGrowing && <Growing />}
      {sources.length > 0 && <SourceList sources={sources} />}
      {status === "done" && parts.length === 0 && <p className="muted">The answer is empty.</p>}
      {ending !== undefined && (
        <EndingNotice description={ending} isCalm={status === "aborted"} onRetry={onRetry} />
      )}
      {status === "done" && interrupt === undefined && ending === undefined && (
        <AnswerActions text={toMessageText(message)} onRetry={onRetry} />
      )}
    </article>
  );
}

type PartProps = Omit<AnswerProps, "error"> & { part: MessagePart };

function Part({ part, message, openQuestions, actions }: PartProps) {
  switch (part.type) {
    case "text":
      return <MarkdownText text={part.text} />;
    case "reasoning":
      return <ReasoningCard part={part} />;
    case "tool-call":
      return (
        <ToolCard
          part={part}
          question={openQuestions?.find(({ toolCallId }) => toolCallId === part.toolCallId)}
          isOpen={openQuestions !== undefined}
          actions={actions}
        />
      );
    case "step":
      // The turns of a model have no names.
      return part.name === undefined ? null : <StepHeading name={part.name} state={part.state} />;
    case "structured-data":
      return <StructuredCard part={part} isGrowing={message.status === "streaming"} />;
    case "interrupt": {
      // One about a call is in the card of that call, and those that are open together are one form.
      const questions = part.resolution === undefined ? listUnresolved(message) : [part];
      if (part !== questions[0] || part.toolCallId !== undefined) return null;
      const isOpen = openQuestions?.some(({ requestId }) => requestId === part.requestId) === true;
      return <QuestionCard questions={questions} isOpen={isOpen} onAnswer={actions.respond} />;
    }
    case "file":
      return <FileLink file={part} />;
    default:
      return null;
  }
}

const listUnresolved = ({ parts }: AssistantUIMessage): InterruptPart[] =>
  parts
    .filter((part) => part.type === "interrupt")
    .filter(({ resolution, isAutomatic, toolCallId }) => !(resolution || isAutomatic || toolCallId));

/** At the end of an answer that grows. */
export const Growing = () => <p className="state" data-state="streaming" aria-hidden="true" />;

interface AnswerActionsProps {
  text: string;
  onRetry: (() => void) | undefined;
}

/** The buttons below a finished answer. */
function AnswerActions({ text, onRetry }: AnswerActionsProps) {
  const [isCopied, setCopied] = useState(false);
  // Missing over plain http.
  const { clipboard } = navigator as { clipboard?: Clipboard };
  const copy = () =>
    clipboard?.writeText(text).then(
      () => setCopied(true),
      () => {},
    );
  return (
    <div className="actions">
      {onRetry !== undefined && (
        <button type="button" className="quiet-button muted" onClick={onRetry}>
          <Icon name="regenerate" size={15} />
          Regenerate
        </button>
      )}
      {text !== "" && clipboard !== undefined && (
        <button type="button" className="quiet-button muted" onClick={copy}>
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
    <div className="notice" {...(!isCalm && { role: "alert" })}>
      <p>
        <strong>{title}</strong>
        <span>{detail}</span>
        {reference !== undefined && (
          <span className="muted">
            Reference: <code>{reference}</code>
          </span>
        )}
      </p>
      {onRetry !== undefined && <Button onClick={onRetry}>Retry</Button>}
    </div>
  );
}
