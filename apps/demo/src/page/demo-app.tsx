/** The whole page: the conversations at one side, the one that is shown, and its stream at the other. */
import { useMemo, useRef, useState } from "react";
import { ChatPage } from "./chat-page.tsx";
import { type AnswerMode, createChoosableTransport } from "./choosable-transport.ts";
import { ConversationList } from "./conversation-list.tsx";
import type { ConversationStore } from "./conversation-store.ts";
import { LogoIcon, MenuIcon, StreamIcon } from "./icons.tsx";
import { ModeSwitch } from "./mode-switch.tsx";
import { Sidebar } from "./sidebar.tsx";
import { createStreamLog } from "./stream-log.ts";
import { StreamPanel } from "./stream-panel.tsx";
import { StreamState } from "./stream-state.tsx";
import { useConversations } from "./use-conversations.ts";
import { useMediaQuery } from "./use-media-query.ts";

/** Room for all three columns; narrower pages open them one at a time. */
const wide = "(min-width: 64rem)";

export function DemoApp({ store }: { store: ConversationStore }) {
  const { all, currentId, select, startNew, remove } = useConversations(store);
  const [log] = useState(createStreamLog);
  const [mode, setMode] = useState<AnswerMode>("live");
  const chosen = useRef(mode);
  const [transport] = useState(() =>
    createChoosableTransport({
      endpoint: "/api/chat",
      readMode: () => chosen.current,
      onUnknownChunk: log.onChunk,
      onResponse: log.onResponse,
    }),
  );
  const isWide = useMediaQuery(wide);
  const [isMenuOpen, setMenuOpen] = useState(false);
  const [isPanelOpen, setPanelOpen] = useState(isWide);

  /** As it was when it was opened: what is added since then, the chat knows. */
  const opened = useMemo(() => store.getSnapshot().find(({ id }) => id === currentId), [store, currentId]);

  function chooseMode(next: AnswerMode): void {
    chosen.current = next;
    setMode(next);
  }

  return (
    <div className="app">
      <header className="header">
        <button
          type="button"
          className="icon-button menu-button"
          aria-label="Conversations"
          aria-haspopup="dialog"
          onClick={() => setMenuOpen(true)}
        >
          <MenuIcon />
        </button>
        <LogoIcon />
        <h1>Kortyx demo</h1>
        <button
          type="button"
          className="panel-button"
          aria-expanded={isPanelOpen}
          aria-controls="stream-panel"
          onClick={() => setPanelOpen(!isPanelOpen)}
        >
          <StreamIcon />
          <span>Stream</span>
          <StreamState log={log} />
        </button>
      </header>
      <Sidebar isStatic={isWide} isOpen={isMenuOpen} onClose={() => setMenuOpen(false)}>
        <ConversationList
          conversations={all}
          currentId={currentId}
          onSelect={select}
          onStartNew={startNew}
          onRemove={remove}
          onDone={() => setMenuOpen(false)}
        />
      </Sidebar>
      <ChatPage
        key={currentId}
        id={currentId}
        opened={opened}
        transport={transport}
        store={store}
        log={log}
        controls={<ModeSwitch mode={mode} onChoose={chooseMode} />}
      />
      {isPanelOpen && <StreamPanel log={log} />}
    </div>
  );
}
