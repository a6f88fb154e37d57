/** The whole page: the bar at the top, a conversation, the box to type into, and the stream of the latest answer. */
import type { ChatOptions, ChatSnapshot, ChatStatus } from "@kortyx/client";
import { useChat } from "@kortyx/client/react";
import {
  StrictMode,
  useEffect,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
  useSyncExternalStore,
} from "react";
import { createRoot } from "react-dom/client";
import { createChatActions } from "./chat-actions.ts";
import { Announcer, Composer } from "./composer.tsx";
import { describeError } from "./describe-error.ts";
import { Icon } from "./elements.tsx";
import {
  endsWhole,
  keepConversation,
  readConversation,
  startNewSession,
  useSessionInAddress,
} from "./keep-conversation.ts";
import { MessageList } from "./message-list.tsx";
import { createStreamLog, type StreamLog, StreamPanel } from "./stream-panel.tsx";
import "./styles/base.css";
import "./styles/layout.css";
import "./styles/messages.css";
import "./styles/cards.css";

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

interface HeaderProps {
  log: StreamLog;
  snapshot: ChatSnapshot;
  isPanelOpen: boolean;
  onTogglePanel: (isOpen: boolean) => void;
}

/** Begins a new conversation, shows the state of the connection, and opens the stream panel. */
function Header({ log, snapshot, isPanelOpen, onTogglePanel }: HeaderProps) {
  return (
    <header className="header">
      <span className="round logo">
        <Icon name="logo" size={18} />
      </span>
      <h1>Kortyx demo</h1>
      <button type="button" className="header-button" aria-label="New conversation" onClick={startNewSession}>
        <Icon name="plus" />
        <span>New</span>
      </button>
      <button
        type="button"
        className="header-button"
        aria-expanded={isPanelOpen}
        aria-controls="stream-panel"
        onClick={() => onTogglePanel(!isPanelOpen)}
      >
        <Icon name="stream" />
        <span>Stream</span>
        <StreamState log={log} snapshot={snapshot} />
      </button>
    </header>
  );
}

const names: Record<ChatStatus, string> = {
  ready: "Idle",
  submitted: "Connecting",
  streaming: "Streaming",
  stopping: "Stopping",
  error: "Failed",
};

function StreamState({ log, snapshot }: { log: StreamLog; snapshot: ChatSnapshot }) {
  const { status, reconnecting, messages } = snapshot;
  const attempt = useSyncExternalStore(log.subscribe, () => log.getSnapshot().attempt);
  const last = messages.at(-1);
  const isStopped = status === "ready" && last?.role === "assistant" && last.status === "aborted";
  return (
    <span className="state" data-testid="stream-state" data-state={reconnecting ? "reconnecting" : status}>
      {reconnecting ? `Reconnecting, attempt ${attempt}` : isStopped ? "Stopped" : names[status]}
    </span>
  );
}

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <DemoPage />
  </StrictMode>,
);
