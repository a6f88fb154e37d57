/**
 * The conversation, one exchange below the other. The newest question stands at the top, with the room below it that
 * its answer grows into: while an answer streams, nothing that is being read moves.
 */
import type { Chat, UIMessage } from "@kortyx/client";
import { type ReactNode, useRef } from "react";
import { describeError } from "./describe-error.ts";
import { EndingNotice } from "./ending-notice.tsx";
import { ArrowDownIcon } from "./icons.tsx";
import { MessageView, WaitingDots } from "./message-view.tsx";
import { useFollowEnd } from "./use-follow-end.ts";

export interface MessageListProps {
  messages: readonly UIMessage[];
  isBusy: boolean;
  /** Why there is no answer, or no more of it. */
  error: Error | undefined;
  /** The question of the agent's that waits for an answer. */
  openQuestion: string | undefined;
  onAnswer: (...values: Parameters<Chat["respond"]>) => void;
  onRetry: () => void;
  /** Shown while nothing has been said. */
  children: ReactNode;
}

export function MessageList(props: MessageListProps) {
  const { messages, isBusy, error, openQuestion, onAnswer, onRetry, children } = props;
  const log = useRef<HTMLDivElement>(null);
  const exchanges = toExchanges(messages);
  const { isAtEnd, scrollToEnd } = useFollowEnd(log, messages, exchanges.length);
  const last = messages.at(-1);

  return (
    <div className="log-frame">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls can be scrolled with a keyboard. */}
      <section className="log" ref={log} tabIndex={0} aria-label="Conversation">
        {messages.length === 0 && children}
        {exchanges.map((exchange) => (
          <div className="exchange column" key={exchange[0]!.id}>
            {exchange.map((message) => (
              <MessageView
                key={message.id}
                message={message}
                error={message === last ? error : undefined}
                openQuestion={message === last ? openQuestion : undefined}
                onAnswer={onAnswer}
                onRetry={message === last && !isBusy ? onRetry : undefined}
              />
            ))}
            {exchange.includes(last!) && last?.role === "user" && (
              <div className="message assistant">
                {isBusy ? (
                  <WaitingDots />
                ) : (
                  <EndingNotice
                    description={error === undefined ? unanswered : describeError(error)}
                    onRetry={onRetry}
                  />
                )}
              </div>
            )}
          </div>
        ))}
      </section>
      {!isAtEnd && (
        <button type="button" className="to-end" aria-label="Go to the end" onClick={scrollToEnd}>
          <ArrowDownIcon />
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
