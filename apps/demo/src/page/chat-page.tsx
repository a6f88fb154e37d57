/** The chat: a conversation, and the box to type into. */
import { useRef } from "react";
import { Composer } from "./composer.tsx";
import { EmptyState } from "./empty-state.tsx";
import { LogoIcon } from "./icons.tsx";
import { TurnView } from "./turn-view.tsx";
import { useConversation } from "./use-conversation.ts";
import { useStickToBottom } from "./use-stick-to-bottom.ts";

export function ChatPage() {
  const { turns, isStreaming, send, stop, retry } = useConversation("/api/chat");
  const log = useRef<HTMLDivElement>(null);
  const input = useRef<HTMLTextAreaElement>(null);
  useStickToBottom(log, turns, turns.length);

  /** The button that was pressed goes away; whoever uses a keyboard goes on in the text box. */
  function thenFocusInput<Values extends unknown[]>(action: (...values: Values) => void) {
    return (...values: Values) => {
      action(...values);
      input.current?.focus();
    };
  }

  return (
    <div className="page">
      <header className="header">
        <div className="column">
          <LogoIcon />
          <p>
            <strong>Kortyx demo</strong>
            <span>streamed from the documentation</span>
          </p>
        </div>
      </header>

      <main className="log" ref={log}>
        <div className="column" role="log" aria-label="Conversation" aria-live="polite">
          {turns.map((turn, index) => (
            <TurnView
              key={turn.id}
              turn={turn}
              onRetry={index === turns.length - 1 && !isStreaming ? thenFocusInput(retry) : undefined}
            />
          ))}
        </div>
        {turns.length === 0 && <EmptyState onAsk={thenFocusInput(send)} />}
      </main>

      <Composer
        ref={input}
        lastTurn={turns.at(-1)}
        isStreaming={isStreaming}
        onSend={thenFocusInput(send)}
        onStop={thenFocusInput(stop)}
      />
    </div>
  );
}
