/** The whole page: a conversation, the box to type into, and the stream of the latest answer. */
import type { ChatOptions } from "@kortyx/client";
import { useChat } from "@kortyx/client/react";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { Announcer } from "./announcer.tsx";
import { createChatActions } from "./chat-actions.ts";
import { Composer } from "./composer.tsx";
import { describeError } from "./describe-error.ts";
import { Header } from "./header.tsx";
import { endsWhole, keepConversation, readConversation } from "./keep-conversation.ts";
import { MessageList } from "./message-list.tsx";
import { createStreamLog } from "./stream/stream-log.ts";
import { StreamPanel } from "./stream/stream-panel.tsx";
import { useSessionInAddress } from "./use-session-in-address.ts";

/** What this page does for the agent. */
const pageTools: ChatOptions["tools"] = {
  read_clock: {
    description: "The time and the time zone where the user is.",
    execute: () => ({
      time: new Date().toLocaleTimeString([], { timeStyle: "short" }),
      timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    }),
  },
};

export function DemoPage() {
  const [log] = useState(createStreamLog);
  const [sessionId, nameSession] = useSessionInAddress();
  const initialMessages = useMemo(() => readConversation(sessionId), [sessionId]);
  const { chat, ...snapshot } = useChat({
    endpoint: "/api/chat",
    runs: true,
    sessionId,
    initialMessages,
    resumeOnMount: !endsWhole(initialMessages),
    onChunk: log.onChunk,
    onUnknownChunk: log.onChunk,
    onConnectionChange: log.onConnectionChange,
    fetch: log.fetch,
    tools: pageTools,
  });
  useEffect(() => nameSession(snapshot.sessionId), [nameSession, snapshot.sessionId]);
  useEffect(() => log.follow(chat), [log, chat]);
  useLayoutEffect(() => keepConversation(chat), [chat]);

  const input = useRef<HTMLTextAreaElement>(null);
  const [refused, setRefused] = useState<unknown>();
  const actions = useMemo(() => createChatActions(chat, input, setRefused), [chat]);
  const [isPanelOpen, setPanelOpen] = useState(() => matchMedia("(min-width: 64rem)").matches);
  const refusal = refused === undefined ? undefined : describeError(refused).title;

  return (
    <div className="app">
      <Header log={log} snapshot={snapshot} isPanelOpen={isPanelOpen} onTogglePanel={setPanelOpen} />
      <main className="chat">
        <MessageList snapshot={snapshot} actions={actions} />
        <Composer
          ref={input}
          snapshot={snapshot}
          refusal={refusal}
          onSend={actions.send}
          onStop={actions.stop}
        />
        <Announcer snapshot={snapshot} refusal={refusal} />
      </main>
      {isPanelOpen && <StreamPanel log={log} snapshot={snapshot} />}
    </div>
  );
}
