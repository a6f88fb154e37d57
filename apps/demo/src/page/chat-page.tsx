/** One conversation: what was said, and the box to say something. */
import type { ChatTransport } from "@kortyx/client";
import { useChat } from "@kortyx/client/react";
import { type ReactNode, useEffect, useLayoutEffect, useRef } from "react";
import { Announcer } from "./announcer.tsx";
import { ChatStatusLine } from "./chat-status-line.tsx";
import { Composer } from "./composer.tsx";
import type { ConversationStore } from "./conversation-store.ts";
import { EmptyState } from "./empty-state.tsx";
import { keepConversation } from "./keep-conversation.ts";
import { MessageList } from "./message-list.tsx";
import { type StoredConversation, wasCut } from "./stored-conversation.ts";
import type { StreamLog } from "./stream-log.ts";
import { useChatActions } from "./use-chat-actions.ts";

export interface ChatPageProps {
  id: string;
  /** What was said before the page was loaded. */
  opened: StoredConversation | undefined;
  transport: ChatTransport;
  store: ConversationStore;
  log: StreamLog;
  /** Shown beside the Send button. */
  controls: ReactNode;
}

export function ChatPage({ id, opened, transport, store, log, controls }: ChatPageProps) {
  const { messages, status, reconnecting, error, interrupt, timing, chat } = useChat({
    transport,
    runs: true,
    sessionId: opened?.sessionId ?? id,
    initialMessages: opened?.messages,
    resumeOnMount: wasCut(opened),
    onChunk: log.onChunk,
    onConnectionChange: log.onConnectionChange,
  });
  useEffect(() => log.follow(chat), [log, chat]);
  // Before the answer is left, so that it is kept as one to go on with.
  useLayoutEffect(() => keepConversation(chat, id, store), [chat, id, store]);

  const input = useRef<HTMLTextAreaElement>(null);
  const { send, respond, retry, stop, refusal } = useChatActions(chat, input);
  const isBusy = status !== "ready" && status !== "error";

  return (
    <main className="chat">
      <MessageList
        messages={messages}
        isBusy={isBusy}
        // What was refused is told in the status line.
        error={status === "error" ? error : undefined}
        openQuestion={interrupt?.requestId}
        onAnswer={respond}
        onRetry={retry}
      >
        <EmptyState onAsk={send} />
      </MessageList>
      <Composer ref={input} isBusy={isBusy} onSend={send} onStop={stop} controls={controls}>
        <ChatStatusLine
          status={reconnecting ? "reconnecting" : status}
          timing={timing}
          last={messages.at(-1)}
          log={log}
          refusal={refusal}
        />
      </Composer>
      <Announcer messages={messages} status={status} refusal={refusal} />
    </main>
  );
}
