/**
 * The state of a conversation as a React hook: which chat a component shows, and for how long. The chat itself is
 * `createChat`'s.
 */

import type { ChatTypes } from "@kortyx/protocol";
import * as React from "react";
import type { Chat, ChatOptions, ChatSnapshot } from "./chat/chat.ts";
import { createChatState } from "./chat/create-chat.ts";

/** Options of {@link useChat}: those of a chat, and when its component resumes an answer. */
export type UseChatOptions<Types extends ChatTypes = ChatTypes> = ChatOptions<Types> & {
  /** Follows the latest run of the session each time the component appears. @defaultValue false */
  resumeOnMount?: boolean | undefined;
};

/** The state of a chat, and its actions. */
export interface UseChatResult<Types extends ChatTypes = ChatTypes>
  extends ChatSnapshot<Types>,
    Omit<Chat<Types>, "getSnapshot" | "subscribe"> {
  /** The chat itself, to share with other components: `useChat(chat)`. */
  chat: Chat<Types>;
}

/** The chat that a component shows. */
interface Shown {
  chat: Chat;
  /** State for a chat that the component owns. */
  own?: OwnChat;
}

interface OwnChat {
  /** The options of the last render that React committed; the chat reads them whenever it needs one. */
  readonly latest: { options: ChatOptions };
  /** The sessions of this chat that the application has seen and may still pass back. */
  readonly seenSessions: Set<string>;
  takeHistory(): void;
  /** Leaves the chat when its component is removed. */
  mount: React.EffectCallback;
  /** Follows the session's run when the component appears. */
  appear: React.EffectCallback;
}

/**
 * The effect whose cleanup means that the component was removed. Since React 19.2, which has `<Activity>`, cleanup of
 * any other effect may mean that it is only hidden. In earlier versions, only `useEffect` is cleaned up when a
 * component is removed while suspended.
 */
const useMountEffect = "Activity" in (React as object) ? React.useInsertionEffect : React.useEffect;

/**
 * Shows a conversation.
 *
 * With options, the component owns a chat, which is left when the component is removed, but not while it is hidden or
 * suspended. All options may change at any time; a `sessionId` other than the chat's creates another chat. A chat
 * passed in is shared: removing the component does not affect it.
 *
 * @example
 * ```tsx
 * export function Chat() {
 *   const { messages, status, send } = useChat({ endpoint: "/api/chat" });
 *   return (
 *     <button disabled={status !== "ready"} onClick={() => send("Hello")}>
 *       {messages.map(toMessageText).join("\n") || "Say hello"}
 *     </button>
 *   );
 * }
 * ```
 */
export function useChat<Types extends ChatTypes = ChatTypes>(
  source: UseChatOptions<Types> | Chat<Types>,
): UseChatResult<Types>;
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

  // Runs before all other effects, which may already use the chat.
  React.useInsertionEffect(() => {
    if (own && options) commit(own, options, snapshot.sessionId);
  });
  useMountEffect(() => own?.mount(), [own]);
  const resumeOnMount = options?.resumeOnMount === true;
  React.useEffect(() => (resumeOnMount ? own?.appear() : undefined), [own, resumeOnMount]);
  React.useEffect(() => own?.takeHistory());

  const { getSnapshot, subscribe, ...actions } = chat;
  return { ...snapshot, ...actions, chat };
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

/** Whether the chat is the requested one: a component keeps its own chat until it is given another session. */
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

/** @param rendered - The session that the application has seen. */
function commit(own: OwnChat, options: ChatOptions, rendered: string | undefined): void {
  own.latest.options = options;
  // A router may pass a session back late, after the server has named another one. Once the newest one has come back,
  // or the chat was cleared, the earlier ones are other conversations.
  if (!rendered || sessionOf(options) === rendered) own.seenSessions.clear();
  else own.seenSessions.add(rendered);
}

/**
 * An effect that starts once and ends only if its cleanup is not followed by a restart: StrictMode and Fast Refresh
 * clean up and start again in the same turn.
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
