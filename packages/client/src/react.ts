/**
 * The state of a conversation as a React hook: which chat a component shows, and for how long. Everything that happens
 * in the chat is `createChat`'s.
 */
import * as React from "react";
import type { Chat, ChatOptions, ChatSnapshot } from "./chat/chat.ts";
import { createChatState } from "./chat/create-chat.ts";

export type UseChatOptions = ChatOptions & {
  /** Follows the newest run of the session whenever the component appears. @defaultValue false */
  resumeOnMount?: boolean | undefined;
};

export interface UseChatResult
  extends ChatSnapshot,
    Pick<Chat, "send" | "respond" | "regenerate" | "setMessages" | "resume" | "stop" | "close" | "clear"> {
  /** The chat itself, to be used by other components too: `useChat(chat)`. */
  chat: Chat;
}

/** The chat that a component shows. */
interface Shown {
  chat: Chat;
  /** What belongs to a chat of the component's own. */
  own?: OwnChat;
}

interface OwnChat {
  /** Holds the options of the last render that React has committed: the chat reads them whenever it needs one. */
  readonly latest: { options: ChatOptions };
  /** The sessions that the application has seen of this chat, and may still give back. */
  readonly seenSessions: Set<string>;
  takeHistory(): void;
  /** The effect that leaves the chat when its component is gone. */
  mount: React.EffectCallback;
  /** The effect that follows the session's run when the component appears. */
  appear: React.EffectCallback;
}

/**
 * The effect whose clean-up means that the component is gone. Since React 19.2, which has `<Activity>`, the clean-up of
 * all others may mean that it is only hidden. Before, a component that is removed while it is suspended has no other
 * clean-up than that of `useEffect`.
 */
const useMountEffect = "Activity" in (React as object) ? React.useInsertionEffect : React.useEffect;

/**
 * Shows a conversation.
 *
 * With options, the component has a chat of its own, which is left when the component is removed, and not while it is
 * only hidden or suspended. All options may change at any time; another `sessionId` than the chat's is another chat.
 * With a chat, it is shared: nothing ends with the component.
 *
 * @example
 * ```tsx
 * const { messages, status, send, stop } = useChat({ endpoint: "/api/chat" });
 * ```
 */
export function useChat(source: UseChatOptions | Chat): UseChatResult {
  const options = "getSnapshot" in source ? undefined : source;
  const [state, setState] = React.useState(() => show(source));
  let shown = state;
  if (!shows(shown, source)) {
    shown = show(source);
    setState(shown);
  }
  const { chat, own } = shown;
  const snapshot = React.useSyncExternalStore(chat.subscribe, chat.getSnapshot, chat.getSnapshot);

  // Before all other effects, which may ask already.
  React.useInsertionEffect(() => {
    if (own && options) commit(own, options, snapshot.sessionId);
  });
  useMountEffect(() => own?.mount(), [own]);
  const resumeOnMount = options?.resumeOnMount === true;
  React.useEffect(() => (resumeOnMount ? own?.appear() : undefined), [own, resumeOnMount]);
  React.useEffect(() => own?.takeHistory());

  const { send, respond, regenerate, setMessages, resume, stop, close, clear } = chat;
  return { ...snapshot, send, respond, regenerate, setMessages, resume, stop, close, clear, chat };
}

function show(source: UseChatOptions | Chat): Shown {
  if ("getSnapshot" in source) return { chat: source };
  const latest: OwnChat["latest"] = { options: source };
  const { chat, takeHistory } = createChatState(() => latest.options);
  const own: OwnChat = {
    latest,
    seenSessions: new Set(),
    takeHistory,
    mount: createLastingEffect(() => {}, chat.close),
    appear: createLastingEffect(
      () => void chat.resume(),
      () => {},
    ),
  };
  return { chat, own };
}

/** Whether the chat is the wanted one: a component keeps its own chat until another session than the chat's is given. */
function shows({ chat, own }: Shown, source: UseChatOptions | Chat): boolean {
  if ("getSnapshot" in source) return chat === source;
  if (!own) return false;
  const wanted = sessionOf(source);
  return (
    wanted === sessionOf(own.latest.options) ||
    wanted === chat.getSnapshot().sessionId ||
    own.seenSessions.has(wanted as string)
  );
}

const sessionOf = ({ sessionId }: ChatOptions): string | undefined => sessionId || undefined;

/** @param rendered - The session that the application has got to see. */
function commit(own: OwnChat, options: ChatOptions, rendered: string | undefined): void {
  own.latest.options = options;
  // A router may give a session back late, when the server has named another one meanwhile. Once the newest one has
  // come back, or the chat was cleared, the earlier ones are other conversations.
  if (!rendered || sessionOf(options) === rendered) own.seenSessions.clear();
  else own.seenSessions.add(rendered);
}

/**
 * An effect that begins once and ends when its clean-up is not taken back: StrictMode and Fast Refresh clean up and
 * begin again in the same turn.
 */
function createLastingEffect(begin: () => void, end: () => void): React.EffectCallback {
  let hasBegun = false;
  let isWanted = false;
  return () => {
    isWanted = true;
    if (!hasBegun) {
      hasBegun = true;
      begin();
    }
    return () => {
      isWanted = false;
      queueMicrotask(() => {
        if (!hasBegun || isWanted) return;
        hasBegun = false;
        end();
      });
    };
  };
}
