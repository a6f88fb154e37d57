/** The conversations that are kept: to go on with one, begin another, or delete one. */
import { useRef, useState } from "react";
import { PlusIcon, TrashIcon } from "./icons.tsx";
import { type StoredConversation, titleOf } from "./stored-conversation.ts";

export interface ConversationListProps {
  /** Newest first. */
  conversations: readonly StoredConversation[];
  currentId: string;
  onSelect: (id: string) => void;
  onStartNew: () => void;
  onRemove: (id: string) => void;
  /** A choice was made. */
  onDone: () => void;
}

export function ConversationList(props: ConversationListProps) {
  const { conversations, currentId, onSelect, onStartNew, onRemove, onDone } = props;
  /** The one that is about to be deleted: that cannot be taken back, so it is asked for twice. */
  const [doomed, setDoomed] = useState<string>();
  const newButton = useRef<HTMLButtonElement>(null);

  function remove(id: string): void {
    setDoomed(undefined);
    onRemove(id);
    newButton.current?.focus();
  }

  return (
    <>
      <button
        type="button"
        className="new-button"
        ref={newButton}
        onClick={() => {
          onStartNew();
          onDone();
        }}
      >
        <PlusIcon />
        New conversation
      </button>
      <h2>Conversations</h2>
      {conversations.length === 0 && <p className="muted">Your conversations are kept in this browser.</p>}
      <ul className="conversations">
        {conversations.map((conversation) => {
          const { id } = conversation;
          const title = titleOf(conversation);
          if (id === doomed) {
            return (
              <li key={id} className="doomed">
                <span>Delete it?</span>
                <button type="button" className="quiet-button danger" onClick={() => remove(id)}>
                  Delete
                </button>
                {/* biome-ignore lint/a11y/noAutofocus: the button that was pressed has gone; this is its place. */}
                <button type="button" className="quiet-button" autoFocus onClick={() => setDoomed(undefined)}>
                  Keep
                </button>
              </li>
            );
          }
          return (
            <li key={id}>
              <button
                type="button"
                className="conversation"
                aria-current={id === currentId ? "page" : undefined}
                title={title}
                onClick={() => {
                  onSelect(id);
                  onDone();
                }}
              >
                {title}
              </button>
              <button
                type="button"
                className="icon-button"
                aria-label={`Delete “${title}”`}
                onClick={() => setDoomed(id)}
              >
                <TrashIcon />
              </button>
            </li>
          );
        })}
      </ul>
    </>
  );
}
