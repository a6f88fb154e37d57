/**
 * The conversation, one exchange below the other. The latest question stands at the top, with room below it for the
 * growing answer: while an answer streams, nothing that the user is reading moves.
 */
import type { ChatSnapshot, UIMessage } from "@kortyx/client";
import { type RefObject, useEffect, useLayoutEffect, useRef, useState } from "react";
import type { ChatActions } from "./chat-actions.ts";
import { describeError } from "./describe-error.ts";
import { Icon } from "./elements.tsx";
import { EndingNotice, Growing, MessageView } from "./message-view.tsx";

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

/** What to try; each of them shows another side of a stream. */
const examples = [
  { shows: "A search, a growing list, sources", question: "How do I stop a stream?" },
  { shows: "A question back, with choices", question: "Tell me about errors" },
  { shows: "Two questions at once", question: "How does it work?" },
  { shows: "A tool that needs your approval", question: "Feedback: I like the chunks" },
  { shows: "A tool that runs in this page", question: "What time is it?" },
  { shows: "A tool that fails", question: "How does a stream end? in:nowhere" },
];

/** The page before the first question. */
function EmptyState({ onAsk }: { onAsk: (question: string) => void }) {
  return (
    <div className="empty column">
      <h2>Ask about Kortyx streams</h2>
      <p>
        An agent searches a few pages about these packages and quotes what it finds. Every answer is a Kortyx
        stream: watch it arrive, stop it, cut the connection, reload the page.
      </p>
      <ul className="choices" aria-label="Example questions">
        {examples.map(({ shows, question }) => (
          <li key={question}>
            <button type="button" className="choice" onClick={() => onAsk(question)}>
              <span className="muted">{shows}</span>
              <span>{question}</span>
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}

/** A list that scrolls by whole pixels may end a fraction of one below its view. */
const tolerance = 2;

/**
 * Keeps the end of a growing list in view, until the reader scrolls away from it.
 *
 * @param content - The growing content; compared by identity.
 * @param count - When this changes, the end comes into view wherever the reader is; at 0 there is nothing to follow.
 */
function useFollowEnd(list: RefObject<HTMLElement | null>, content: unknown, count: number) {
  const isFollowing = useRef(true);
  /** Whether the end is in view, or will be with the next change. */
  const [isAtEnd, setAtEnd] = useState(true);

  function scrollToEnd(): void {
    const element = list.current!;
    isFollowing.current = true;
    element.scrollTop = element.scrollHeight;
    setAtEnd(true);
  }

  useEffect(() => {
    const element = list.current!;
    let before = element.scrollTop;
    const onScroll = () => {
      const { scrollTop, scrollHeight, clientHeight } = element;
      const isEnd = scrollHeight - scrollTop - clientHeight <= tolerance;
      // The end moves away from a reader who stays; only scrolling up leaves it.
      isFollowing.current = isEnd || (isFollowing.current && scrollTop >= before);
      before = scrollTop;
      setAtEnd(isFollowing.current);
    };
    const observer = new ResizeObserver(() => {
      if (isFollowing.current) element.scrollTop = element.scrollHeight;
    });
    element.addEventListener("scroll", onScroll, { passive: true });
    observer.observe(element);
    return () => {
      element.removeEventListener("scroll", onScroll);
      observer.disconnect();
    };
  }, [list]);
  useLayoutEffect(() => {
    isFollowing.current = count > 0;
    setAtEnd(true);
  }, [count]);
  useLayoutEffect(() => {
    const element = list.current!;
    if (isFollowing.current) element.scrollTop = element.scrollHeight;
  }, [list, content]);

  return { isAtEnd, scrollToEnd };
}
