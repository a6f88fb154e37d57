/** One turn of the conversation. Rendered again only when the turn itself has changed. */
import type { MessagePart, StreamChunkOf } from "@kortyx/client";
import { memo } from "react";
import type { AssistantTurn, Turn } from "./conversation.ts";
import { MarkdownText } from "./markdown-text.tsx";
import { ToolCard } from "./tool-card.tsx";

export interface TurnViewProps {
  turn: Turn;
  /** Present where the turn may be tried again. */
  onRetry: (() => void) | undefined;
}

export const TurnView = memo(
  function TurnView({ turn, onRetry }: TurnViewProps) {
    if (turn.role === "assistant") return <Answer turn={turn} onRetry={onRetry} />;
    return (
      <article className="turn user" aria-label="You" data-status="done">
        <p>{turn.text}</p>
      </article>
    );
  },
  // `onRetry` is a new function at every render, which only a failed answer cares for.
  (before, after) =>
    before.turn === after.turn && (before.onRetry === undefined) === (after.onRetry === undefined),
);

function Answer({ turn, onRetry }: { turn: AssistantTurn; onRetry: (() => void) | undefined }) {
  const { message, status, note, error } = turn;
  const sources = message.parts.filter((part) => part.type === "source");
  return (
    <article
      className="turn assistant"
      aria-label="Assistant"
      aria-busy={status === "streaming"}
      data-status={status}
    >
      {message.parts.map((part, index) => (
        // Parts are only ever added at the end.
        <Part key={index} part={part} />
      ))}
      {status === "streaming" && !message.parts.some((part) => part.type === "text") && (
        <p className="waiting" aria-hidden="true">
          <i />
          <i />
          <i />
        </p>
      )}
      {note !== undefined && <p className="note">{note}</p>}
      {error !== undefined && (
        <div className="error" role="alert">
          <p>
            <strong>{error.title}</strong>
            <span>{error.detail}</span>
          </p>
          {onRetry !== undefined && (
            <button type="button" onClick={onRetry}>
              Retry
            </button>
          )}
        </div>
      )}
      {sources.length > 0 && <Sources sources={sources} />}
    </article>
  );
}

function Part({ part }: { part: MessagePart }) {
  switch (part.type) {
    case "text":
      return <MarkdownText text={part.text} isStreaming={part.state === "streaming"} />;
    case "tool-call":
      return <ToolCard part={part} />;
    default:
      return null;
  }
}

function Sources({ sources }: { sources: Readonly<StreamChunkOf<"source">>[] }) {
  return (
    <nav className="sources" aria-label="Sources">
      <ol aria-label="Sources">
        {sources.map(({ id, title, url }) => (
          <li key={id}>
            <a href={url} target="_blank" rel="noopener noreferrer">
              {title ?? url ?? id}
            </a>
          </li>
        ))}
      </ol>
    </nav>
  );
}
