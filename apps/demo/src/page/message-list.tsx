/**
 * The conversation, one exchange below the other. The latest question stands at the top, with room below it for the
 * growing answer: while an answer streams, nothing that the user is reading moves.
 */
import type { ChatSnapshot, UIMessage } from "@kortyx/client";
import { useRef } from "react";
import type { ChatActions } from "./chat-actions.ts";
import { describeError } from "./describe-error.ts";
import { EmptyState } from "./empty-state.tsx";
import { Icon } from "./icon.tsx";
import { EndingNotice, Growing, MessageView } from "./message-view.tsx";
import { useFollowEnd } from "./use-follow-end.ts";

export interface MessageListProps {
  snapshot: ChatSnapshot;
  actions: ChatActions;
}

export function MessageList({ snapshot, actions }: MessageListProps) {
  const { messages, status } = snapshot;
  const log = useRef<HTMLDivElement>(null);
  const exchanges = toExchanges(messages);
  const { isAtEnd, scrollToEnd } = useFollowEnd(log, messages, exchanges.length);
  const last = messages.at(-1);
  const isBusy = status !== "ready" && status !== "error";
  const error = status === "error" ? snapshot.error : undefined;

  return (
    <div className="log-frame">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls can be scrolled with a keyboard. */}
      <section className="log" ref={log} tabIndex={0} aria-label="Conversation">
        {messages.length === 0 && <EmptyState onAsk={actions.send} />}
        {exchanges.map((exchange) => (
          <div className="exchange column" key={exchange[0]!.id}>
            {exchange.map((message) => (
              <MessageView
                key={message.id}
                message={message}
                error={message === last ? error : undefined}
                openQuestions={message === last && !isBusy ? snapshot.interrupts : undefined}
                actions={actions}
              />
            ))}
            {exchange.includes(last!) && last?.role === "user" && (
              <div className="message assistant">
                {isBusy ? (
                  <Growing />
                ) : (
                  <EndingNotice
                    description={error === undefined ? unanswered : describeError(error)}
                    onRetry={actions.retry}
                  />
                )}
              </div>
            )}
          </div>
        ))}
      </section>
      {!isAtEnd && (
        <button type="button" className="round to-end" aria-label="Go to the end" onClick={scrollToEnd}>
          <Icon name="end" size={18} />
        </button>
      )}
    </div>
  );
}

const unanswered = { title: "No answer", detail: "This question was not answered." };

/** Each question with its answers. */
function toExchanges(messages: readonly UIMessage[]): UIMessage[][] {
  const exchanges: UIMessage[][] = [];
  for (const message of messages) {
    if (message.role === "user" || exchanges.length === 0) exchanges.push([message]);
    else exchanges.at(-1)!.push(message);
  }
  return exchanges;
}
