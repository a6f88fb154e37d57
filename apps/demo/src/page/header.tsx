/** The bar at the top: begins a new conversation, shows how the connection stands, and opens the stream panel. */
import type { ChatSnapshot, ChatStatus } from "@kortyx/client";
import { useSyncExternalStore } from "react";
import { Icon } from "./icon.tsx";
import type { StreamLog } from "./stream/stream-log.ts";
import { startNewSession } from "./use-session-in-address.ts";

export interface HeaderProps {
  log: StreamLog;
  snapshot: ChatSnapshot;
  isPanelOpen: boolean;
  onTogglePanel: (isOpen: boolean) => void;
}

export function Header({ log, snapshot, isPanelOpen, onTogglePanel }: HeaderProps) {
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
